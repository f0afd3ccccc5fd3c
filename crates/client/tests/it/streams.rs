//! A transport that is a stream: opened, kept, and reopened for other channels.

use tidings_client_core::{
    ChannelStatus, Command, Credential, Event, InboxStatus, Status, TransportKind,
};
use tidings_protocol::ClientMessage;

use crate::{
    harness::{Rig, START},
    room::{self, ROOM, channel},
    says,
};

#[test]
fn one_request_opens_it() {
    let mut rig = Rig::over(TransportKind::Sse);
    let stream = rig.asked("sse?");
    assert_eq!((&*stream.path, stream.bearer.as_deref()), ("sse?heartbeat=25000", None));
    assert_eq!(stream.connect().ticket.as_deref(), Some("t-1"));
    assert_eq!(stream.connect().cursors, None);
    rig.open_stream(&["a", "b"]);
    let connection = rig.client.connection();
    assert_eq!(
        (connection.status, connection.transport),
        (Status::Connected, Some(TransportKind::Sse))
    );
    assert_eq!(rig.ids(), ["b", "a"]);
    assert!(
        !rig.commands
            .iter()
            .any(|command| matches!(command, Command::OpenTransport { .. } | Command::Send { .. }))
    );
}

#[test]
fn comments_keep_it_and_silence_ends_it() {
    let mut rig = Rig::streaming(&[]);
    let stream = rig.asked("sse?").number;
    for _ in 0..4 {
        rig.advance(34_000);
        rig.piece(stream, ":\n\n");
    }
    assert_eq!(rig.client.connection().status, Status::Connected);
    rig.advance(34_999);
    assert_eq!(rig.client.connection().status, Status::Connected);
    rig.advance(1);
    assert_eq!(rig.client.connection().status, Status::Waiting);
    assert_eq!(rig.requests, []);
    rig.piece(stream, "data: too late\n\n");
}

#[test]
fn it_resumes_from_the_cursors() {
    let mut rig = Rig::streaming(&["a"]);
    rig.says(&says::notification(2, "b", 2));
    let stream = rig.asked("sse?").number;
    rig.request_ended(stream, Some("connection reset"));
    rig.wait_for_attempt();
    rig.ticket(Ok(Credential::Ticket("t-2".into())));
    let again = rig.asked("sse?");
    assert_eq!(again.connect().ticket.as_deref(), Some("t-2"));
    assert_eq!(again.connect().session_token, None);
    assert_eq!(again.cursors(), ["inbox:u1 2", "system:all 0"]);
    rig.stream_goes_on(2, 3);
    rig.says(&says::notification(3, "c", 3));
    assert_eq!(rig.arrived(), ["b", "c"]);
    assert_eq!(rig.inbox().status, InboxStatus::Live);
}

#[test]
fn refusals_are_what_the_server_says() {
    let mut rig = Rig::over(TransportKind::Sse);
    let stream = rig.asked("sse?").number;
    rig.refused(stream, 403, &says::error("", "forbidden", "never"));
    let connection = rig.client.connection();
    assert_eq!(connection.status, Status::Failed);
    assert_eq!(connection.error.as_ref().map(|error| &*error.code), Some("forbidden"));

    let mut rig = Rig::over(TransportKind::Sse);
    let stream = rig.asked("sse?").number;
    rig.refused(stream, 401, &says::error("", "ticket_invalid", "ticket"));
    assert_eq!(rig.client.connection().status, Status::Waiting);
    rig.wait_for_attempt();
}

#[test]
fn what_a_proxy_says_is_told_as_its_status() {
    let mut rig = Rig::over(TransportKind::Sse);
    let stream = rig.asked("sse?").number;
    rig.refused(stream, 502, "<html>secret</html>");
    assert_eq!(rig.client.connection().status, Status::Waiting);
    let why = rig.client.explain(rig.now);
    assert!(why.contains("HTTP 502") && !why.contains("secret"), "{why}");
}

#[test]
fn other_channels_open_it_again_once_for_all_that_are_asked_for_together() {
    let mut rig = Rig::streaming(&["a"]);
    let first = rig.asked("sse?").number;
    rig.want(ROOM);
    rig.want("room:two words");
    assert_eq!(rig.asked("sse?").number, first);
    rig.advance(20);
    let again = rig.asked("sse?");
    assert_eq!(again.path, "sse?heartbeat=25000&channel=room%3A1&channel=room%3Atwo%20words");
    assert_eq!(again.connect().session_token.as_deref(), Some("st"));
    assert_eq!(again.connect().ticket, None, "it is spent");
    assert_eq!(again.cursors(), ["inbox:u1 1", "system:all 0"]);
    assert_eq!(rig.client.connection().status, Status::Connected);

    rig.stream_goes_on(1, 1);
    rig.says(&says::subscribed(ROOM, "roomone1", 3, 3, false));
    assert_eq!(rig.client.channel(&channel(ROOM)).status, ChannelStatus::Live);
    assert_eq!(rig.client.channel(&channel("room:two words")).status, ChannelStatus::Joining);
    rig.says(&says::subscribed("room:two words", "roomtwo2", 0, 0, false));
    rig.says(&room::message(4));
    assert_eq!(rig.client.channel(&channel(ROOM)).messages.len(), 1);

    // Channels with a cursor are named in the `connect` that resumes.
    rig.want("room:3");
    rig.advance(20);
    let third = rig.asked("sse?");
    assert_eq!(third.path, "sse?heartbeat=25000&channel=room%3A3");
    assert_eq!(third.cursors(), ["inbox:u1 1", "room:1 4", "room:two words 0", "system:all 0"]);
    assert_eq!(
        rig.client.channel(&channel(ROOM)).status,
        ChannelStatus::Live,
        "it goes on meanwhile"
    );
}

