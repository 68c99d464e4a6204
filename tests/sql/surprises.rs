//! Answers of PostgreSQL that surprise, each as a short story that the simulation and the server have
//! to tell alike.

use toctou::db::Isolation::{ReadCommitted, RepeatableRead, Serializable};
use toctou::db::{
    Comparison, Delete, Insert, OnConflict, Returning, Select, Statement, Update, row,
};

use super::generate::ACCOUNT;
use super::story::{accounts, add, assert_story, begin, read, set};

const COMMIT: Statement = Statement::Commit;
const ROLLBACK: Statement = Statement::Rollback;

fn insert(id: i64, balance: i64) -> Insert {
    Insert::new(&ACCOUNT, row([id.into(), balance.into()]))
}


#[test]
fn probe() {
    let do_nothing = || Statement::from(insert(1, 1).on_conflict(OnConflict::DoNothing));
    for level in [RepeatableRead, Serializable] {
        for second in [Statement::from(insert(1, 1)), do_nothing(), set(2, 5), Select::exists(&ACCOUNT).filter("id", 2).into()] {
            for t1 in [Statement::from(Delete::new(&ACCOUNT).filter("id", 1)), set(2, 7)] {
            super::story::each(&accounts(&[(1, 2), (2, 9)]), |world, place| {
                let asked = [
                    (0, begin(level)),
                    (1, begin(level)),
                    (0, do_nothing()),
                    (1, super::story::all()),
                    (1, t1.clone()),
                    (1, COMMIT),
                    (0, second.clone()),
                    (0, COMMIT),
                ];
                println!("--- {place}");
                for (who, statement) in asked {
                    println!("{who}: {statement} -- {}", super::drive::told(&world.execute(who, &statement)));
                }
            });
            }
        }
    }
}
