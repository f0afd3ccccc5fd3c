//! Which transport is used: fallback if one does not get through, and upgrade when it does again.

use tidings_client_core::{
    Command, Credential, Event, InboxStatus, Readable, Status, TransportKind, User,
};
use tidings_protocol::{ClientMessage, client::Since};

use crate::{
    harness::Rig,
    request::{all_transports, answer, beginning, goes_on},
    room::{self, ROOM, channel},
    says,
};

use TransportKind::{Poll, Sse, Ws};

pub(crate) fn wanting() -> Rig {
    let mut rig = Rig::with(all_transports);
    rig.event(Event::UserChanged(User::Named("u1".into())));
    rig.event(Event::ConnectRequested);
    rig
}

/// The transport that the client tries now; a stream or poll is recognised by its request.
pub(crate) fn tried(rig: &mut Rig) -> TransportKind {
    if rig.fetching.is_none() {
        rig.wait_for_attempt();
    }
    rig.ticket(Ok(Credential::Ticket("t".into())));
    if rig.transport.is_some() {
        Ws
    } else if rig.asks("sse?") {
        Sse
    } else {
        assert!(rig.asks("poll?"));
        Poll
    }
}

/// The network or the server gives no usable answer.
pub(crate) fn fails(rig: &mut Rig, kind: TransportKind) {
    match kind {
        Ws => rig.cut(),
        _ => {
            let request = rig.requests[0].number;
            rig.request_ended(request, Some("connection refused"));
        }
    }
}

/// A client that uses a stream, because its first WebSocket did not open.
pub(crate) fn fell_back() -> Rig {
    let mut rig = wanting();
    assert_eq!(tried(&mut rig), Ws);
    fails(&mut rig, Ws);
    assert_eq!(tried(&mut rig), Sse);
    rig.open_stream(&["a"]);
    rig.take();
    rig
}

/// Lets time pass on a silent stream until a better transport is tried; returns it.
fn upgrading(rig: &mut Rig, stream: u64) -> u64 {
    let from = rig.now.mono;
    while rig.transport.is_none() {
        rig.advance(1_000);
        rig.piece(stream, ":\n\n");
        assert!(rig.now.mono - from < 400_000, "no later than after two that failed");
    }
    rig.transport.unwrap()
}

fn state(rig: &Rig) -> (Status, Option<TransportKind>) {
    let connection = rig.client.connection();
    (connection.status, connection.transport)
}

#[test]
fn each_transport_is_tried_in_turn_until_one_gets_through() {
    let mut rig = wanting();
    let mut kinds = Vec::new();
    for _ in 0..7 {
        let kind = tried(&mut rig);
        kinds.push(kind);
        fails(&mut rig, kind);
    }
    assert_eq!(kinds, [Ws, Sse, Poll, Ws, Sse, Poll, Ws]);
    assert_eq!(tried(&mut rig), Sse);
    rig.open_stream(&[]);
    assert_eq!(state(&rig), (Status::Connected, Some(Sse)));
}

#[test]
fn a_stream_that_is_held_back_is_left_for_polling() {
    let mut rig = wanting();
    assert_eq!(tried(&mut rig), Ws);
    // It neither opens nor fails.
    rig.advance(10_000);
    assert_eq!(tried(&mut rig), Sse);
    let stream = rig.asked("sse?").number;
    rig.status(stream, 200);
    rig.advance(10_000);
    assert_eq!(tried(&mut rig), Poll);
    let poll = rig.asked("poll?").number;
    rig.answered(poll, &answer("st-1", &beginning(&["a"])));
    assert_eq!(state(&rig), (Status::Connected, Some(Poll)));
}

#[test]
fn a_stream_that_is_let_in_and_then_held_back_is_left_too() {
    let mut rig = fell_back();
    rig.advance(35_000);
    assert_eq!(tried(&mut rig), Poll);
}

