//! A newer connection of the page took over: from another page with its name, or an older
//! connection of its own that arrived late.

use tidings_client_core::{Command, Credential, Event, Readable, Status, TransportKind};

use crate::{
    harness::Rig,
    request::{answer, goes_on},
    says,
};

/// Found by seed 1796098690: the network delayed a call that was given up for longer than the next
/// one.
#[test]
fn a_poll_that_an_older_one_of_its_own_replaced_is_made_again_and_nobody_sees_it() {
    let mut rig = Rig::polling(&["a"]);
    rig.advance(15_000);
    rig.event(Event::Woke);
    let newer = rig.asked("poll?").number;
    rig.take();
    rig.refused(newer, 409, &replaced());
    let again = rig.asked("poll?");
    assert_eq!(again.path, "poll?wait=0");
    assert_eq!(again.connect().session_token.as_deref(), Some("st"));
    assert_eq!(again.cursors(), ["inbox:u1 1", "system:all 0"]);
    assert!(is_quiet(&mut rig));
    // A second late arrival is different: the app is told, and the client goes on.
    rig.refused(again.number, 409, &replaced());
    assert_eq!(rig.client.connection().status, Status::Waiting);
    rig.wait_for_attempt();
}

#[test]
fn a_poll_that_is_told_so_among_its_messages_is_made_again_too() {
    let mut rig = Rig::polling(&["a"]);
    rig.advance(15_000);
    rig.event(Event::Woke);
    let newer = rig.asked("poll?").number;
    let mut messages = goes_on(1, 2);
    messages.extend([says::notification(2, "b", 2), replaced()]);
    rig.take();
    rig.status(newer, 200);
    rig.piece(newer, &answer("st-2", &messages));
    rig.advance(0);
    assert_eq!(rig.arrived(), ["b"]);
    assert_eq!(rig.asked("poll?").cursors(), ["inbox:u1 2", "system:all 0"]);
    assert_eq!(rig.client.connection().status, Status::Connected);
}

#[test]
fn a_stream_that_an_older_one_of_its_own_replaced_is_opened_again_and_nobody_sees_it() {
    let mut rig = Rig::streaming(&["a"]);
    for told in ["an event", "a refusal"] {
        rig.advance(15_000);
        rig.event(Event::Woke);
        if told == "an event" {
            rig.stream_goes_on(1, 1);
            rig.take();
            rig.says(&replaced());
            rig.advance(0);
        } else {
            rig.take();
            let stream = rig.asked("sse?").number;
            rig.refused(stream, 409, &replaced());
        }
        assert!(is_quiet(&mut rig), "{told}");
        rig.stream_goes_on(1, 1);
    }
    rig.says(&says::notification(2, "b", 2));
    assert_eq!(rig.arrived(), ["b"]);
}

#[test]
fn calls_of_two_pages_of_one_name_do_not_replace_each_other_for_ever() {
    for kind in [TransportKind::Poll, TransportKind::Sse] {
        let mut rig = match kind {
            TransportKind::Poll => Rig::polling(&[]),
            _ => Rig::streaming(&[]),
        };
        let call = if kind == TransportKind::Poll { "poll?" } else { "sse?" };
        // The client gave up a connection a moment ago, so it can't tell.
        rig.advance(15_000);
        rig.event(Event::Woke);
        let mut calls = 0;
        while rig.client.connection().status != Status::Failed {
            if !rig.asks(call) {
                if rig.fetching.is_none() {
                    rig.wait_for_attempt();
                }
                rig.ticket(Ok(Credential::Ticket("t-2".into())));
            }
            let number = rig.asked(call).number;
            rig.refused(number, 409, &replaced());
            rig.advance(5_000);
            calls += 1;
            assert!(calls < 20, "{kind:?}");
        }
    }
}

fn replaced() -> String {
    says::error("", "replaced", "never")
}

/// The app got no report, and sees a connection.
fn is_quiet(rig: &mut Rig) -> bool {
    let told = rig.take().iter().any(|command| {
        matches!(command, Command::Changed(Readable::Connection) | Command::Report(_))
    });
    let connection = rig.client.connection();
    !told && connection.status == Status::Connected && connection.error.is_none()
}

#[test]
fn a_socket_that_an_older_one_of_its_own_replaced_goes_on() {
    let mut rig = Rig::new();
    rig.event(Event::ConnectRequested);
    rig.open();
    // A message of it may be under way for longer than any timeout.
    rig.advance(10_000);
    rig.reopen();
    rig.receive(&says::connected("u1"));
    rig.receive(&says::error("", "replaced", "never"));
    rig.closed(4105);
    assert_eq!(rig.client.connection().status, Status::Waiting);
}

#[test]
fn whoever_is_replaced_by_another_page_stays_away() {
    let mut rig = Rig::live();
    rig.receive(&says::error("", "replaced", "never"));
    rig.closed(4105);
    assert_eq!(rig.client.connection().status, Status::Failed);
}

#[test]
fn two_pages_of_one_name_do_not_replace_each_other_for_ever() {
    let mut rig = Rig::live();
    rig.cut();
    let mut lives = 0;
    while rig.client.connection().status != Status::Failed {
        rig.reopen();
        rig.receive(&says::connected("u1"));
        rig.advance(5_000);
        rig.receive(&says::error("", "replaced", "never"));
        rig.closed(4105);
        lives += 1;
        assert!(lives < 20);
    }
    rig.event(Event::ConnectRequested);
    rig.ticket(Ok(Credential::Ticket("t-9".into())));
    assert_eq!(rig.client.connection().status, Status::Connecting, "the app may ask again");
}
