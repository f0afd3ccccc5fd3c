//! Every refusal is reported in three ways, whether the client or the server decides it: to the
//! caller, as an event, and in the outbox, where it can be retried.

use tidings_client_core::{Command, Credential, Event, MarkTargets, Status, User};
use tidings_protocol::Json;

use crate::{
    disk::{Disk, born, settle},
    harness::{READ, Rig},
    marks::refused,
    room::{ROOM, ack, channel},
};

fn told(rig: &Rig, intent: u64) -> bool {
    let failed =
        |command: &Command| matches!(command, Command::Failed(failed) if failed.id == intent);
    rig.commands.iter().any(failed)
}

/// Whether a refusal was reported in all ways.
fn is_refused(rig: &Rig, intent: u64, code: &str) -> bool {
    let kept = rig
        .client
        .outbox()
        .failed
        .iter()
        .any(|failed| failed.id == intent && failed.error.code == code);
    refused(rig, intent, code) && told(rig, intent) && kept
}

#[test]
fn a_message_that_is_too_long_stays_in_its_room_and_can_be_thrown_away() {
    let mut rig = Rig::in_room();
    rig.publish(1, &"a".repeat(20_000));
    assert!(is_refused(&rig, 1, "too_large"));
    let room = rig.room();
    let message = room.messages.last().unwrap();
    assert_eq!(message.failed.as_ref().unwrap().code, "too_large");
    assert!(message.data.as_str().len() > 20_000, "its text is not gone");
    rig.event(Event::FailedDiscarded { id: 1 });
    assert!(rig.room().messages.is_empty() && rig.client.outbox().failed.is_empty());
}

#[test]
fn without_a_user_nothing_is_taken_and_that_is_said() {
    let mut rig = Rig::new();
    rig.event(Event::UserChanged(User::Nobody));
    rig.publish(1, "a");
    rig.event(Event::MarkRequested { intent: 2, targets: MarkTargets::All, set: READ });
    rig.mark(3, &["a"], READ);
    for intent in 1..=3 {
        assert!(is_refused(&rig, intent, "signed_out"), "{intent}");
    }
}

#[test]
fn an_outbox_that_is_full_loses_no_text_and_takes_it_later() {
    let mut rig = Rig::with(|config| config.outbox_max = 1);
    rig.go_live(&["a"]);
    rig.publish(1, "first");
    rig.publish(2, "second");
    assert!(is_refused(&rig, 2, "outbox_full"));
    rig.receive(&ack("lane-1", 1, 1));
    rig.take();
    rig.event(Event::FailedRetried { id: 2, intent: 3 });
    assert_eq!(rig.published(), [("lane-1".into(), 2)], "without a hole in the lane");
    assert!(rig.client.outbox().failed.is_empty());
}

#[test]
fn a_retry_that_fails_again_says_so_again() {
    let mut rig = Rig::live_with(&["a"]);
    rig.publish(1, &"a".repeat(20_000));
    rig.event(Event::FailedRetried { id: 1, intent: 2 });
    assert!(is_refused(&rig, 2, "too_large"));
    assert_eq!(rig.client.outbox().failed.len(), 1);
    rig.mark(3, &["nobody"], READ);
    assert!(is_refused(&rig, 3, "not_found"));
    rig.event(Event::FailedRetried { id: 3, intent: 4 });
    assert!(is_refused(&rig, 4, "not_found"));
}

#[test]
fn a_refusal_of_the_client_is_remembered_over_restarts_and_never_sent() {
    let mut disk = Disk::default();
    let mut rig = born("one", &mut disk);
    rig.publish(1, &"a".repeat(20_000));
    rig.publish(2, "fine");
    settle(&mut rig, &mut disk);
    drop(rig);
    disk.died();
    let mut rig = born("two", &mut disk);
    assert_eq!(rig.client.outbox().failed.len(), 1);
    let failed = rig.client.outbox().failed[0].clone();
    assert_eq!(failed.error.code, "too_large");
    assert_eq!(rig.published(), [("one-1".into(), 1)], "only what was taken, densely");
    rig.event(Event::FailedDiscarded { id: failed.id });
    settle(&mut rig, &mut disk);
    assert!(disk.rows.values().all(|row| !row.contains("too_large")), "{:?}", disk.rows);
}

#[test]
fn the_same_user_again_after_signed_out_starts_again() {
    let mut rig = Rig::new();
    rig.event(Event::UserChanged(User::Named("u1".into())));
    rig.event(Event::ConnectRequested);
    rig.ticket(Ok(Credential::SignedOut));
    assert_eq!(rig.client.connection().status, Status::SignedOut);
    rig.event(Event::UserChanged(User::Named("u1".into())));
    assert_eq!(rig.fetches, 2);
    rig.greet();
    assert_eq!(rig.client.connection().status, Status::Connected);
    rig.event(Event::UserChanged(User::Named("u1".into())));
    assert_eq!(rig.fetches, 2, "of who is connected nothing is asked anew");
}

#[test]
fn a_ticket_function_that_says_nobody_takes_the_user_from_screen_and_storage() {
    for keep in [false, true] {
        let mut rig = Rig::with(|config| {
            config.storage = true;
            config.keep_signed_out = keep;
        });
        rig.go_live_with_storage(&["a"]);
        rig.mark(1, &["a"], READ);
        rig.closed(4001);
        rig.wait_for_attempt();
        rig.take();
        rig.ticket(Ok(Credential::SignedOut));
        assert_eq!(rig.client.connection().status, Status::SignedOut);
        assert_eq!(rig.all().items.is_empty(), !keep);
        assert_eq!(rig.client.connection().user.is_none(), !keep);
        assert_eq!(rig.client.outbox().pending, u32::from(keep));
        assert_eq!(refused(&rig, 1, "signed_out"), !keep);
        let wipe = Command::Wipe { user: "u1".into(), all: false };
        assert_eq!(rig.commands.contains(&wipe), !keep);
        let reports =
            |one: &Command| matches!(one, Command::Report(error) if error.code == "signed_out");
        assert_eq!(rig.commands.iter().any(reports), !keep, "what is thrown away is said");
        rig.take();
        rig.event(Event::ConnectRequested);
        rig.greet();
        assert_eq!(rig.client.connection().status, Status::Connected);
        assert_eq!(rig.client.connection().user.as_deref(), Some("u1"));
    }
}

#[test]
fn signing_out_with_the_server_away_says_what_it_waits_for_and_tries_at_once() {
    let mut rig = Rig::live_with(&["a"]);
    rig.cut();
    rig.mark(1, &["a"], READ);
    rig.take();
    rig.event(Event::SignOutRequested { discard: false });
    let said = rig.commands.iter().find_map(|command| match command {
        Command::Report(error) => Some(error.message.clone()),
        _ => None,
    });
    assert!(said.unwrap().contains("5 s"));
    assert!(rig.fetching.is_some(), "no time is wasted");
}

#[test]
fn what_no_page_could_carry_to_its_readers_is_refused_at_once() {
    let deep = |levels: usize| Json::parse(&["[".repeat(levels), "]".repeat(levels)].concat());
    let mut rig = Rig::in_room();
    for (intent, levels) in [(1, 28), (2, 29)] {
        let data = deep(levels).unwrap();
        rig.event(Event::PublishRequested { intent, channel: channel(ROOM), data });
    }
    assert!(!refused(&rig, 1, "invalid_argument"));
    assert!(is_refused(&rig, 2, "invalid_argument"));
}
