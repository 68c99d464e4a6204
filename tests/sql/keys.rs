//! A table with several unique indexes, one of several columns and one of some rows only. Random statements put
//! keys in, change them and give them away. They are played in both worlds as the others are.

use proptest::prelude::*;
use toctou::db::Isolation::ReadCommitted;
use toctou::db::{Column, Row, SimDb, Statement, Table, Value, row};

use super::generate::{Choices, Levels, Program};
use super::story::{assert_story, begin, stage};
use super::text;

/// What the definition below says, as far as a [`Table`] can.
pub(crate) static SEAT: Table = Table {
    name: "seat",
    columns: &[
        Column::int("id"),
        Column::int("room"),
        Column::int("place").nullable(),
        Column::text("guest").nullable(),
        Column::bool("free"),
    ],
    unique: Some("id"),
};

/// Two keys, and one of the rows that are free.
pub(crate) const SETUP: [&str; 2] = [
    "CREATE TABLE seat (id BIGINT, room BIGINT NOT NULL, place BIGINT, guest TEXT, \
     free BOOLEAN NOT NULL DEFAULT true, UNIQUE (room, place), PRIMARY KEY (id))",
    "CREATE UNIQUE INDEX seat_of_guest ON seat (guest) WHERE free",
];

/// Programs of two or three sessions about seats.
pub(crate) fn program(levels: Levels) -> impl Strategy<Value = Program> {
    text::program_of(levels, rows, |choices, _| statement(choices))
}

fn rows(choices: &mut Choices<'_>) -> Vec<(&'static Table, Vec<Row>)> {
    let count = choices.weighed(&[(1, 0), (2, 1), (4, 2), (2, 3)]);
    let mut seats: Vec<Row> = Vec::new();
    for id in 1..=count {
        let place = choices.of(&[Value::from(1), 2.into(), Value::Null]);
        let guest = choices.of(&[Value::Null, "x".into(), "y".into()]);
        let free = choices.chance(60);
        let (room, free) = (Value::from(choices.of(&[1, 2])), Value::from(free));
        let new = row([id.into(), room, place, guest, free]);
        let same = |other: &Row| {
            let has = |column: usize| new[column] != Value::Null && new[column] == other[column];
            (has(1) && has(2)) || (has(3) && new[4] == other[4])
        };
        if !seats.iter().any(same) {
            seats.push(new);
        }
    }
    vec![(&SEAT, seats)]
}

fn statement(choices: &mut Choices<'_>) -> String {
    match choices.below(20) {
        0..=1 => {
            format!("SELECT * FROM seat{} ORDER BY id, room, place, guest, free", filter(choices))
        }
        2 => format!("SELECT id FROM seat{} ORDER BY id FOR UPDATE", filter(choices)),
        3..=10 => insert(choices),
        11..=17 => update(choices),
        _ => format!("DELETE FROM seat{}", filter(choices)),
    }
}

fn filter(choices: &mut Choices<'_>) -> String {
    let condition = choices.weighed(&[
        (4, "id = 1"),
        (4, "id = 2"),
        (1, "id = 3"),
        (2, "guest = 'x'"),
        (2, "room = 1"),
        (1, "place = 2"),
        (1, "free"),
        (1, "room = 1 AND place = 1"),
        (1, ""),
    ]);
    if condition.is_empty() { String::new() } else { format!(" WHERE {condition}") }
}

fn insert(choices: &mut Choices<'_>) -> String {
    let mut rows = Vec::new();
    for _ in 0..choices.weighed(&[(5, 1), (1, 2)]) {
        let id = choices.weighed(&[(4, "1"), (4, "2"), (3, "3"), (1, "4")]);
        let room = choices.of(&["1", "2"]);
        let place = choices.weighed(&[(3, "1"), (3, "2"), (1, "NULL")]);
        let guest = choices.of(&["'x'", "'y'", "NULL"]);
        let free = choices.of(&["true", "true", "false", "DEFAULT"]);
        rows.push(format!("({id}, {room}, {place}, {guest}, {free})"));
    }
    let conflict = choices.weighed(&[
        (6, ""),
        (2, " ON CONFLICT DO NOTHING"),
        (2, " ON CONFLICT (id) DO NOTHING"),
        (2, " ON CONFLICT (place, room) DO NOTHING"),
        (2, " ON CONFLICT (guest) WHERE free DO NOTHING"),
        (2, " ON CONFLICT (id) DO UPDATE SET place = EXCLUDED.place"),
        (2, " ON CONFLICT (room, place) DO UPDATE SET guest = 'x'"),
        (2, " ON CONFLICT (guest) WHERE free AND room = 1 DO UPDATE SET free = false"),
        (1, " ON CONFLICT ON CONSTRAINT seat_room_place_key DO UPDATE SET id = seat.id + 1"),
    ]);
    let returning = choices.of(&["", "", " RETURNING id, place, (xmax = 0)"]);
    format!(
        "INSERT INTO seat (id, room, place, guest, free) VALUES {}{conflict}{returning}",
        rows.join(", ")
    )
}