/// Found by seed 1796906354: a credential was renewed each second, because the client's clock was
/// wrong and only the stream could have corrected it.
#[test]
fn what_goes_up_does_not_keep_a_stream_that_brings_nothing() {
    let mut rig = fell_back();
    for seq in 1..=4 {
        rig.advance(8_000);
        rig.publish(seq, "hi");
        let post = rig.asked("sessions/").number;
        rig.answered(post, &room::ack("lane-1", seq, seq));
        assert_eq!(state(&rig), (Status::Connected, Some(Sse)));
    }
    rig.advance(3_000);
    assert_eq!(tried(&mut rig), Poll);
}

#[test]
fn a_server_that_refuses_got_the_message() {
    let mut rig = wanting();
    for _ in 0..3 {
        assert_eq!(tried(&mut rig), Ws);
        let transport = rig.transport.unwrap();
        rig.event(Event::TransportOpened { transport });
        rig.receive(&says::error("", "ticket_invalid", "ticket"));
    }
    for code in [4001, 1013] {
        assert_eq!(tried(&mut rig), Ws);
        rig.closed(code);
    }
    assert_eq!(tried(&mut rig), Ws);
}

#[test]
fn a_ticket_function_that_fails_says_nothing_of_transports() {
    let mut rig = wanting();
    for _ in 0..3 {
        rig.ticket(Err("the backend is away".into()));
        rig.wait_for_attempt();
    }
    assert_eq!(tried(&mut rig), Ws);
}

#[test]
fn what_worked_before_has_a_second_chance() {
    let mut rig = Rig::with(all_transports);
    rig.go_live(&["a"]);
    rig.advance(60_000);
    rig.cut_if_open();
    let mut kinds = Vec::new();
    for _ in 0..5 {
        let kind = tried(&mut rig);
        kinds.push(kind);
        fails(&mut rig, kind);
    }
    assert_eq!(kinds, [Ws, Ws, Sse, Poll, Ws]);
}

#[test]
fn another_network_is_another_matter() {
    let mut rig = fell_back();
    let stream = rig.asked("sse?").number;
    rig.event(Event::WentOffline);
    rig.request_ended(stream, Some("no network"));
    assert_eq!(rig.client.connection().status, Status::Offline);
    rig.event(Event::WentOnline);
    assert_eq!(tried(&mut rig), Ws);
}

#[test]
fn a_network_that_cuts_idle_links_gets_a_shorter_heartbeat() {
    let mut rig = Rig::with(all_transports);
    rig.go_live(&[]);
    rig.advance(5_000);
    rig.cut();
    assert_eq!(tried(&mut rig), Ws);
    let transport = rig.transport.unwrap();
    rig.event(Event::TransportOpened { transport });
    for message in goes_on(0, 0) {
        rig.receive(&message);
    }
    rig.advance(5_100);
    rig.cut();
    assert_eq!(tried(&mut rig), Ws);
    let transport = rig.transport.unwrap();
    rig.event(Event::TransportOpened { transport });
    for message in goes_on(0, 0) {
        rig.receive(&message);
    }
    rig.take();
    for _ in 0..3 {
        rig.advance(3_060);
        assert_eq!(rig.sent().len(), 1, "a ping");
        rig.receive(&says::pong(""));
    }
    assert_eq!(state(&rig), (Status::Connected, Some(Ws)));
}

