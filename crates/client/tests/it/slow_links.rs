//! Networks so slow that the usual deadlines are too short.

use tidings_client_core::{Credential, Event, Status, TransportKind};

use crate::{
    harness::Rig,
    request::{all_transports, answer, beginning},
    room::ROOM,
    says,
};

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

/// A snapshot of half a megabyte, over a network with 20 KB a second.
#[test]
fn what_there_is_gets_through_a_narrow_link_after_all() {
    let mut rig = Rig::new();
    rig.event(Event::UserChanged(tidings_client_core::User::Named("u1".into())));
    rig.event(Event::ConnectRequested);
    let mut attempts = 0;
    while rig.inbox().status != tidings_client_core::InboxStatus::Live {
        if rig.fetching.is_none() {
            rig.wait_for_attempt();
        }
        rig.open();
        rig.receive(&says::connected("u1"));
        rig.receive(&says::subscribed("inbox:u1", "inboxone", 1, 1, false));
        rig.receive(&says::subscribed("system:all", "system01", 0, 0, false));
        rig.advance(25_000);
        if rig.transport.is_some() {
            rig.receive(&says::snapshot(&["a"]));
        }
        attempts += 1;
        assert!(attempts < 5);
    }
}

#[test]
fn a_long_answer_that_comes_in_pieces_is_waited_for() {
    let mut rig = Rig::over(TransportKind::Poll);
    let poll = rig.asked("poll?").number;
    rig.status(poll, 200);
    let text = answer("st", &beginning(&["a"]));
    for piece in text.as_bytes().chunks(text.len() / 5) {
        rig.advance(9_000);
        rig.piece(poll, std::str::from_utf8(piece).unwrap());
        assert_ne!(rig.client.connection().status, Status::Waiting);
    }
    rig.request_ended(poll, None);
    assert_eq!(rig.ids(), ["a"]);
}

/// Found by seed 1796200971: the client waited for it longer than its session lasted, so it never
/// fell back to polls.
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
