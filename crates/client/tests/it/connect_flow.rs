use tidings_client_core::{
    Command, Credential, Event, InboxStatus, Readable, Status, TransportKind, User,
};
use tidings_protocol::{ClientMessage, server::GapReason};

use crate::{harness::Rig, says};

#[test]
fn nothing_happens_until_a_connection_is_wanted() {
    let mut rig = Rig::new();
    rig.event(Event::UserChanged(User::Named("u1".into())));
    rig.event(Event::Woke);
    rig.event(Event::WentOnline);
    rig.event(Event::RetryRequested);
    assert_eq!(rig.fetches, 0);
    assert_eq!(rig.client.connection().status, Status::Idle);
}

#[test]
fn a_ticket_then_a_transport_then_connect() {
    let mut rig = Rig::new();
    rig.event(Event::UserChanged(User::Named("u1".into())));
    rig.event(Event::ConnectRequested);
    assert_eq!(rig.client.connection().status, Status::Connecting);
    let asked = Command::FetchCredential { attempt: 1, user: Some("u1".into()) };
    assert!(rig.take().contains(&asked));

    rig.ticket(Ok(Credential::Ticket("t-1".into())));
    assert!(rig.take().contains(&Command::OpenTransport { transport: 1, kind: TransportKind::Ws }));
    rig.event(Event::TransportOpened { transport: 1 });
    let sent = rig.sent();
    let [ClientMessage::Connect(connect)] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!(connect.ticket.as_deref(), Some("t-1"));
    assert_eq!(connect.instance.as_deref(), Some("page-1"));
    assert_eq!(connect.batch, Some(true));
    assert_eq!(connect.cursors, None);

    rig.receive(&says::connected("u1"));
    let connection = rig.client.connection();
    assert_eq!(
        (connection.status, connection.transport),
        (Status::Connected, Some(TransportKind::Ws))
    );
    assert_eq!(connection.user.as_deref(), Some("u1"));
    assert_eq!(rig.inbox().status, InboxStatus::Loading);
}

#[test]
fn a_jwt_goes_where_a_jwt_belongs() {
    let mut rig = Rig::new();
    rig.event(Event::ConnectRequested);
    rig.ticket(Ok(Credential::Token("jwt".into())));
    rig.event(Event::TransportOpened { transport: 1 });
    let sent = rig.sent();
    let [ClientMessage::Connect(connect)] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!((connect.ticket.as_deref(), connect.token.as_deref()), (None, Some("jwt")));
}

#[test]
fn the_snapshot_shows_in_one_step() {
    let mut rig = Rig::new();
    rig.event(Event::ConnectRequested);
    rig.greet();
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 2, 2, false));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, false));
    rig.take();
    rig.receive(&says::snapshot(&["a", "b"]));
    let changes = rig.take();
    assert_eq!(
        changes.iter().filter(|command| **command == Command::Changed(Readable::Inbox)).count(),
        1
    );
    assert_eq!(rig.ids(), ["b", "a"]);
    assert_eq!(rig.counts(), (2, 2));
    assert_eq!(rig.inbox().status, InboxStatus::Live);
}

#[test]
fn a_batched_frame_is_one_change() {
    let mut rig = Rig::live();
    let frame = [
        says::notification(1, "a", 1),
        says::notification(2, "b", 2),
        says::notification(3, "c", 3),
    ]
    .join("\n");
    rig.receive(&frame);
    let changes = rig.take();
    assert_eq!(
        changes.iter().filter(|command| **command == Command::Changed(Readable::Inbox)).count(),
        1
    );
    assert_eq!(rig.ids(), ["c", "b", "a"]);
}

#[test]
fn a_cut_link_resumes_from_the_cursor_without_a_gap() {
    let mut rig = Rig::live_with(&["a", "b"]);
    rig.receive(&says::notification(3, "c", 3));
    rig.cut();
    assert_eq!(rig.inbox().status, InboxStatus::Cached);
    assert_eq!(rig.ids(), ["c", "b", "a"], "what was known stays on screen");
    rig.reopen();
    let connect = rig
        .sent()
        .into_iter()
        .find_map(|message| match message {
            ClientMessage::Connect(connect) => Some(connect),
            _ => None,
        })
        .unwrap();
    let cursors: Vec<(String, String, u64)> = connect
        .cursors
        .unwrap()
        .into_iter()
        .map(|(channel, cursor)| (channel.to_string(), cursor.epoch.to_string(), cursor.offset))
        .collect();
    assert_eq!(
        cursors,
        [("inbox:u1".into(), "inboxone".into(), 3), ("system:all".into(), "system01".into(), 0)]
    );
    rig.receive(&says::connected("u1"));
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 5, 3, true));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, true));
    assert_eq!(rig.inbox().status, InboxStatus::Cached, "two records are on their way");
    rig.receive(&says::notification(4, "d", 4));
    rig.receive(&says::notification(5, "e", 5));
    assert_eq!(rig.inbox().status, InboxStatus::Live);
    assert_eq!(rig.ids(), ["e", "d", "c", "b", "a"]);
    assert!(!rig.take().iter().any(|command| matches!(
        command,
        Command::Gap { why: GapReason::Epoch | GapReason::Retention, .. }
    )));
}

#[test]
fn each_attempt_gets_a_ticket_of_its_own() {
    let mut rig = Rig::live();
    assert_eq!(rig.fetches, 1);
    rig.cut();
    rig.reopen();
    assert_eq!(rig.fetches, 2);
}

#[test]
fn events_of_an_older_transport_mean_nothing() {
    let mut rig = Rig::live();
    rig.cut();
    rig.reopen();
    rig.receive(&says::connected("u1"));
    rig.take();
    rig.event(Event::TransportReceived { transport: 1, text: says::notification(1, "ghost", 1) });
    rig.event(Event::TransportClosed { transport: 1, code: 1000, reason: String::new() });
    assert_eq!(rig.client.connection().status, Status::Connected);
    assert!(rig.ids().is_empty());
}

#[test]
fn disconnecting_closes_and_stays_away() {
    let mut rig = Rig::live_with(&["a"]);
    rig.event(Event::DisconnectRequested);
    assert_eq!(rig.transport, None);
    assert_eq!(rig.client.connection().status, Status::Idle);
    rig.event(Event::Woke);
    rig.event(Event::WentOnline);
    rig.advance(600_000);
    assert_eq!(rig.fetches, 1);
    assert_eq!(rig.ids(), ["a"]);
}
