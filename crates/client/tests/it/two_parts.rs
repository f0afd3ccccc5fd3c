//! A client whose code loads in two parts: what the first part does alone, and the events that
//! wait.

use tidings_client_core::{Command, Event, Status, User};

use crate::{
    harness::{READ, Rig},
    says,
};

/// A client without its deferred part; its commands show whether it asked for that.
fn first_part() -> Rig {
    let mut rig = Rig::with(|config| config.whole = false);
    rig.deferred_at_once = false;
    rig
}

fn asked(rig: &Rig) -> usize {
    rig.commands.iter().filter(|command| **command == Command::LoadDeferred).count()
}

fn live(rig: &mut Rig, items: &[&str]) {
    rig.event(Event::UserChanged(User::Named("u1".into())));
    rig.event(Event::ConnectRequested);
    rig.greet();
    let top = items.len() as u64;
    rig.receive(
        &[
            says::subscribed("inbox:u1", "inboxone", top, top, false),
            says::subscribed("system:all", "system01", 0, 0, false),
            says::snapshot(items),
        ]
        .join("\n"),
    );
}

#[test]
fn the_startup_part_alone_shows_the_first_inbox() {
    let mut rig = first_part();
    live(&mut rig, &["a", "b"]);
    assert_eq!(rig.client.connection().status, Status::Connected);
    assert_eq!(rig.ids(), ["b", "a"]);
    assert!(rig.client.deferred().is_none());
    assert_eq!(asked(&rig), 1, "as soon as the inbox is there");
    rig.advance(25_000);
    rig.event(Event::DeferredLoaded);
    let is_ping =
        |command: &&Command| matches!(command, Command::Send { text, .. } if text.contains("ping"));
    assert_eq!(rig.commands.iter().filter(is_ping).count(), 1);
}

#[test]
fn the_startup_part_shows_what_was_stored() {
    let mut rig = Rig::with(|config| {
        config.whole = false;
        config.storage = true;
    });
    rig.deferred_at_once = false;
    rig.event(Event::UserChanged(User::Named("u1".into())));
    rig.event(Event::StorageLoaded {
        user: "u1".into(),
        saved: Some(format!("1{}", says::snapshot(&["x"]))),
    });
    assert_eq!(rig.ids(), ["x"]);
    assert_eq!(asked(&rig), 0);
}

#[test]
fn what_waits_for_deferred_code_happens_in_order_once_it_is_loaded() {
    let mut rig = first_part();
    live(&mut rig, &["a"]);
    rig.receive(&says::notification(2, "n2", 2));
    rig.receive(&says::notification(3, "n3", 3));
    rig.mark(7, &["n2"], READ);
    assert_eq!(asked(&rig), 1, "asked for once");
    assert_eq!(rig.ids(), ["a"]);

    rig.event(Event::DeferredLoaded);
    assert_eq!(rig.ids(), ["n3", "n2", "a"]);
    assert_eq!(rig.arrived(), ["n2", "n3"]);
    assert!(rig.item("n2").read, "the mark knows what came before it");
    assert!(rig.client.deferred().is_some());
}

#[test]
fn of_a_frame_only_what_the_startup_part_does_not_know_waits() {
    let mut rig = first_part();
    rig.event(Event::UserChanged(User::Named("u1".into())));
    rig.event(Event::ConnectRequested);
    rig.open();
    rig.receive(
        &[
            says::connected("u1"),
            says::subscribed("inbox:u1", "inboxone", 1, 0, false),
            says::subscribed("system:all", "system01", 0, 0, false),
            says::snapshot(&[]),
            says::notification(1, "n1", 1),
            says::notification(2, "n2", 2),
        ]
        .join("\n"),
    );
    assert_eq!(rig.client.connection().status, Status::Connected);
    assert!(rig.ids().is_empty());
    rig.event(Event::DeferredLoaded);
    assert_eq!(rig.ids(), ["n2", "n1"]);
}

#[test]
fn frames_beyond_the_bound_are_dropped_and_asked_for_again() {
    let mut rig = first_part();
    live(&mut rig, &[]);
    for offset in 1..=1_100 {
        rig.receive(&says::notification(offset, &format!("n{offset}"), offset));
    }
    rig.event(Event::DeferredLoaded);
    assert_eq!(rig.arrived().len(), 1_000);
    rig.take();
    rig.receive(&says::pong(r#""inbox:u1":1100"#));
    let again = rig.commands.iter().any(|command| matches!(command, Command::Send { text, .. } if text.contains(r#""subscribe""#) && text.contains("1000")));
    assert!(again, "resumes from the last one: {:?}", rig.commands);
}

#[test]
fn a_user_who_changes_before_deferred_code_is_loaded_sees_nothing_of_the_other() {
    let mut rig = first_part();
    live(&mut rig, &["a"]);
    rig.mark(1, &["a"], READ);
    rig.event(Event::UserChanged(User::Named("u2".into())));
    rig.event(Event::DeferredLoaded);
    assert!(rig.ids().is_empty());
    assert_eq!(rig.client.connection().user.as_deref(), Some("u2"));
}