#[test]
fn a_better_transport_takes_over_unseen() {
    let mut rig = fell_back();
    rig.want(ROOM);
    rig.advance(20);
    let stream = rig.asked("sse?").number;
    rig.stream_goes_on(1, 1);
    rig.says(&says::subscribed(ROOM, "roomone1", 5, 5, false));
    let history = rig.asked("sessions/");
    let [ClientMessage::History(asked)] = &*history.messages() else { panic!("{history:?}") };
    let page = room::page(asked.id.unwrap(), "roomone1", 5, false, &[1, 2, 3, 4, 5]);
    rig.answered(history.number, &page);
    assert!(rig.transport.is_none());
    let transport = upgrading(&mut rig, stream);
    rig.take();
    rig.event(Event::TransportOpened { transport });
    let sent = rig.sent();
    let [ClientMessage::Connect(connect)] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!(connect.session_token.as_deref(), Some("st"));
    assert_eq!(connect.instance.as_deref(), Some("page-1~"), "the other goes on until this works");
    assert_eq!(connect.cursors.as_ref().map(|cursors| cursors.len()), Some(3));

    // The other transport still brings records meanwhile.
    let now = rig.now.wall;
    let news = |offset, id| {
        says::notification_at(offset, id, now, &says::counts((offset, offset), (0, 0, 0)))
    };
    rig.says(&news(2, "b"));
    assert_eq!(rig.arrived(), ["b"]);
    assert_eq!(state(&rig), (Status::Connected, Some(Sse)));
    rig.take();
    let mut seen = Vec::new();
    let mut messages = goes_on(1, 2);
    messages.push(says::subscribed(ROOM, "roomone1", 5, 5, true));
    messages.push(news(2, "b"));
    messages.push(news(3, "c"));
    for message in messages {
        rig.receive(&message);
        seen.push((state(&rig), rig.inbox().status, rig.client.channel(&channel(ROOM)).status));
    }
    let live = (
        (Status::Connected, Some(Ws)),
        InboxStatus::Live,
        tidings_client_core::ChannelStatus::Live,
    );
    assert!(seen.iter().all(|seen| *seen == live), "{seen:?}");
    assert_eq!(rig.requests, [], "the other is let go");
    assert_eq!(rig.arrived(), ["c"], "`b` came before");
    let told = rig.take();
    let connections =
        told.iter().filter(|one| **one == Command::Changed(Readable::Connection)).count();
    assert_eq!(connections, 1, "another name, and nothing else");
}

#[test]
fn an_upgrade_that_fails_changes_nothing_and_the_next_is_later() {
    let mut rig = fell_back();
    let stream = rig.asked("sse?").number;
    let mut waits = Vec::new();
    for how in 0..3 {
        let from = rig.now.mono;
        upgrading(&mut rig, stream);
        waits.push(rig.now.mono - from);
        match how {
            // It does not open; or it opens and is refused; or it opens and stays silent.
            0 => rig.cut(),
            1 => {
                let transport = rig.transport.unwrap();
                rig.event(Event::TransportOpened { transport });
                rig.receive(&says::error("", "internal", "backoff"));
            }
            _ => {
                let transport = rig.transport.unwrap();
                rig.event(Event::TransportOpened { transport });
                rig.advance(10_000);
            }
        }
        assert_eq!(rig.transport, None);
        assert_eq!(state(&rig), (Status::Connected, Some(Sse)));
        assert_eq!(rig.asked("sse?").number, stream);
    }
    assert!(waits.is_sorted() && waits[2] > 2 * waits[0], "{waits:?}");
}

#[test]
fn polling_upgrades_to_a_stream_where_sockets_are_let_through_by_none() {
    let mut rig = wanting();
    for kind in [Ws, Sse] {
        assert_eq!(tried(&mut rig), kind);
        fails(&mut rig, kind);
    }
    assert_eq!(tried(&mut rig), Poll);
    let poll = rig.asked("poll?").number;
    rig.answered(poll, &answer("st-1", &beginning(&["a"])));
    let mut sockets = 0;
    while !rig.asks("sse?") {
        rig.advance(1_000);
        if rig.transport.is_some() {
            sockets += 1;
            rig.cut();
        }
        let poll = rig.asked("poll?");
        rig.answered(poll.number, &answer("st-1", &[]));
    }
    assert_eq!(sockets, 1);
    let stream = rig.asked("sse?");
    assert_eq!(stream.connect().instance.as_deref(), Some("page-1~"));
    assert_eq!(stream.cursors(), ["inbox:u1 1", "system:all 0"]);
    rig.status(stream.number, 200);
    rig.piece(stream.number, "retry: 1\n\n");
    assert_eq!(state(&rig), (Status::Connected, Some(Poll)));
    for message in goes_on(1, 1) {
        rig.says(&message);
    }
    assert_eq!(state(&rig), (Status::Connected, Some(Sse)));
    assert!(!rig.asks("poll?"));
    assert_eq!(rig.inbox().status, InboxStatus::Live);
}

