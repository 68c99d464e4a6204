//! A failing database never makes for a wrong answer.

use toctou::db::{SqlError, SqlState, SqliteDb, row};
use toctou::handlers::{Ended, HandlerError, ORDERS, Orders};

use super::flaky::{Fault, Flaky};

const FAULTS: &[Fault] = &[
    Fault::Fails(SqlState::DISK_FULL),
    Fault::Fails(SqlState::LOCK_NOT_AVAILABLE),
    Fault::Fails(SqlState::SERIALIZATION_FAILURE),
    Fault::BreaksBefore,
    Fault::BreaksAfter,
];

/// An order of this status, cancelled by the handler while the nth statement fails: its answer, what
/// is left, and whether there was an nth.
fn cancelled(
    status: &str,
    nth: usize,
    fault: Fault,
) -> Result<(Result<Ended, HandlerError>, String, bool), SqlError> {
    let db = SqliteDb::in_memory()?;
    db.create(&[&ORDERS])?;
    db.fill(&ORDERS, [row([1.into(), status.into()])])?;
    let flaky = Flaky::new(db.clone(), nth, fault);
    let told = Orders::new(flaky.clone()).cancel(1);
    let rows = db.rows(&ORDERS)?;
    let left = rows.first().and_then(|row| row[1].text()).unwrap_or_default().to_owned();
    Ok((told, left, flaky.has_failed()))
}

#[test]
fn whichever_statement_fails_the_answer_is_true() -> Result<(), SqlError> {
    for (status, statements) in [("pending", 1), ("shipped", 2)] {
        for fault in FAULTS {
            for nth in 0..statements {
                let (told, left, failed) = cancelled(status, nth, *fault)?;
                let what = format!("{status} {nth} {fault:?}: {told:?}, {left}");
                assert!(failed, "{what}");
                match told {
                    Ok(Ended::ByThis) => assert_eq!((status, &*left), ("pending", "cancelled")),
                    Ok(Ended::NotPending(said)) => assert_eq!((&*said, &*left), (status, status)),
                    Ok(Ended::NoSuchOrder) => panic!("{what}"),
                    Err(HandlerError::Unknown(_)) => {
                        assert!(
                            matches!(fault, Fault::BreaksBefore | Fault::BreaksAfter),
                            "{what}"
                        );
                    }
                    Err(_) => assert_eq!(left, status, "{what}"),
                }
            }
            let (told, _, failed) = cancelled(status, statements, *fault)?;
            assert!(told.is_ok() && !failed, "{told:?}: there are no more statements");
        }
    }
    Ok(())
}

#[test]
fn each_fault_is_told_as_what_it_is() -> Result<(), SqlError> {
    let told = |fault| cancelled("pending", 0, fault).map(|(told, left, _)| (told, left));
    let (full, left) = told(Fault::Fails(SqlState::DISK_FULL))?;
    assert!(matches!(full, Err(HandlerError::Refused(_))) && left == "pending", "{full:?}");
    let (locked, left) = told(Fault::Fails(SqlState::LOCK_NOT_AVAILABLE))?;
    assert!(matches!(locked, Err(HandlerError::Busy(_))) && left == "pending", "{locked:?}");
    let (retried, left) = told(Fault::Fails(SqlState::SERIALIZATION_FAILURE))?;
    assert!(retried == Ok(Ended::ByThis) && left == "cancelled", "{retried:?}");
    // The same answer for both, as nobody can know.
    let (before, left) = told(Fault::BreaksBefore)?;
    assert!(matches!(before, Err(HandlerError::Unknown(_))) && left == "pending", "{before:?}");
    let (after, left) = told(Fault::BreaksAfter)?;
    assert!(matches!(after, Err(HandlerError::Unknown(_))) && left == "cancelled", "{after:?}");
    Ok(())
}

#[test]
fn a_database_without_the_table_is_told_as_that() -> Result<(), SqlError> {
    let told = Orders::new(SqliteDb::in_memory()?).cancel(1);
    assert!(matches!(told, Err(HandlerError::Schema(_))), "{told:?}");
    Ok(())
}
