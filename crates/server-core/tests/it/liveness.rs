//! Pings, tops and the end of credentials.

use tidings_protocol::{Channel, CloseCode, ServerMessage};
use tidings_server_core::session::{Command, Event, Stream, Wanted};

use crate::harness::{Peer, Server};

fn inside(server: &mut Server) -> Peer {
    let mut peer = server.connect("u1");
    peer.got();
    peer.seen.clear();
    peer
}

/// Lets time pass until the deadline, and feeds it to the session.
fn wait(server: &mut Server, peer: &mut Peer) {
    let at = peer.deadline.expect("a deadline");
    server.pass(at.saturating_sub(server.now.mono));
    server.feed(peer, Event::DeadlinePassed);
}

#[test]
fn a_pong_tells_the_tops_that_changed_since_the_last() {
    let mut server = Server::new();
    let mut peer = inside(&mut server);
    let pong = |server: &mut Server, peer: &mut Peer| {
        server.say(peer, r#"{"type":"ping","id":3}"#);
        match peer.got().pop() {
            Some(ServerMessage::Pong(pong)) => pong,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(pong(&mut server, &mut peer).tops, None);
    server.notify("u1");
    let told = pong(&mut server, &mut peer);
    assert_eq!((told.id, told.now), (Some(3), server.now.wall));
    let tops: Vec<_> =
        told.tops.unwrap().into_iter().map(|(name, top)| (name.to_string(), top)).collect();
    assert_eq!(tops, [("inbox:u1".to_owned(), 1)]);
    assert_eq!(pong(&mut server, &mut peer).tops, None);
}

#[test]
fn a_bare_ping_is_answered_by_a_bare_pong() {
    let mut server = Server::new();
    let mut peer = inside(&mut server);
    server.say(&mut peer, "ping");
    assert_eq!(peer.texts(), ["pong"]);
}

#[test]
fn a_silent_peer_is_pinged_and_then_given_up() {
    let mut server = Server::new();
    let mut peer = inside(&mut server);
    wait(&mut server, &mut peer);
    assert_eq!((peer.seen.as_slice(), peer.closed), (&[Command::Ping][..], None));
    wait(&mut server, &mut peer);
    assert_eq!(peer.closed, Some(CloseCode::AWAY));
    assert_eq!(server.hub.channels(), 0);
}

#[test]
fn a_peer_that_answers_stays() {
    let mut server = Server::new();
    let mut peer = inside(&mut server);
    for round in 1..=20 {
        wait(&mut server, &mut peer);
        assert_eq!(peer.seen.pop(), Some(Command::Ping), "round {round}");
        server.pass(9_999);
        server.feed(&mut peer, Event::ShowedLife);
        assert_eq!(peer.closed, None, "round {round}");
    }
}

#[test]
fn a_peer_that_pings_is_never_pinged() {
    let mut server = Server::new();
    let mut peer = inside(&mut server);
    for _ in 0..20 {
        server.pass(25_000);
        server.say(&mut peer, r#"{"type":"ping"}"#);
        if peer.deadline.is_some_and(|at| at <= server.now.mono) {
            server.feed(&mut peer, Event::DeadlinePassed);
        }
    }
    assert!(peer.seen.is_empty(), "{:?}", peer.seen);
}

#[test]
fn a_credential_that_ends_is_announced_and_then_ends_the_session() {
    let mut server = Server::new();
    let mut peer = inside(&mut server);
    let end = server.now.wall + 3_600_000;
    let mut announced = None;
    while peer.closed.is_none() {
        wait(&mut server, &mut peer);
        server.feed(&mut peer, Event::ShowedLife);
        for message in peer.got() {
            match message {
                ServerMessage::Expiring(expiring) => {
                    assert_eq!((expiring.expires_at, announced), (end, None));
                    announced = Some(server.now.wall);
                }
                ServerMessage::Error(error) => assert_eq!(error.code, "expired"),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(announced, Some(end - 60_000));
    assert_eq!((peer.closed, server.now.wall), (Some(CloseCode::EXPIRED), end + 10_000));
}

#[test]
fn a_jump_of_the_wall_clock_over_the_end_is_noticed_at_the_next_deadline() {
    let mut server = Server::new();
    let mut peer = inside(&mut server);
    server.now.wall += 4_000_000;
    wait(&mut server, &mut peer);
    assert_eq!(peer.closed, Some(CloseCode::EXPIRED));
}

#[test]
fn a_drain_is_announced_with_its_window() {
    let mut server = Server::new();
    let mut peer = inside(&mut server);
    server.feed(&mut peer, Event::Draining { within_ms: 5_000 });
    assert!(
        matches!(&peer.got()[..], [ServerMessage::Goaway(goaway)] if goaway.within_ms == 5_000)
    );
    server.notify("u1");
    assert_eq!(peer.types(), ["notification"], "served to the last");
}

/// An open stream that has received its first messages.
fn listening(server: &mut Server, stream: Stream) -> Peer {
    let mut peer = server.open();
    peer.want(Wanted { stream: Some(stream), ..Wanted::default() });
    server.say(&mut peer, r#"{"type":"connect","version":1,"token":"u1"}"#);
    peer.got();
    peer.seen.clear();
    peer
}

#[test]
fn a_stream_is_told_time_and_tops_at_each_heartbeat_whatever_else_comes() {
    let mut server = Server::new();
    let mut peer = listening(&mut server, Stream::Told);
    let pongs = |peer: &mut Peer| -> Vec<_> {
        let pong = |message| match message {
            ServerMessage::Pong(pong) => Some(pong),
            _ => None,
        };
        peer.got().into_iter().filter_map(pong).collect()
    };
    server.pass(20_000);
    server.notify("u1");
    assert_eq!(pongs(&mut peer), []);
    wait(&mut server, &mut peer);
    let told = pongs(&mut peer);
    assert_eq!((told.len(), told[0].id, told[0].now), (1, None, server.now.wall));
    let tops = told[0].tops.clone().unwrap();
    assert_eq!(tops.get(&Channel::inbox("u1").unwrap()), Some(&1));
    for _ in 0..3 {
        wait(&mut server, &mut peer);
        let told = pongs(&mut peer);
        assert_eq!((told.len(), told[0].tops.as_ref()), (1, None), "nothing changed");
    }
    assert!(peer.seen.is_empty(), "and no ping that nobody can answer");
}

#[test]
fn a_stream_with_nothing_but_an_address_gets_comments() {
    let mut server = Server::new();
    let mut peer = listening(&mut server, Stream::Plain);
    wait(&mut server, &mut peer);
    assert_eq!(peer.got(), []);
    assert_eq!(peer.seen, [Command::Ping]);
}

#[test]
fn a_stream_ends_in_time_without_an_error_so_that_a_dead_one_holds_no_place() {
    for stream in [Stream::Told, Stream::Plain] {
        let mut server = Server::new();
        let mut peer = listening(&mut server, stream);
        let from = server.now.mono;
        while peer.closed.is_none() {
            wait(&mut server, &mut peer);
            server.feed(&mut peer, Event::ShowedLife);
            assert!(server.now.mono - from <= 240_000);
        }
        assert!(server.now.mono - from >= 180_000);
        assert_eq!(peer.closed, Some(CloseCode::AWAY));
        assert!(!peer.types().contains(&"error"));
        assert_eq!(server.hub.channels(), 0);
    }
}