#[test]
fn channels_that_are_read_before_the_connection_come_with_it() {
    let mut rig = Rig::with(|config| config.transports = vec![TransportKind::Sse]);
    rig.event(Event::UserChanged(tidings_client_core::User::Named("u1".into())));
    rig.want(ROOM);
    rig.event(Event::ConnectRequested);
    rig.ticket(Ok(Credential::Ticket("t-1".into())));
    assert_eq!(rig.asked("sse?").path, "sse?heartbeat=25000&channel=room%3A1");
    rig.open_stream(&[]);
    let stream = rig.asked("sse?").number;
    rig.advance(1_000);
    rig.says(&says::subscribed(ROOM, "roomone1", 0, 0, false));
    assert_eq!(rig.client.channel(&channel(ROOM)).status, ChannelStatus::Live);
    assert_eq!(rig.asked("sse?").number, stream, "nothing to open again");
}

#[test]
fn more_channels_than_an_address_may_name_come_in_turns() {
    let mut rig = Rig::streaming(&[]);
    for room in 0..25 {
        rig.want(&format!("room:{room}"));
    }
    rig.advance(20);
    let first = rig.asked("sse?");
    assert_eq!(first.path.matches("&channel=").count(), 20);
    rig.stream_goes_on(0, 0);
    for room in 0..20 {
        rig.says(&says::subscribed(&format!("room:{room}"), "roomone1", 0, 0, false));
    }
    rig.advance(0);
    let second = rig.asked("sse?");
    assert_ne!(second.number, first.number);
    assert_eq!(second.path.matches("&channel=").count(), 5);
    assert_eq!(second.cursors().len(), 22);
}

