use tidings_client_core::{Event, Status};
use tidings_protocol::ClientMessage;

use crate::{harness::Rig, says};

fn pings(rig: &mut Rig) -> usize {
    rig.sent().iter().filter(|message| matches!(message, ClientMessage::Ping(_))).count()
}

#[test]
fn a_ping_goes_out_each_interval_whatever_the_traffic() {
    let mut rig = Rig::live();
    for offset in 1..=5 {
        rig.advance(5_000);
        rig.receive(&says::notification(offset, "n", offset));
    }
    assert_eq!(pings(&mut rig), 1);
    rig.receive(&says::pong(""));
    rig.advance(25_000);
    assert_eq!(pings(&mut rig), 1);
}

#[test]
fn silence_after_a_ping_ends_the_connection() {
    let mut rig = Rig::live();
    rig.advance(34_999);
    assert_eq!(rig.client.connection().status, Status::Connected);
    rig.advance(1);
    assert_eq!(rig.client.connection().status, Status::Waiting);
    assert_eq!(rig.transport, None, "a half-open transport is closed, not waited for");
}

#[test]
fn any_traffic_is_a_sign_of_life() {
    let mut rig = Rig::live();
    rig.advance(34_000);
    rig.receive(&says::notification(1, "a", 1));
    rig.advance(15_000);
    assert_eq!(rig.client.connection().status, Status::Connected);
}

#[test]
fn waking_up_probes_with_a_short_deadline() {
    let mut rig = Rig::live();
    rig.advance(3_000);
    rig.take();
    rig.event(Event::Woke);
    assert_eq!(pings(&mut rig), 1);
    rig.advance(1_999);
    assert_eq!(rig.client.connection().status, Status::Connected);
    rig.advance(1);
    assert_eq!(rig.client.connection().status, Status::Waiting);
    assert!(rig.wait_for_attempt() <= 500);
}

#[test]
fn a_probe_that_is_answered_changes_nothing() {
    let mut rig = Rig::live();
    rig.event(Event::Woke);
    rig.receive(&says::pong(""));
    rig.advance(20_000);
    assert_eq!(rig.client.connection().status, Status::Connected);
}

#[test]
fn sleep_shows_as_parted_clocks_and_probes() {
    let mut rig = Rig::live();
    rig.take();
    rig.now.wall += 3_600_000;
    rig.now.mono += 10;
    rig.event(Event::ConnectRequested);
    assert_eq!(pings(&mut rig), 1);
    rig.advance(2_000);
    assert_eq!(rig.client.connection().status, Status::Waiting);
}

#[test]
fn a_hidden_page_does_not_probe() {
    let mut rig = Rig::live();
    rig.event(Event::Hidden);
    rig.take();
    rig.now.wall += 3_600_000;
    rig.event(Event::ConnectRequested);
    assert_eq!(pings(&mut rig), 0);
}

#[test]
fn a_deadline_missed_by_far_asks_once_more() {
    let mut rig = Rig::live();
    rig.advance(25_000);
    rig.take();
    // A throttled background tab: the silence timer fires a minute late, while the pong waits in
    // the socket.
    rig.now.mono += 60_000;
    rig.now.wall += 60_000;
    rig.event(Event::TimerFired);
    assert_eq!(rig.client.connection().status, Status::Connected);
    assert!(pings(&mut rig) >= 1);
    rig.advance(2_000);
    assert_eq!(rig.client.connection().status, Status::Waiting);
}

#[test]
fn a_server_that_wants_shorter_intervals_gets_them() {
    let mut rig = Rig::new();
    rig.event(Event::ConnectRequested);
    rig.open();
    rig.receive(&says::connected("u1").replace("\"heartbeat_ms\":25000", "\"heartbeat_ms\":5000"));
    rig.take();
    rig.advance(5_000);
    assert_eq!(pings(&mut rig), 1);
}

#[test]
fn server_time_is_known_after_a_round_trip() {
    let mut rig = Rig::new();
    assert_eq!(rig.client.server_time(rig.now), None);
    rig.event(Event::ConnectRequested);
    rig.open();
    rig.advance(40);
    rig.receive(&says::connected("u1"));
    assert_eq!(rig.client.server_time(rig.now), Some(crate::harness::START + 20));
}

/// A client with this round-trip time.
fn far_away(trip: u64) -> Rig {
    let mut rig = Rig::new();
    rig.event(Event::UserChanged(tidings_client_core::User::Named("u1".into())));
    rig.event(Event::ConnectRequested);
    rig.open();
    rig.advance(trip);
    rig.receive(&says::connected("u1"));
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 0, 0, false));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, false));
    rig.receive(&says::snapshot(&[]));
    rig.take();
    rig
}

#[test]
fn a_glance_at_a_page_ends_no_connection_over_a_slow_link() {
    for trip in [2_500, 6_000, 9_000] {
        let mut rig = far_away(trip);
        for _ in 0..10 {
            rig.event(Event::Woke);
            rig.advance(trip);
            rig.receive(&says::pong(""));
            assert_eq!(rig.client.connection().status, Status::Connected, "{trip} ms");
            rig.advance(500);
        }
    }
}

#[test]
fn glances_in_quick_succession_are_one_probe() {
    let mut rig = far_away(3_000);
    for _ in 0..4 {
        rig.event(Event::Woke);
        rig.advance(500);
    }
    assert_eq!(pings(&mut rig), 1);
    rig.advance(9_999);
    assert_eq!(rig.client.connection().status, Status::Connected);
    rig.advance(1);
    assert_eq!(rig.client.connection().status, Status::Waiting, "four round trips after the first");
}

#[test]
fn a_link_that_became_quick_again_is_probed_as_quickly() {
    let mut rig = far_away(8_000);
    for _ in 0..8 {
        rig.advance(24_900);
        rig.advance(100);
        rig.receive(&says::pong(""));
    }
    rig.event(Event::Woke);
    rig.advance(2_000);
    assert_eq!(rig.client.connection().status, Status::Waiting);
}

#[test]
fn a_heartbeat_is_waited_for_as_long_as_the_link_takes() {
    let mut rig = far_away(9_000);
    rig.advance(25_000 + 11_000);
    assert_eq!(rig.client.connection().status, Status::Connected);
}
