//! Links so slow that the usual deadlines are too short.

use tidings_client_core::{Credential, Event, Status};

use crate::{harness::Rig, request::all_transports, room::ROOM, says};

#[test]
fn attempts_that_run_out_of_time_get_more_of_it() {
    let mut rig = Rig::new();
    rig.event(Event::ConnectRequested);
    let mut given = Vec::new();
    for _ in 0..4 {
        if rig.fetching.is_none() {
            rig.wait_for_attempt();
        }
        rig.ticket(Ok(Credential::Ticket("t".into())));
        let from = rig.now.mono;
        while rig.transport.is_some() {
            rig.advance(1_000);
        }
        given.push(rig.now.mono - from);
    }
    assert_eq!(given, [10_000, 20_000, 40_000, 40_000]);
}

#[test]
fn a_ticket_function_that_needs_the_same_link_gets_more_time_too() {
    let mut rig = Rig::new();
    rig.event(Event::ConnectRequested);
    rig.advance(10_000);
    assert_eq!(rig.client.connection().status, Status::Waiting);
    rig.wait_for_attempt();
    rig.advance(19_000);
    rig.ticket(Ok(Credential::Ticket("t".into())));
    assert!(rig.transport.is_some());
}

#[test]
fn another_network_is_not_waited_for_as_the_last_one_was() {
    let mut rig = Rig::new();
    rig.event(Event::ConnectRequested);
    rig.open();
    rig.advance(10_000);
    rig.reopen();
    rig.event(Event::WentOnline);
    rig.advance(9_999);
    assert!(rig.transport.is_some());
    rig.advance(1);
    assert!(rig.transport.is_none());
}

#[test]
fn rooms_and_pages_are_waited_for_as_long_as_the_link_takes() {
    let mut rig = Rig::new();
    rig.event(Event::UserChanged(tidings_client_core::User::Named("u1".into())));
    rig.event(Event::ConnectRequested);
    rig.open();
    rig.advance(8_000);
    rig.receive(&says::connected("u1"));
    rig.advance(15_000);
    assert_eq!(rig.client.connection().status, Status::Connected, "what it follows is on its way");
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 0, 0, false));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, false));
    rig.receive(&says::snapshot(&[]));
    rig.want(ROOM);
    rig.advance(9_000);
    rig.receive(&says::pong(""));
    rig.advance(10_000);
    rig.receive(&says::subscribed(ROOM, "roomone1", 0, 0, false));
    assert_eq!(rig.client.connection().status, Status::Connected);
}

/// Found by seed 1796200971: it was waited for longer than its session lives, so that nobody ever went on to polls.
#[test]
fn a_stream_that_is_held_back_is_left_as_soon_after_any_number_of_attempts() {
    let mut rig = Rig::with(all_transports);
    rig.event(Event::UserChanged(tidings_client_core::User::Named("u1".into())));
    rig.event(Event::ConnectRequested);
    for _ in 0..3 {
        rig.advance(60_000);
        if rig.fetching.is_none() {
            rig.wait_for_attempt();
        }
    }
    rig.ticket(Ok(Credential::Ticket("t".into())));
    rig.advance(60_000);
    rig.ticket(Ok(Credential::Ticket("t".into())));
    let stream = rig.asked("sse?").number;
    rig.status(stream, 200);
    rig.advance(9_999);
    assert!(rig.asks("sse?"));
    rig.advance(1);
    assert!(!rig.asks("sse?"));
    rig.wait_for_attempt();
    rig.ticket(Ok(Credential::Ticket("t".into())));
    rig.advance(19_000);
    assert!(rig.asks("poll?"));
}
