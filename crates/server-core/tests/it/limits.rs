//! Limits of size and rate, and unreadable messages.

use tidings_protocol::CloseCode;
use tidings_server_core::{Limits, Session, session::Event};

use crate::harness::Server;

#[test]
fn a_message_over_the_size_ends_the_connection() {
    let mut server = Server::new();
    let mut peer = server.connect("u1");
    peer.got();
    let text = format!(r#"{{"type":"void","client_id":"{}","seq":1}}"#, "x".repeat(10 * 1024));
    server.say(&mut peer, &text);
    let error = peer.error();
    assert_eq!((error.code.as_str(), peer.closed), ("too_large", Some(CloseCode::TOO_LARGE)));
    let (most, size) = ("10240 bytes (`limits.message_bytes`)", text.len().to_string());
    assert!(error.message.contains(most) && error.message.contains(&size), "{}", error.message);
}

#[test]
fn a_connect_may_be_larger_than_other_messages() {
    let mut server = Server::new();
    let mut peer = server.connect_with("u1", &format!(r#","ignored":"{}""#, "x".repeat(60 * 1024)));
    assert_eq!(peer.types()[0], "connected");
    let mut peer = server.connect_with("u1", &format!(r#","ignored":"{}""#, "x".repeat(64 * 1024)));
    assert_eq!(peer.error().code, "too_large");
}

#[test]
fn nonsense_is_answered_a_few_times_and_then_ends_the_connection() {
    let mut server = Server::new();
    let mut peer = server.connect("u1");
    peer.got();
    let nonsense =
        ["{", "[]", "null", r#"{"type":7}"#, r#"{"type":"ping","type":"ping"}"#, "\u{0}"];
    for text in nonsense.into_iter().cycle().take(9) {
        server.say(&mut peer, text);
        assert_eq!(peer.error().code, "bad_request", "{text:?}");
    }
    server.feed(&mut peer, Event::BinaryReceived);
    assert_eq!((peer.error().code.as_str(), peer.closed), ("bad_request", None));
    server.say(&mut peer, "{");
    assert_eq!(peer.closed, Some(CloseCode::BAD_REQUEST));
}

#[test]
fn a_flood_is_answered_and_then_ends_the_connection() {
    let mut server =
        Server::with(Limits { message_burst: 5, flood_strikes: 3, ..Limits::default() });
    let mut peer = server.connect("u1");
    peer.got();
    for _ in 0..4 {
        server.say(&mut peer, r#"{"type":"ping"}"#);
        assert_eq!(peer.types(), ["pong"]);
    }
    for _ in 0..3 {
        server.say(&mut peer, r#"{"type":"mark","client_id":"l","seq":1,"epochs":{},"set":{}}"#);
        let error = peer.error();
        assert_eq!((error.code.as_str(), error.seq), ("flood", Some(1)));
        assert!(error.retry_after_ms.is_some_and(|wait| wait > 0));
    }
    server.pass(20);
    server.say(&mut peer, r#"{"type":"ping"}"#);
    assert_eq!(peer.types(), ["pong"], "who waits is heard");
    server.say(&mut peer, r#"{"type":"ping"}"#);
    assert_eq!(peer.error().code, "flood", "and one strike is taken back");
    server.say(&mut peer, r#"{"type":"ping"}"#);
    assert_eq!((peer.error().code.as_str(), peer.closed), ("flood", Some(CloseCode::FLOOD)));
}

#[test]
fn reading_pauses_while_too_much_is_under_way() {
    let mut server = Server::with(Limits { outstanding: 3, ..Limits::default() });
    let mut peer = server.connect("u1+rooms");
    peer.got();
    assert!(!peer.paused);
    peer.slow_store = true;
    for _ in 0..3 {
        server.say(&mut peer, r#"{"type":"publish","channel":"room:a","data":1}"#);
    }
    assert!(peer.paused);
    server.answer_store(&mut peer);
    assert!(!peer.paused);
    assert_eq!(peer.types(), ["ack", "ack", "ack"]);
}

#[test]
fn a_connection_holds_so_many_channels() {
    let mut server = Server::with(Limits { subscriptions: 4, ..Limits::default() });
    let mut peer = server.connect("u1+rooms");
    for room in ["a", "b"] {
        server.say(&mut peer, &format!(r#"{{"type":"subscribe","channel":"room:{room}"}}"#));
    }
    peer.got();
    server.say(&mut peer, r#"{"type":"subscribe","channel":"room:c"}"#);
    assert_eq!(peer.error().code, "subscriptions");
    server.say(&mut peer, r#"{"type":"unsubscribe","channel":"room:a"}"#);
    server.say(&mut peer, r#"{"type":"subscribe","channel":"room:c"}"#);
    assert_eq!(peer.types(), ["unsubscribed", "subscribed"]);
}

#[test]
fn a_session_is_small() {
    assert!(size_of::<Session>() <= 96, "{} bytes", size_of::<Session>());
}
