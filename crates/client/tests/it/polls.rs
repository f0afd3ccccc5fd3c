//! A transport that is one response for each call.

use tidings_client_core::{ChannelStatus, Credential, Event, InboxStatus, Status, TransportKind};

use crate::{
    harness::{READ, Rig},
    request::{answer, beginning, goes_on},
    room::{self, ROOM, channel},
    says,
};

#[test]
fn the_first_call_brings_everything_and_the_next_wait_for_news() {
    let mut rig = Rig::over(TransportKind::Poll);
    let first = rig.asked("poll?");
    assert_eq!(first.path, "poll?wait=0");
    assert_eq!(first.connect().ticket.as_deref(), Some("t-1"));
    rig.answered(first.number, &answer("st", &beginning(&["a"])));
    let connection = rig.client.connection();
    assert_eq!(
        (connection.status, connection.transport),
        (Status::Connected, Some(TransportKind::Poll))
    );
    assert_eq!((rig.ids(), rig.inbox().status), (vec!["a".into()], InboxStatus::Live));

    let second = rig.asked("poll?");
    assert_eq!(second.path, "poll?wait=25000");
    assert_eq!(second.connect().session_token.as_deref(), Some("st"));
    assert_eq!(second.connect().ticket, None);
    assert_eq!(second.cursors(), ["inbox:u1 1", "system:all 0"]);
    rig.advance(25_000);
    rig.answered(second.number, &answer("st-2", &[]));
    let third = rig.asked("poll?");
    assert_eq!(third.connect().session_token.as_deref(), Some("st-2"));
    rig.answered(third.number, &answer("st-3", &[says::notification(2, "b", 2)]));
    assert_eq!(rig.arrived(), ["b"]);
    assert_eq!(rig.asked("poll?").cursors(), ["inbox:u1 2", "system:all 0"]);
    assert_eq!(rig.client.connection().status, Status::Connected);
}

#[test]
fn an_answer_that_got_lost_is_asked_for_again() {
    let mut rig = Rig::polling(&["a"]);
    let poll = rig.asked("poll?").number;
    rig.status(poll, 200);
    rig.piece(poll, &answer("st-2", &[says::notification(2, "b", 2)]));
    rig.piece(poll, "{\"type\":\"notifica");
    rig.request_ended(poll, Some("connection reset"));
    assert_eq!(rig.client.connection().status, Status::Waiting);
    rig.wait_for_attempt();
    rig.ticket(Ok(Credential::Ticket("t-2".into())));
    let again = rig.asked("poll?");
    assert_eq!(again.path, "poll?wait=0");
    assert_eq!(again.cursors(), ["inbox:u1 2", "system:all 0"]);
    let mut messages = goes_on(2, 3);
    messages.push(says::notification(3, "c", 3));
    rig.answered(again.number, &answer("st-3", &messages));
    assert_eq!(rig.arrived(), ["b", "c"]);
}

#[test]
fn a_call_without_an_answer_ends_the_connection() {
    let mut rig = Rig::polling(&[]);
    rig.advance(34_999);
    assert_eq!(rig.client.connection().status, Status::Connected);
    rig.advance(1);
    assert_eq!(rig.client.connection().status, Status::Waiting);
    assert_eq!(rig.requests, []);
}

#[test]
fn other_channels_are_asked_for_at_once() {
    let mut rig = Rig::polling(&[]);
    let waiting = rig.asked("poll?").number;
    rig.want(ROOM);
    rig.advance(20);
    let asked = rig.asked("poll?");
    assert_ne!(asked.number, waiting);
    assert_eq!(asked.path, "poll?wait=0&channel=room%3A1");
    let mut messages = goes_on(0, 0);
    messages.push(says::subscribed(ROOM, "roomone1", 2, 2, false));
    rig.answered(asked.number, &answer("st-2", &messages));
    assert_eq!(rig.client.channel(&channel(ROOM)).status, ChannelStatus::Live);
    let next = rig.asked("poll?");
    assert_eq!(next.path, "poll?wait=25000");
    assert_eq!(next.cursors(), ["inbox:u1 0", "room:1 2", "system:all 0"]);
    rig.answered(next.number, &answer("st-3", &[room::message(3)]));
    assert_eq!(rig.client.channel(&channel(ROOM)).messages.len(), 1);
}

#[test]
fn what_one_answer_had_no_room_for_is_asked_for_until_it_is_there() {
    let mut rig = Rig::polling(&[]);
    rig.want(ROOM);
    rig.advance(20);
    let asked = rig.asked("poll?").number;
    // No data of the room yet: only a new `connect` can name it again.
    rig.answered(asked, &answer("st-2", &goes_on(0, 0)));
    let again = rig.asked("poll?");
    assert_eq!(again.path, "poll?wait=0&channel=room%3A1");
    let mut messages = goes_on(0, 0);
    messages.push(says::subscribed(ROOM, "roomone1", 2, 2, false));
    rig.answered(again.number, &answer("st-3", &messages));
    assert_eq!(rig.asked("poll?").path, "poll?wait=25000");
}

#[test]
fn messages_go_up_while_a_call_waits() {
    let mut rig = Rig::polling(&["a"]);
    let waiting = rig.asked("poll?").number;
    rig.mark(1, &["a"], READ);
    let post = rig.asked("sessions/");
    assert_eq!((&*post.path, post.bearer.as_deref()), ("sessions/s1/messages", Some("st")));
    rig.answered(post.number, &says::ack("lane-1", 1, 2));
    assert_eq!(rig.asked("poll?").number, waiting);
    assert!(rig.item("a").read && !rig.item("a").pending);
}

#[test]
fn what_is_no_answer_of_a_server_is_none() {
    for body in ["<html>sign in to this network</html>", "{}\n", ""] {
        let mut rig = Rig::over(TransportKind::Poll);
        let poll = rig.asked("poll?").number;
        rig.answered(poll, body);
        rig.advance(10_000);
        assert_ne!(rig.client.connection().status, Status::Connected, "{body}");
    }
}

#[test]
fn a_refusal_in_the_middle_is_the_servers_word() {
    let mut rig = Rig::polling(&[]);
    let poll = rig.asked("poll?").number;
    rig.refused(poll, 401, &says::error("", "revoked", "ticket"));
    let connection = rig.client.connection();
    assert_eq!(connection.status, Status::Waiting);
    assert_eq!(connection.error.as_ref().map(|error| &*error.code), Some("revoked"));
    rig.event(Event::RetryRequested);
    assert!(rig.fetching.is_some());
}
