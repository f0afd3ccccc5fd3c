//! A user's rates over all connections: sessions share one account.

use tidings_protocol::CloseCode;
use tidings_server_core::{
    Limits,
    budget::{Cost, Rate},
    session::{Event, Guard, Wanted},
};

use crate::harness::{Peer, Server};

fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

fn publish(server: &mut Server, peer: &mut Peer, id: u64) -> String {
    let text = format!(
        r#"{{"type":"publish","id":{id},"channel":"room:a","client_id":"l","seq":{id},"data":1}}"#
    );
    server.say(peer, &text);
    peer.types().join(" ")
}

#[test]
fn a_users_messages_are_one_budget_over_sockets_and_posts() {
    let mut server = Server::with(limits(|limits| limits.user.messages = Rate::every_ms(3, 1_000)));
    let mut first = server.connect("u1+rooms");
    let mut second = server.connect("u1+rooms");
    let mut other = server.connect("u2+rooms");
    first.got();
    second.got();
    other.got();
    assert_eq!(publish(&mut server, &mut first, 1), "ack");
    assert_eq!(publish(&mut server, &mut second, 2), "ack");
    let mut post = server.post("u1+rooms", Guard::default());
    assert_eq!(publish(&mut server, &mut post, 3), "ack");
    for peer in [&mut first, &mut second, &mut post] {
        let text =
            r#"{"type":"publish","id":4,"channel":"room:a","client_id":"l","seq":4,"data":1}"#;
        server.say(peer, text);
        let error = peer.error();
        assert_eq!((error.code.as_str(), error.id, error.seq), ("flood", Some(4), Some(4)));
        // The time until three may be sent: the number that a client sends at once, limited by the
        // burst.
        assert_eq!(error.retry_after_ms, Some(3_000));
    }
    assert_eq!(
        publish(&mut server, &mut other, 1),
        "ack",
        "another user has a budget of their own"
    );
    server.pass(3_000);
    // The refusal was only temporary: the position in the lane is not consumed.
    assert_eq!(publish(&mut server, &mut second, 4), "ack");
}

