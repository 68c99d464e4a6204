//! A failing database never makes for a wrong answer, and money is never half moved.

use toctou::db::{Row, SqlError, SqlState, SqliteDb, row};
use toctou::handlers::{ACCOUNTS, Accounts, HandlerError, TransferError, Transferred};

use super::flaky::{Fault, Flaky};

const FAULTS: &[Fault] = &[
    Fault::Fails(SqlState::DISK_FULL),
    Fault::Fails(SqlState::LOCK_NOT_AVAILABLE),
    Fault::Fails(SqlState::DEADLOCK_DETECTED),
    Fault::BreaksBefore,
    Fault::BreaksAfter,
];

fn account(id: i64, balance: i64) -> Row {
    row([id.into(), balance.into()])
}

fn database(balances: [i64; 2]) -> Result<SqliteDb, SqlError> {
    let db = SqliteDb::in_memory()?;
    db.create(&[&ACCOUNTS])?;
    db.fill(&ACCOUNTS, [account(1, balances[0]), account(2, balances[1])])?;
    Ok(db)
}

#[test]
fn whichever_statement_fails_the_answer_is_true_and_the_money_whole() -> Result<(), SqlError> {
    // Debited first, credited first; enough, and not enough.
    for (from, to, balance) in [(1, 2, 5), (2, 1, 5), (1, 2, 1), (2, 1, 1)] {
        let first = if from == 1 { [balance, 7] } else { [7, balance] };
        let moved = if from == 1 { [balance - 3, 10] } else { [10, balance - 3] };
        for fault in FAULTS {
            let mut nth = 0;
            loop {
                let db = database(first)?;
                let flaky = Flaky::new(db.clone(), nth, *fault);
                let told = Accounts::new(flaky.clone()).transfer(from, to, 3);
                let rows = db.rows(&ACCOUNTS)?;
                let was_moved = rows == [account(1, moved[0]), account(2, moved[1])];
                let was_left = rows == [account(1, first[0]), account(2, first[1])];
                let what = format!("{from} to {to}, {nth} {fault:?}: {told:?}, {rows:?}");
                assert!(was_moved || was_left, "{what}");
                match &told {
                    Ok(Transferred::Done) => assert!(was_moved && balance >= 3, "{what}"),
                    Ok(Transferred::Insufficient) => assert!(was_left && balance < 3, "{what}"),
                    Ok(_) | Err(TransferError::Amount(_) | TransferError::SameAccount(_)) => {
                        panic!("{what}")
                    }
                    // Only a commit can leave it open.
                    Err(TransferError::Handler(HandlerError::Unknown(_))) => {
                        assert!(balance >= 3 && !matches!(fault, Fault::Fails(_)), "{what}");
                        assert_eq!(was_moved, *fault == Fault::BreaksAfter, "{what}");
                    }
                    Err(TransferError::Handler(_)) => assert!(was_left, "{what}"),
                }
                if !flaky.has_failed() {
                    assert!(nth >= 4 && told.is_ok(), "{what}");
                    break;
                }
                nth += 1;
            }
        }
    }
    Ok(())
}

#[test]
fn what_is_no_transfer_is_refused_before_the_database_is_asked() -> Result<(), SqlError> {
    let accounts = Accounts::new(SqliteDb::in_memory()?);
    for amount in [0, -1, i64::MIN] {
        assert_eq!(accounts.transfer(1, 2, amount), Err(TransferError::Amount(amount)));
    }
    assert_eq!(accounts.transfer(1, 1, 1), Err(TransferError::SameAccount(1)));
    let told = accounts.transfer(1, 2, 1);
    assert!(matches!(told, Err(TransferError::Handler(HandlerError::Schema(_)))), "{told:?}");
    Ok(())
}
