//! What is noted, and of whom.

use super::*;

fn event(actor: usize, act: Act) -> Event {
    Event { actor, act, label: String::new(), behind: 0, output: None }
}

fn atomic_event(actor: usize, access: Access) -> Event {
    event(actor, Act::Atomic(0, access, Ordering::Relaxed))
}

fn thread(number: u64) -> Thread {
    Thread(number)
}

fn load(value: u8) -> Act {
    Act::Atomic(0, Access::Load(value), Ordering::Relaxed)
}

#[test]
fn what_a_thread_does_before_its_actor_begins_and_after_it_has_ended_is_nobodys() {
    begin(2, Options::default());
    atomic(0);
    note(thread(7), load(0), || "before".to_owned());
    i_am(thread(7), 1);
    note(thread(7), load(0), || "its own".to_owned());
    ended(thread(7), "told".to_owned());
    note(thread(7), Act::Room(0, Done::Read), || "after".to_owned());
    ended(thread(7), "again".to_owned());
    let notes = end();
    let told: Vec<_> =
        notes.events.iter().map(|event| (event.actor, &*event.label, &event.output)).collect();
    assert_eq!(told, [(1, "its own", &Some("told".to_owned()))]);
    assert_eq!(notes.outputs, [None, Some("told".to_owned())]);
}

#[test]
fn an_actor_that_is_not_there_is_nobody() {
    begin(1, Options::default());
    atomic(0);
    i_am(thread(1), 5);
    about(thread(1));
    note(thread(1), load(0), || unreachable!("nobody tells"));
    ended(thread(1), "told".to_owned());
    let notes = end();
    assert!(notes.events.is_empty() && !notes.is_about_to_act(5));
    assert_eq!(notes.outputs, [None]);
}

#[test]
fn what_was_read_is_so_many_writes_old() {
    begin(1, Options::default());
    let number = atomic(0);
    i_am(thread(0), 0);
    let did = |access| {
        note(thread(0), Act::Atomic(number, access, Ordering::Relaxed), || "read".to_owned());
        so_far(|notes| notes.events.last().map(|event| (event.behind, event.label.clone())))
    };
    let (newest, stale) = ("read".to_owned(), "read (stale)".to_owned());
    assert_eq!(did(Access::Load(0)), Some((0, newest.clone())));
    assert_eq!(did(Access::Store(1)), Some((0, newest.clone())));
    assert_eq!(did(Access::Load(0)), Some((1, stale.clone())));
    assert_eq!(did(Access::Exchange(1, 2)), Some((0, newest.clone())));
    assert_eq!(did(Access::Load(0)), Some((2, stale.clone())));
    assert_eq!(did(Access::Refused(1)), Some((1, stale)));
    // Of the same value, written twice, it is the newer.
    assert_eq!(did(Access::Store(0)), Some((0, newest.clone())));
    assert_eq!(did(Access::Load(0)), Some((0, newest)));
    end();
}

#[test]
fn whoever_has_begun_an_operation_is_about_to_act_until_it_is_done() {
    begin(2, Options::default());
    atomic(0);
    i_am(thread(0), 0);
    let is_about = || so_far(|notes| (notes.is_about_to_act(0), notes.is_about_to_act(1)));
    assert_eq!(is_about(), (false, false));
    about(thread(0));
    assert_eq!(is_about(), (true, false));
    note(thread(0), Act::Room(0, Done::Written), || "write".to_owned());
    assert_eq!(is_about(), (true, false));
    note(thread(0), load(0), || "load".to_owned());
    assert_eq!(is_about(), (false, false));
    about(thread(0));
    note(thread(0), Act::Lock(1), || "lock".to_owned());
    assert_eq!(is_about(), (false, false));
    end();
}

#[test]
fn a_load_is_hidden_by_a_later_one_that_comes_before_the_write_another_way() {
    let hidden = |events: &[Event]| {
        let outputs = vec![None; 3];
        Notes { events: events.to_vec(), outputs, ..Notes::default() }.hidden_looks()
    };
    let loads = |actor| atomic_event(actor, Access::Load(0));
    let stores = |actor| atomic_event(actor, Access::Store(1));
    let at_another = |actor, access| event(actor, Act::Atomic(1, access, Ordering::Relaxed));
    // By the writer's own.
    assert_eq!(hidden(&[loads(0), loads(1), stores(1)]), [0]);
    // Not by one that is not later, nor by one that nothing puts before the write.
    assert_eq!(hidden(&[loads(1), loads(0), stores(1)]), [0; 0]);
    assert_eq!(hidden(&[loads(0), loads(1), stores(2)]), [0; 0]);
    assert_eq!(hidden(&[loads(0), loads(0), stores(0), stores(1)]), [0; 0]);
    // By another's, which the writer has seen by way of another atomic.
    let (says, sees) = (at_another(1, Access::Store(1)), at_another(2, Access::Load(1)));
    let passed_on = [loads(0), loads(1), says, sees, stores(2)];
    assert_eq!(hidden(&passed_on), [0]);
    // To loom an exchange writes, even one that fails.
    for access in [Access::Refused(0), Access::Exchange(0, 1)] {
        assert_eq!(hidden(&[loads(0), loads(1), atomic_event(1, access)]), [0]);
    }
}

#[test]
fn notes_are_cut_before_the_next_operation_with_what_was_done_until_then() {
    let ended = |event| Event { output: Some("told".to_owned()), ..event };
    let events = vec![
        atomic_event(0, Access::Store(1)),
        event(0, Act::Room(0, Done::Written)),
        ended(atomic_event(0, Access::Store(2))),
        event(0, Act::Room(0, Done::Read)),
        ended(event(1, Act::Lock(0))),
        event(1, Act::Unlock(0)),
    ];
    let outputs = vec![Some("told".to_owned()); 2];
    let whole = Notes { events, outputs, ..Notes::default() };
    let cut = |operations| {
        let cut = whole.cut_after(operations);
        (cut.events.len(), cut.outputs.iter().filter(|output| output.is_some()).count())
    };
    assert_eq!([0, 1, 2, 3, 4].map(cut), [(0, 0), (2, 0), (4, 1), (6, 2), (6, 2)]);
}

#[test]
fn drops_are_counted_by_token_and_only_in_the_execution_that_made_it() {
    begin(1, Options::default());
    let (first, second) = (Token::new(), Token::new());
    assert_eq!((first.number(), second.number()), (1, 2));
    drop(second);
    assert_eq!(so_far(|notes| notes.dropped.clone()), [0, 1]);
    // A second one of the same, as a broken protocol makes it.
    drop(Token(0));
    drop(first);
    let late = Token::new();
    assert_eq!(end().dropped, [2, 1, 0]);
    drop(late);
    begin(1, Options::default());
    assert_eq!(end().dropped, [0; 0]);
}

#[test]
fn what_is_not_to_be_told_is_not_kept() {
    begin(1, Options { told: false, ..Options::default() });
    atomic(0);
    i_am(thread(0), 0);
    about(thread(0));
    note(thread(0), load(0), || unreachable!("nobody asks"));
    ended(thread(0), "told".to_owned());
    let notes = end();
    assert!(notes.events.is_empty() && !notes.is_about_to_act(0));
    assert_eq!(notes.outputs, [Some("told".to_owned())]);
    begin(0, Options::default());
    end();
}