fn update(choices: &mut Choices<'_>) -> String {
    let set = choices.weighed(&[
        (3, "id = id + 1"),
        (2, "id = 1"),
        (2, "id = 3 - id"),
        (2, "place = 1"),
        (2, "place = place % 2 + 1"),
        (2, "room = 3 - room"),
        (2, "guest = 'x'"),
        (1, "guest = NULL"),
        (2, "free = NOT free"),
        (2, "free = true, guest = 'y'"),
        (1, "place = NULL"),
    ]);
    let filter = filter(choices);
    let returning = choices.of(&["", "", " RETURNING id, room, place"]);
    format!("UPDATE seat SET {set}{filter}{returning}")
}

/// A definition that says something else than the server's.
pub(crate) const MISDEFINED: [(&str, &str); 5] = [
    (", UNIQUE (room, place)", ""),
    ("UNIQUE (room, place)", "UNIQUE (room)"),
    (" WHERE free", ""),
    (" WHERE free", " WHERE NOT free"),
    (", PRIMARY KEY (id)", ""),
];

/// Words that are taken for others.
pub(crate) const MISREADINGS: [(&str, &str); 5] = [
    ("ON CONFLICT (id)", "ON CONFLICT (room, place)"),
    ("ON CONFLICT (guest) WHERE free DO NOTHING", "ON CONFLICT DO NOTHING"),
    ("ON CONFLICT DO NOTHING", "ON CONFLICT (id) DO NOTHING"),
    ("id = id + 1", "id = id"),
    ("free = NOT free", "free = free"),
];

/// A simulated database that was made by another definition, if that allows the rows.
pub(crate) fn misdefined(words: (&str, &str), program: &Program) -> Option<SimDb> {
    let setup = SETUP.join(";").replace(words.0, words.1);
    let empty = SimDb::new().with_setup(&setup).expect("its text");
    text::filled(empty, &program.rows).ok()
}

/// Whether a statement is one of the kind that this file writes.
pub(crate) fn kind_of(text: &str) -> Option<&'static str> {
    let has = |words: &str| text.contains(words);
    let first = text.split(' ').next()?;
    if !has(" seat") {
        return None;
    }
    Some(match first {
        "INSERT" if has("(place, room) DO NOTHING") => "keys: do nothing by two columns",
        "INSERT" if has("WHERE free DO NOTHING") => "keys: do nothing by some rows",
        "INSERT" if has("(id) DO NOTHING") => "keys: do nothing by one of several",
        "INSERT" if has("DO NOTHING") => "keys: do nothing by any",
        "INSERT" if has("SET id") => "keys: do update of a key, by a constraint",
        "INSERT" if has("(id) DO UPDATE") => "keys: do update of a key, by another",
        "INSERT" if has("DO UPDATE SET guest") => "keys: do update by two columns",
        "INSERT" if has("DO UPDATE SET free") => "keys: do update by some rows",
        "INSERT" => "keys: insert",
        "UPDATE" if has("SET id") => "keys: update of one column",
        "UPDATE" if has("SET guest") || has("SET free") => "keys: update of some rows",
        "UPDATE" => "keys: update of two columns",
        "DELETE" => "keys: delete",
        _ => "keys: select",
    })
}

