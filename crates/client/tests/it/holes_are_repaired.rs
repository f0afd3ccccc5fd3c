use tidings_client_core::{Command, Status};
use tidings_protocol::{
    ClientMessage,
    client::{Since, Subscribe},
};

use crate::{harness::Rig, says};

fn subscribes(rig: &mut Rig) -> Vec<Subscribe> {
    rig.sent()
        .into_iter()
        .filter_map(|message| match message {
            ClientMessage::Subscribe(subscribe) => Some(subscribe),
            _ => None,
        })
        .collect()
}

fn since(subscribe: &Subscribe) -> u64 {
    match subscribe.since {
        Some(Since::Cursor(cursor)) => cursor.offset,
        _ => panic!("{subscribe:?} has no cursor"),
    }
}

#[test]
fn a_copy_is_dropped_and_counted() {
    let mut rig = Rig::live();
    rig.receive(&says::notification(1, "a", 1));
    rig.receive(&says::notification(1, "a", 1));
    assert_eq!(rig.ids(), ["a"]);
    assert_eq!(rig.arrived(), ["a"]);
    assert_eq!(rig.client.duplicates(), 1);
}

#[test]
fn a_hole_is_asked_for_once_and_filled() {
    let mut rig = Rig::live();
    rig.receive(&says::notification(1, "a", 1));
    rig.take();
    rig.receive(&says::notification(3, "c", 3));
    rig.receive(&says::notification(4, "d", 4));
    assert_eq!(rig.ids(), ["a"], "nothing is shown beyond the hole");
    let asked = subscribes(&mut rig);
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].channel.as_str(), since(&asked[0])), ("inbox:u1", 1));

    rig.receive(&says::subscribed("inbox:u1", "inboxone", 4, 1, true));
    for (offset, id) in [(2, "b"), (3, "c"), (4, "d")] {
        rig.receive(&says::notification(offset, id, offset));
    }
    assert_eq!(rig.ids(), ["d", "c", "b", "a"]);
    assert_eq!(rig.arrived(), ["b", "c", "d"]);
}

#[test]
fn a_lost_last_record_is_found_by_the_next_pong() {
    let mut rig = Rig::live();
    rig.receive(&says::notification(1, "a", 1));
    rig.take();
    rig.receive(&says::pong(r#""inbox:u1":2"#));
    let asked = subscribes(&mut rig);
    assert_eq!(asked.len(), 1);
    assert_eq!(since(&asked[0]), 1);
}

#[test]
fn a_pong_that_says_nothing_new_asks_for_nothing() {
    let mut rig = Rig::live();
    rig.receive(&says::notification(1, "a", 1));
    rig.take();
    rig.receive(&says::pong(r#""inbox:u1":1,"system:all":0,"room:x":7"#));
    assert!(subscribes(&mut rig).is_empty());
}

#[test]
fn a_server_that_never_fills_the_hole_is_left_not_asked_for_ever() {
    let mut rig = Rig::live();
    for _ in 0..10 {
        if rig.transport.is_none() {
            break;
        }
        rig.receive(&says::notification(5, "e", 5));
        if rig.transport.is_some() {
            rig.receive(&says::subscribed("inbox:u1", "inboxone", 5, 0, true));
        }
    }
    assert_eq!(rig.client.connection().status, Status::Waiting);
    assert!(subscribes(&mut rig).len() <= 3);
}

#[test]
fn a_subscription_without_an_answer_is_a_dead_connection() {
    let mut rig = Rig::live();
    rig.receive(&says::notification(2, "b", 2));
    rig.advance(9_999);
    assert_eq!(rig.client.connection().status, Status::Connected);
    rig.advance(1);
    assert_eq!(rig.client.connection().status, Status::Waiting);
}

#[test]
fn records_that_stay_away_are_asked_for_again() {
    let mut rig = Rig::live();
    rig.cut();
    rig.reopen();
    rig.receive(&says::connected("u1"));
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 2, 0, true));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, true));
    rig.receive(&says::notification(1, "a", 1));
    rig.take();
    rig.advance(10_000);
    let asked = subscribes(&mut rig);
    assert_eq!(asked.len(), 1);
    assert_eq!(since(&asked[0]), 1);
}

#[test]
fn a_skip_passes_offsets_without_a_hole() {
    let mut rig = Rig::live();
    rig.receive(r#"{"type":"skip","channel":"inbox:u1","from":1,"to":3}"#);
    rig.receive(&says::notification(4, "d", 1));
    assert_eq!(rig.ids(), ["d"]);
    assert!(subscribes(&mut rig).is_empty());
}

#[test]
fn garbage_is_reported_within_bounds_and_changes_nothing() {
    let mut rig = Rig::live_with(&["a"]);
    rig.take();
    for text in ["", "{", "[]", "null", "{\"type\":7}", "{\"type\":\"notification\"}", "\u{0}"]
        .into_iter()
        .cycle()
        .take(100)
    {
        rig.receive(text);
    }
    rig.receive(r#"{"type":"from_the_future","x":1}"#);
    assert_eq!(rig.ids(), ["a"]);
    let reports = rig.take().iter().filter(|command| matches!(command, Command::Report(_))).count();
    assert!((1..=5).contains(&reports), "{reports}");
    rig.receive(&says::notification(2, "b", 2));
    assert_eq!(rig.ids(), ["b", "a"]);
}

#[test]
fn records_before_the_epoch_is_known_are_not_folded() {
    let mut rig = Rig::live_with(&["a"]);
    rig.cut();
    rig.reopen();
    rig.receive(&says::connected("u1"));
    // The inbox's `subscribed`, which named another epoch, was lost.
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, true));
    rig.receive(&says::notification(2, "of another log", 1));
    assert_eq!(rig.ids(), ["a"]);
}

#[test]
fn a_snapshot_read_before_the_last_records_is_asked_for_again() {
    let mut rig = Rig::live_with(&["a"]);
    // A hole in `system:all` can't be filled, so a snapshot of both logs follows; the inbox goes on
    // meanwhile.
    rig.receive(&says::broadcast(2, "s2"));
    rig.receive(&says::subscribed("system:all", "system01", 2, 2, false));
    rig.receive(&says::notification(2, "b", 2));
    rig.take();
    let counts = says::counts((1, 1), (2, 2, 2));
    let items = [says::item("inbox:u1", 1, "a", false)];
    let old = says::snapshot_of("inboxone", 1, ("system01", 2), &counts, (false, true), &items);
    rig.receive(&old);
    assert_eq!(rig.ids(), ["b", "a"], "b would have to arrive twice");
    let asked = subscribes(&mut rig);
    assert_eq!((asked.len(), asked[0].since), (1, None));
}
