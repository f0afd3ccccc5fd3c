//! From open to `connected`.

use tidings_protocol::{CloseCode, ErrorCode, ServerMessage};
use tidings_server_core::session::{Command, Event, Excess};

use crate::harness::Server;

#[test]
fn a_new_user_gets_connected_both_subscriptions_and_an_empty_snapshot() {
    let mut server = Server::new();
    let mut peer = server.connect("u1");
    assert_eq!(peer.types(), ["connected", "subscribed", "subscribed", "snapshot"]);
    server.notify("u1");
    server.broadcast();
    assert_eq!(peer.types(), ["notification", "notification"]);
}

#[test]
fn connected_says_who_and_how() {
    let mut server = Server::new();
    let mut peer = server.connect_with("u1", r#","id":7"#);
    match peer.got().remove(0) {
        ServerMessage::Connected(connected) => {
            assert_eq!((connected.id, connected.user_id.as_str()), (Some(7), "u1"));
            assert_eq!((connected.heartbeat_ms, connected.timeout_ms), (25_000, 10_000));
            assert_eq!(
                (connected.session_token.as_str(), connected.now),
                ("secret", server.now.wall)
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_says_nothing_is_sent_away_after_the_deadline() {
    let mut server = Server::new();
    let mut peer = server.open();
    assert_eq!(peer.deadline, Some(server.now.mono + 10_000));
    server.pass(9_999);
    server.feed(&mut peer, Event::DeadlinePassed);
    assert_eq!(peer.closed, None);
    server.pass(1);
    server.feed(&mut peer, Event::DeadlinePassed);
    assert_eq!(peer.closed, Some(CloseCode::TIMEOUT));
    assert_eq!(peer.error().code, "timeout");
}

#[test]
fn the_first_message_must_be_connect() {
    for text in [r#"{"type":"ping"}"#, "nonsense", r#"{"type":"no_such"}"#] {
        let mut server = Server::new();
        let mut peer = server.open();
        server.say(&mut peer, text);
        assert_eq!(peer.closed, Some(CloseCode::BAD_REQUEST), "{text}");
        assert_eq!(peer.error().code, "bad_request", "{text}");
    }
}

#[test]
fn a_refusal_is_told_before_the_close() {
    let mut server = Server::new();
    let mut peer = server.connect("wrong");
    assert_eq!(peer.error().code, "ticket_invalid");
    assert_eq!(peer.closed, Some(CloseCode::UNAUTHORIZED));
    assert_eq!(peer.deadline, None);
}

#[test]
fn a_bad_connect_names_its_fault() {
    let cases = [
        (r#"{"type":"connect","version":9,"token":"u1"}"#, CloseCode::VERSION, "version"),
        (
            r#"{"type":"connect","version":1,"token":"u1","ticket":"u1"}"#,
            CloseCode::BAD_REQUEST,
            "bad_request",
        ),
        (
            r#"{"type":"connect","version":1,"token":"u1","instance":""}"#,
            CloseCode::BAD_REQUEST,
            "bad_request",
        ),
        (r#"{"type":"connect","version":1}"#, CloseCode::UNAUTHORIZED, "unauthorized"),
        (r#"{"type":"connect","token":"u1"}"#, CloseCode::BAD_REQUEST, "bad_request"),
    ];
    for (text, close, code) in cases {
        let mut server = Server::new();
        let mut peer = server.open();
        server.say(&mut peer, text);
        assert_eq!((peer.closed, peer.error().code.as_str()), (Some(close), code), "{text}");
    }
}

#[test]
fn a_ticket_in_the_query_stands_for_connect() {
    let mut server = Server::new();
    let mut peer = server.open();
    server.feed(&mut peer, Event::TicketOffered { ticket: "u1" });
    assert_eq!(peer.types(), ["connected", "subscribed", "subscribed", "snapshot"]);
}

#[test]
fn the_connection_is_counted_in_under_its_instance() {
    let mut server = Server::new();
    let peer = server.connect_with("u1", r#","instance":"page-1","batch":true"#);
    assert_eq!(peer.seen[0], Command::JoinFrames);
    match &peer.seen[1] {
        Command::Admit { user, instance, .. } => {
            assert_eq!((user.as_str(), instance.as_deref()), ("u1", Some("page-1")));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn whoever_leaves_is_gone_from_the_hub() {
    let mut server = Server::new();
    let mut peer = server.connect("u1");
    assert_eq!(server.hub.channels(), 2);
    server.feed(&mut peer, Event::TransportClosed);
    assert_eq!(server.hub.channels(), 0);
}

#[test]
fn a_session_that_ends_leaves_the_hub_before_its_transport_does() {
    for (event, close) in [
        (Event::Replaced, CloseCode::REPLACED),
        (Event::Revoked, CloseCode::REVOKED),
        (Event::Stopping, CloseCode::RESTART),
        (Event::NoRoom, CloseCode::TRY_LATER),
        (Event::TooLarge(Excess::Frames(64)), CloseCode::TOO_LARGE),
        (Event::NotUtf8, CloseCode::INVALID_UTF8),
        (Event::Stalled, CloseCode::SLOW_CONSUMER),
    ] {
        let mut server = Server::new();
        let mut peer = server.connect("u1");
        peer.got();
        server.feed(&mut peer, event);
        assert_eq!((peer.closed, server.hub.channels()), (Some(close), 0));
        let told = peer.error();
        assert_eq!(ErrorCode::from_name(&told.code).unwrap().close(), Some(close));
        server.notify("u1");
        server.say(&mut peer, r#"{"type":"ping"}"#);
        assert!(peer.got().is_empty(), "nothing is sent after the end");
    }
}

#[test]
fn a_store_that_is_away_ends_a_session_that_needs_it() {
    let mut server = Server::new();
    let mut peer = server.open();
    peer.slow_store = true;
    server.say(&mut peer, r#"{"type":"connect","version":1,"token":"u1"}"#);
    peer.got();
    let error = tidings_server_core::store::StoreError::Unavailable("disk".into());
    server.feed(&mut peer, Event::StoreFailed { request: 0, error });
    assert_eq!(peer.closed, Some(CloseCode::TRY_LATER));
    assert_eq!(
        peer.error().message,
        crate::harness::unavailable().message(),
        "the reason stays in the server's log"
    );
}