/// What a run has to have seen of them.
pub(crate) const INTERESTING: [(&str, &str); 18] = [
    ("keys: insert", "23505"),
    ("keys: insert", "queued"),
    ("keys: insert", "40P01"),
    ("keys: do nothing by two columns", "count 0"),
    ("keys: do nothing by two columns", "23505"),
    ("keys: do nothing by some rows", "count 0"),
    ("keys: do nothing by some rows", "queued"),
    ("keys: do nothing by one of several", "23505"),
    ("keys: do nothing by any", "count 0"),
    ("keys: do update of a key, by a constraint", "count 1"),
    ("keys: do update of a key, by another", "23505"),
    ("keys: do update by two columns", "23505"),
    ("keys: do update by some rows", "count 1"),
    ("keys: update of one column", "23505"),
    ("keys: update of one column", "queued"),
    ("keys: update of two columns", "23505"),
    ("keys: update of some rows", "queued"),
    ("keys: update of some rows", "23505"),
];

fn insert_of(values: &str, conflict: &str) -> Statement {
    let columns = "id, room, place, guest, free";
    let text = format!("INSERT INTO seat ({columns}) VALUES ({values}) {conflict}");
    Statement::sql(text.trim_end(), [])
}

/// No seat, or one: number 1, place 1 in room 1.
fn seats(count: i64) -> Program {
    let seat = |id: i64| row([id.into(), 1.into(), id.into(), Value::Null, true.into()]);
    stage(&SEAT, (1..=count).map(seat).collect())
}

/// It waits for the second key, and is in the first index: others wait for it there.
#[test]
fn a_row_that_waits_for_one_key_holds_those_before_it() {
    let waits = || insert_of("2, 1, 1, NULL, true", "");
    let behind = || insert_of("2, 2, 2, NULL, true", "");
    for (end, first, second) in
        [(Statement::Rollback, "1 row", "23505"), (Statement::Commit, "23505", "1 row")]
    {
        assert_story(
            &seats(0),
            &[
                (1, begin(ReadCommitted), "ok"),
                (1, insert_of("1, 1, 1, NULL, true", ""), "1 row"),
                (0, waits(), "queued"),
                (2, behind(), "queued"),
                (1, end.clone(), if end == Statement::Commit { "ok" } else { "rolled back" }),
                (2, behind(), "waiting"),
                (0, waits(), first),
                (2, behind(), second),
            ],
        );
    }
}

/// Found by the random programs. `ON CONFLICT` looks at its keys once; what gets there while the statement
/// waits for another key is not looked for before that key is.
#[test]
fn who_waits_for_another_key_does_not_look_again_for_a_conflict_before() {
    let idle = || insert_of("2, 2, 2, 'x', true", "ON CONFLICT (place, room) DO NOTHING");
    assert_story(
        &seats(0),
        &[
            (2, begin(ReadCommitted), "ok"),
            (2, insert_of("2, 1, 1, NULL, true", ""), "1 row"),
            (0, idle(), "queued"),
            (2, Statement::Rollback, "rolled back"),
            (1, idle(), "1 row"),
            (0, idle(), "23505"),
        ],
    );
}

/// While it waits for an index that `ON CONFLICT` is not about, another row gets into the one that it is about:
/// the row is taken back, and the statement begins anew.
#[test]
fn a_row_is_taken_back_if_a_conflict_comes_while_it_waits() {
    let idle = || insert_of("2, 1, 1, 'x', true", "ON CONFLICT (guest) WHERE free DO NOTHING");
    assert_story(
        &seats(0),
        &[
            (1, begin(ReadCommitted), "ok"),
            (1, insert_of("1, 1, 1, NULL, true", ""), "1 row"),
            // It is in the first index by then, and waits for the second.
            (0, idle(), "queued"),
            (2, insert_of("3, 2, 2, 'x', true", ""), "1 row"),
            (1, Statement::Rollback, "rolled back"),
            (0, idle(), "0 rows"),
            (2, insert_of("2, 1, 1, NULL, true", ""), "1 row"),
        ],
    );
}

/// A key that a transaction had for a while is nobody else's before its end.
#[test]
fn a_key_that_was_given_away_again_is_waited_for() {
    let update = |id: &str| Statement::sql(&format!("UPDATE seat SET id = {id}"), []);
    let insert = || insert_of("2, 2, 2, NULL, true", "");
    assert_story(
        &seats(1),
        &[
            (0, begin(ReadCommitted), "ok"),
            (0, update("2"), "1 row"),
            (0, update("3"), "1 row"),
            (1, insert(), "queued"),
            (0, Statement::Commit, "ok"),
            (1, insert(), "1 row"),
            (2, insert_of("1, 2, 1, NULL, true", ""), "1 row"),
            (2, insert_of("3, 2, 3, NULL, true", ""), "23505"),
        ],
    );
}