#[test]
fn a_hidden_page_does_not_upgrade() {
    let mut rig = fell_back();
    let stream = rig.asked("sse?").number;
    rig.event(Event::Hidden);
    for _ in 0..20 {
        rig.advance(20_000);
        rig.piece(stream, ":\n\n");
    }
    assert_eq!(rig.transport, None);
}

#[test]
fn a_connection_that_ends_takes_its_upgrade_along() {
    let mut rig = fell_back();
    let stream = rig.asked("sse?").number;
    upgrading(&mut rig, stream);
    rig.request_ended(stream, Some("connection reset"));
    assert_eq!(rig.transport, None);
    assert_eq!(rig.client.connection().status, Status::Waiting);
}

#[test]
fn it_is_said_why_it_is_not_the_best() {
    let rig = fell_back();
    let why = rig.client.explain(rig.now);
    assert!(why.contains("server-sent events"), "{why}");
}

/// Found by the simulation (seed 21380 of its day): retention passed the cursors in the upgrade's
/// `connect`.
#[test]
fn what_came_over_the_old_transport_does_not_come_again_with_a_snapshot() {
    let mut rig = fell_back();
    let stream = rig.asked("sse?").number;
    let transport = upgrading(&mut rig, stream);
    rig.event(Event::TransportOpened { transport });
    let now = rig.now.wall;
    let news = |offset, id| {
        says::notification_at(offset, id, now, &says::counts((offset, offset), (0, 0, 0)))
    };
    // The server has read the log for the new connection, but the client does not know that yet.
    rig.says(&news(2, "b"));
    rig.says(&news(3, "c"));
    rig.take();
    rig.receive(&says::connected("u1"));
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 2, 2, false));
    rig.receive(&says::gap("inbox:u1", 2, 2, "retention"));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, true));
    rig.receive(&says::snapshot(&["a", "b"]));
    assert_eq!(rig.ids(), ["c", "b", "a"], "nothing is taken back");
    assert!(!rig.commands.iter().any(|one| matches!(one, Command::Gap { .. })), "nor missing");
    let sent = rig.sent();
    let again = |one: &&ClientMessage| matches!(one, ClientMessage::Subscribe(_));
    assert_eq!(sent.iter().filter(again).count(), 1, "another snapshot is asked for");
    rig.receive(&news(3, "c"));
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 3, 3, false));
    rig.receive(&says::snapshot(&["a", "b", "c"]));
    rig.receive(&news(4, "d"));
    assert_eq!(rig.arrived(), ["d"], "each once");
    assert_eq!(state(&rig), (Status::Connected, Some(Ws)));
    assert_eq!(rig.inbox().status, InboxStatus::Live);
}

#[test]
fn what_came_over_the_old_transport_does_not_come_again_to_a_room() {
    let mut rig = fell_back();
    rig.want(ROOM);
    rig.advance(20);
    let stream = rig.asked("sse?").number;
    rig.stream_goes_on(1, 1);
    rig.says(&says::subscribed(ROOM, "roomone1", 0, 0, false));
    let transport = upgrading(&mut rig, stream);
    rig.event(Event::TransportOpened { transport });
    rig.says(&room::message(1));
    rig.says(&room::message(2));
    rig.take();
    for message in goes_on(1, 1) {
        rig.receive(&message);
    }
    let (asked, since) = rig.asked_to_subscribe();
    let Some(Since::Cursor(since)) = since else { panic!("{since:?}") };
    assert_eq!(since.offset, 2, "from where it is by now");
    rig.receive(&says::subscribed(ROOM, "roomone1", 1, 1, false));
    rig.receive(&says::gap(ROOM, 1, 1, "retention"));
    rig.receive(&room::message(2));
    rig.receive(&room::subscribed(asked, "roomone1", 1, 3, 2, true));
    rig.receive(&room::message(3));
    let messages = rig.commands.iter().filter(|one| matches!(one, Command::Message { .. }));
    assert_eq!(messages.count(), 1, "the third");
    assert!(!rig.commands.iter().any(|one| matches!(one, Command::Gap { .. })));
    assert_eq!(rig.client.channel(&channel(ROOM)).messages.len(), 3);
}
