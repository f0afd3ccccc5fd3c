use tidings_client_core::{Event, Status};

use crate::{harness::Rig, says};

fn fail_before_connected(rig: &mut Rig) -> u64 {
    let waited = rig.wait_for_attempt();
    rig.open();
    rig.cut();
    waited
}

#[test]
fn waits_grow_up_to_the_cap() {
    let mut rig = Rig::new();
    rig.event(Event::ConnectRequested);
    rig.open();
    rig.cut();
    for most in [500, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000] {
        assert!(fail_before_connected(&mut rig) <= most);
    }
    assert_eq!(rig.client.connection().attempt, 9);
}

#[test]
fn a_connection_that_never_catches_up_does_not_reset_the_wait() {
    let mut rig = Rig::live();
    rig.advance(2_000);
    for attempt in 1..8 {
        rig.cut();
        assert_eq!(rig.client.connection().attempt, attempt);
        rig.reopen();
        rig.receive(&says::connected("u1"));
        rig.receive(&says::subscribed("inbox:u1", "inboxone", 1, 0, true));
        rig.receive(&says::subscribed("system:all", "system01", 0, 0, true));
        // The record at offset 1, which breaks this server, never comes.
        rig.advance(2_000);
    }
}

#[test]
fn a_connection_that_breaks_right_after_catching_up_does_not_reset_the_wait() {
    let mut rig = Rig::live();
    for attempt in 1..5 {
        rig.cut();
        assert_eq!(rig.client.connection().attempt, attempt);
        rig.reopen();
        rig.receive(&says::connected("u1"));
        rig.receive(&says::subscribed("inbox:u1", "inboxone", 0, 0, true));
        rig.receive(&says::subscribed("system:all", "system01", 0, 0, true));
    }
}

#[test]
fn a_connection_that_caught_up_and_held_resets_the_wait() {
    let mut rig = Rig::live();
    rig.cut();
    rig.reopen();
    rig.receive(&says::connected("u1"));
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 1, 0, true));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, true));
    rig.receive(&says::notification(1, "a", 1));
    assert_eq!(rig.client.connection().attempt, 1);
    rig.advance(1_000);
    assert_eq!(rig.client.connection().attempt, 0);
}

#[test]
fn used_up_attempts_fail_and_connect_starts_again() {
    let mut rig = Rig::with(|config| config.backoff.max_attempts = Some(2));
    rig.event(Event::ConnectRequested);
    rig.open();
    rig.cut();
    rig.reopen();
    rig.cut();
    let connection = rig.client.connection().clone();
    assert_eq!(connection.status, Status::Failed);
    assert_eq!(connection.error.unwrap().code, "max_attempts");
    rig.event(Event::Woke);
    rig.event(Event::WentOnline);
    rig.advance(600_000);
    assert_eq!(rig.fetches, 2);
    rig.event(Event::ConnectRequested);
    assert_eq!(rig.client.connection().status, Status::Connecting);
}

#[test]
fn retry_after_wins_over_the_backoff_and_over_wakes() {
    let mut rig = Rig::new();
    rig.event(Event::ConnectRequested);
    rig.open();
    rig.receive(
        r#"{"type":"error","code":"connections","message":"full","retry":"backoff","retry_after_ms":60000}"#,
    );
    assert_eq!(rig.client.connection().status, Status::Waiting);
    rig.event(Event::Woke);
    rig.event(Event::WentOnline);
    let waited = rig.wait_for_attempt();
    assert!((60_000..=61_000).contains(&waited), "{waited}");
}

#[test]
fn the_app_can_ask_not_to_wait() {
    let mut rig = Rig::live();
    rig.cut();
    assert_eq!(rig.client.connection().status, Status::Waiting);
    assert!(rig.client.connection().retry_at.is_some());
    rig.event(Event::RetryRequested);
    assert_eq!(rig.client.connection().status, Status::Connecting);
    assert_eq!(rig.client.connection().retry_at, None);
}
