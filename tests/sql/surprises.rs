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
    for second in [Statement::from(insert(1, 1)), insert(1, 1).on_conflict(OnConflict::DoNothing).into()] {
        super::story::each(&accounts(&[(1, 2), (2, 9)]), |world, place| {
            let asked = [
                (0, begin(Serializable)),
                (1, begin(Serializable)),
                (0, read(1)),
                (1, super::story::all()),
                (1, Statement::from(Delete::new(&ACCOUNT).filter("id", 1))),
                (1, COMMIT),
                (0, second.clone()),
                (0, super::story::all()),
                (0, COMMIT),
            ];
            println!("--- {place}");
            for (who, statement) in asked {
                println!("{who}: {statement} -- {}", super::drive::told(&world.execute(who, &statement)));
            }
        });
    }
}