#[test]
fn a_budget_used_up_elsewhere_closes_no_connection_and_keeps_all_alive() {
    let mut server =
        Server::with(limits(|limits| limits.user.messages = Rate::every_ms(1, 3_600_000)));
    let mut peer = server.connect("u1+rooms");
    peer.got();
    assert_eq!(publish(&mut server, &mut peer, 1), "ack");
    for id in 2..90 {
        assert_eq!(publish(&mut server, &mut peer, id), "error");
    }
    assert_eq!(peer.closed, None, "no strike for what others may have used");
    server.pass(10_000);
    for (say, hear) in [
        (r#"{"type":"ping"}"#, "pong"),
        (r#"{"type":"unsubscribe","channel":"room:a"}"#, "unsubscribed"),
        (r#"{"type":"refresh","id":1,"token":"u1+rooms"}"#, "refreshed"),
    ] {
        server.say(&mut peer, say);
        assert_eq!(peer.types(), [hear]);
    }
}

#[test]
fn bytes_and_reads_are_budgets_of_their_own() {
    let mut server = Server::with(limits(|limits| {
        limits.user.bytes = Rate::per_second(1_000, 1);
        limits.user.reads = Rate::every_ms(2, 60_000);
    }));
    let mut peer = server.connect("u1+rooms");
    peer.got();
    let history = r#"{"type":"history","id":1,"channel":"room:a"}"#;
    server.say(&mut peer, history);
    server.say(&mut peer, r#"{"type":"subscribe","id":2,"channel":"room:a"}"#);
    assert_eq!(peer.types(), ["page", "subscribed"]);
    server.say(&mut peer, history);
    let error = peer.error();
    assert!(error.code == "flood" && error.message.contains("reads"), "{error:?}");
    let large =
        format!(r#"{{"type":"publish","id":3,"channel":"room:a","data":"{}"}}"#, "x".repeat(800));
    server.say(&mut peer, &large);
    assert!(peer.types().contains(&"ack"));
    server.say(&mut peer, &large);
    let error = peer.error();
    assert!(error.code == "flood" && error.message.contains("bytes"), "{error:?}");
}

#[test]
fn a_user_opens_only_so_many_sessions_at_a_time() {
    let mut server = Server::with(limits(|limits| limits.user.opens = Rate::every_ms(2, 500)));
    server.connect("u1");
    server.connect("u1");
    let mut third = server.open();
    server.say(&mut third, r#"{"type":"connect","version":1,"token":"u1"}"#);
    let error = third.error();
    assert_eq!((error.code.as_str(), error.retry_after_ms), ("flood", Some(500)));
    assert_eq!(third.closed, Some(CloseCode::FLOOD));
    server.connect("u2");
    // A polling call whose rate was limited already counts as no new session.
    let mut call = server.open();
    call.want(Wanted { again: true, ..Wanted::default() });
    server.say(&mut call, r#"{"type":"connect","version":1,"token":"u1"}"#);
    assert_eq!(call.closed, None);
    server.pass(500);
    server.connect("u1");
}

#[test]
fn control_frames_are_held_to_the_rate_of_messages() {
    let mut server = Server::new();
    let mut peer = server.connect("u1+rooms");
    peer.got();
    // Well-behaved ones, each second for an hour.
    for _ in 0..3_600 {
        server.pass(1_000);
        server.feed(&mut peer, Event::ControlReceived);
    }
    assert_eq!((peer.closed, peer.types().len()), (None, 0));
    let mut frames = 0;
    while peer.closed.is_none() {
        server.feed(&mut peer, Event::ControlReceived);
        frames += 1;
    }
    assert_eq!(frames, 99 + 20 + 1, "what is left of a burst, and the strikes");
    assert_eq!((peer.error().code.as_str(), peer.closed), ("flood", Some(CloseCode::FLOOD)));
    let account = server.account("u1");
    assert!(account.take_unreported(&server.limits).is_some_and(|cost| cost != Cost::default()));
}

/// An outbox that was filled offline is sent over one connection, at the pace of this project's
/// clients: 16 messages in flight, the next after each answer, a pause when told to. The connection
/// must not end, and no message may be refused permanently.
#[test]
fn an_outbox_of_hundreds_goes_out_over_one_connection() {
    const INTENTS: u64 = 800;
    let mut server = Server::new();
    let mut peer = server.connect("u1+rooms");
    peer.got();
    let mut next = 1;
    while next <= INTENTS {
        let mut wait = None;
        let from = next;
        for id in from..(from + 16).min(INTENTS + 1) {
            let text = format!(
                r#"{{"type":"publish","id":{id},"channel":"room:a","client_id":"l","seq":{id},"data":1}}"#
            );
            server.say(&mut peer, &text);
            match peer.types().first().copied() {
                Some("ack") => next += 1,
                _ => wait = wait.or(Some(340)),
            }
        }
        assert_eq!(peer.closed, None, "after {next}");
        server.pass(wait.unwrap_or(1));
    }
    assert_eq!(server.top("room:a"), INTENTS);
}

/// Small messages that follow a large one in its lane must not use up the bytes that the large one
/// waits for.
#[test]
fn what_follows_a_refused_message_leaves_its_bytes_to_it() {
    let mut server =
        Server::with(limits(|limits| limits.user.bytes = Rate::per_second(4_000, 2_000)));
    let mut peer = server.connect("u1+rooms");
    peer.got();
    let text = |seq: u64, length: usize| {
        let data = "x".repeat(length);
        format!(
            r#"{{"type":"publish","channel":"room:a","client_id":"l","seq":{seq},"data":"{data}"}}"#
        )
    };
    server.say(&mut peer, &text(1, 100));
    assert_eq!(peer.types(), ["ack"]);
    let mut sent = 0;
    while server.top("room:a") < 2 {
        let mut wait = None;
        for seq in 2..18 {
            let length = if seq == 2 { 6_000 } else { 300 };
            server.say(&mut peer, &text(seq, length));
            for message in peer.got() {
                if let tidings_protocol::ServerMessage::Error(error) = message {
                    wait = wait.or(error.retry_after_ms);
                }
            }
        }
        server.pass(wait.unwrap_or_default());
        sent += 1;
        assert!(sent < 5, "the large one never gets through");
    }
}