#[test]
fn a_channel_that_is_refused_is_refused_alone() {
    let mut rig = Rig::streaming(&[]);
    rig.want(ROOM);
    rig.advance(20);
    rig.stream_goes_on(0, 0);
    rig.says(&says::error(r#""channel":"room:1","#, "forbidden", "never"));
    let view = rig.client.channel(&channel(ROOM));
    assert_eq!(view.status, ChannelStatus::Refused);
    assert_eq!(view.error.map(|error| error.code).as_deref(), Some("forbidden"));
    assert_eq!(rig.client.connection().status, Status::Connected);
    rig.want("room:3");
    rig.advance(20);
    assert_eq!(rig.asked("sse?").path, "sse?heartbeat=25000&channel=room%3A3");
}

#[test]
fn a_hole_is_repaired_by_opening_it_again() {
    let mut rig = Rig::streaming(&["a"]);
    let first = rig.asked("sse?").number;
    rig.says(&says::notification(3, "c", 3));
    rig.advance(20);
    let again = rig.asked("sse?");
    assert_ne!(again.number, first);
    assert_eq!(again.cursors(), ["inbox:u1 1", "system:all 0"]);
    rig.stream_goes_on(1, 3);
    rig.says(&says::notification(2, "b", 2));
    rig.says(&says::notification(3, "c", 3));
    assert_eq!(rig.arrived(), ["b", "c"]);
}

#[test]
fn a_snapshot_is_asked_for_by_having_no_cursor() {
    let mut rig = Rig::streaming(&["a"]);
    rig.says(&says::gap("inbox:u1", 2, 9, "retention"));
    rig.advance(20);
    assert_eq!(rig.asked("sse?").cursors(), Vec::<String>::new());
    rig.open_stream(&["a", "b"]);
    assert_eq!(rig.ids(), ["b", "a"]);
    assert_eq!(rig.inbox().status, InboxStatus::Live);
}

#[test]
fn waking_up_opens_it_again_but_not_at_every_glance() {
    let mut rig = Rig::streaming(&[]);
    let first = rig.asked("sse?").number;
    rig.advance(9_999);
    rig.event(Event::Woke);
    assert_eq!(rig.asked("sse?").number, first);
    rig.advance(1);
    rig.event(Event::Woke);
    let again = rig.asked("sse?").number;
    assert_ne!(again, first);
    // The server must send something soon.
    rig.advance(9_999);
    assert_eq!(rig.client.connection().status, Status::Connected);
    rig.advance(1);
    assert_eq!(rig.client.connection().status, Status::Waiting);
}

#[test]
fn sleep_is_not_silence() {
    let mut rig = Rig::streaming(&[]);
    let first = rig.asked("sse?").number;
    rig.now.mono += 3_600_000;
    rig.now.wall += 3_600_000;
    rig.event(Event::TimerFired);
    assert_eq!(rig.client.connection().status, Status::Connected);
    let again = rig.asked("sse?");
    assert_ne!(again.number, first);
    rig.stream_goes_on(0, 0);
    rig.advance(30_000);
    assert_eq!(rig.client.connection().status, Status::Connected);
}

#[test]
fn a_new_credential_opens_it_again() {
    let mut rig = Rig::over(TransportKind::Sse);
    let stream = rig.asked("sse?").number;
    rig.status(stream, 200);
    rig.says(&says::connected_until("u1", Some(START + 100_000)));
    for message in &crate::request::beginning(&[])[1..] {
        rig.says(message);
    }
    for _ in 0..4 {
        rig.advance(20_000);
        rig.piece(stream, ":\n\n");
    }
    rig.ticket(Ok(Credential::Ticket("t-2".into())));
    let post = rig.asked("sessions/");
    assert_eq!((&*post.path, post.bearer.as_deref()), ("sessions/s1/messages", Some("st")));
    let sent = post.messages();
    let [ClientMessage::Refresh(refresh)] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!(refresh.ticket.as_deref(), Some("t-2"));
    let until = START + 400_000;
    let answer = format!(
        r#"{{"type":"refreshed","id":{},"session_token":"st-2","expires_at":{until}}}"#,
        refresh.id.unwrap()
    );
    rig.answered(post.number, &answer);
    rig.advance(0);
    let again = rig.asked("sse?");
    assert_ne!(again.number, stream);
    assert_eq!(again.connect().session_token.as_deref(), Some("st-2"));
    assert_eq!(rig.client.connection().status, Status::Connected);
}

#[test]
fn goaway_is_obeyed() {
    let mut rig = Rig::streaming(&[]);
    rig.says(r#"{"type":"goaway","within_ms":4000}"#);
    let stream = rig.asked("sse?").number;
    assert!(rig.wait_for_attempt() <= 4_000);
    assert_eq!(rig.requests, [], "{stream} is let go");
}

#[test]
fn closing_lets_go_of_everything() {
    let mut rig = Rig::streaming(&["a"]);
    rig.mark(5, &["a"], crate::harness::READ);
    assert_eq!(rig.requests.len(), 2);
    rig.event(Event::CloseRequested);
    assert_eq!(rig.requests, []);
    assert_eq!(rig.timer, None);
}

#[test]
fn a_lost_last_record_is_found_by_the_heartbeat() {
    let mut rig = Rig::streaming(&["a"]);
    let first = rig.asked("sse?").number;
    rig.says(&says::pong(r#""inbox:u1":1"#));
    rig.advance(20);
    assert_eq!(rig.asked("sse?").number, first);
    rig.says(&says::pong(r#""inbox:u1":1,"system:all":1"#));
    rig.advance(20);
    let again = rig.asked("sse?");
    assert_eq!(again.cursors(), ["inbox:u1 1", "system:all 0"]);
    assert_ne!(again.number, first);
    rig.status(again.number, 200);
    rig.says(&says::connected("u1"));
    rig.says(&says::subscribed("inbox:u1", "inboxone", 1, 1, true));
    rig.says(&says::subscribed("system:all", "system01", 1, 0, true));
    rig.says(&says::broadcast(1, "news"));
    assert_eq!(rig.arrived(), ["news"]);
    assert_eq!(rig.client.connection().status, Status::Connected);
}

#[test]
fn one_whose_time_is_up_is_opened_again_and_nobody_sees_it() {
    let mut rig = Rig::streaming(&["a"]);
    for life in 0..3 {
        rig.advance(20_000);
        let stream = rig.asked("sse?").number;
        rig.request_ended(stream, None);
        let again = rig.asked("sse?");
        assert_eq!(again.connect().session_token.as_deref(), Some("st"), "{life}");
        assert_eq!(again.cursors(), ["inbox:u1 1", "system:all 0"], "{life}");
        assert_eq!(rig.client.connection().status, Status::Connected);
        rig.stream_goes_on(1, 1);
    }
    assert_eq!(rig.fetches, 1);
    rig.says(&says::notification(2, "b", 2));
    assert_eq!(rig.arrived(), ["b"]);
}

#[test]
fn one_that_ends_at_once_is_none_whose_time_is_up() {
    let mut rig = Rig::streaming(&[]);
    rig.advance(9_999);
    let stream = rig.asked("sse?").number;
    rig.request_ended(stream, None);
    assert_eq!(rig.client.connection().status, Status::Waiting);
}

#[test]
fn one_that_ends_with_a_reason_is_not_opened_again_without_a_ticket() {
    for last in [says::error("", "revoked", "ticket"), says::error("", "restart", "backoff")] {
        let mut rig = Rig::streaming(&[]);
        rig.advance(20_000);
        let stream = rig.asked("sse?").number;
        rig.says(&last);
        rig.request_ended(stream, None);
        assert_eq!(rig.client.connection().status, Status::Waiting, "{last}");
        assert_eq!(rig.requests, []);
    }
}
