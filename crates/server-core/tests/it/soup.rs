//! Random messages and events in random order: nothing panics, and a closed connection leaves
//! nothing behind.

use proptest::prelude::*;
use tidings_server_core::session::Event;

use crate::harness::Server;

/// A message that is valid by itself, or an invalid text.
fn text() -> impl Strategy<Value = String> {
    let sound = prop::sample::select(vec![
        r#"{"type":"ping","id":1}"#,
        "ping",
        r#"{"type":"connect","version":1,"token":"u1+rooms"}"#,
        r#"{"type":"subscribe","channel":"inbox:u1"}"#,
        r#"{"type":"subscribe","channel":"system:all","since":"first"}"#,
        r#"{"type":"subscribe","channel":"system:all","since":{"epoch":"AAAAAAAA","offset":0}}"#,
        r#"{"type":"subscribe","channel":"inbox:u1","since":{"epoch":"AAAAAAAA","offset":9007199254740991}}"#,
        r#"{"type":"subscribe","channel":"room:a"}"#,
        r#"{"type":"subscribe","channel":"room:b","since":"first"}"#,
        r#"{"type":"unsubscribe","channel":"room:a"}"#,
        r#"{"type":"publish","channel":"room:a","data":1}"#,
        r#"{"type":"publish","channel":"room:a","client_id":"l","seq":1,"data":1}"#,
        r#"{"type":"mark","epochs":{},"up_to":{"inbox":9007199254740991},"set":{"read":true}}"#,
        r#"{"type":"mark","client_id":"l","seq":2,"epochs":{"inbox":"AAAAAAAA"},"offsets":{"inbox":[1]},"set":{"read":true}}"#,
        r#"{"type":"history","channel":"inbox:u1","before":0,"limit":0}"#,
        r#"{"type":"history","channel":"room:a","after":9007199254740991,"limit":4294967295}"#,
        r#"{"type":"refresh","ticket":"u1"}"#,
        r#"{"type":"refresh","ticket":"wrong"}"#,
        r#"{"type":"void","client_id":"l","seq":3}"#,
        r#"{"type":"set","channel":"room:a","client_id":"l","seq":4,"key":"k","data":1}"#,
    ]);
    prop_oneof![9 => sound.prop_map(String::from), 1 => "\\PC{0,40}"]
}

/// Feeds an event, chosen by number.
fn world(server: &mut Server, peer: &mut crate::harness::Peer, what: u8) {
    match what {
        0 => server.feed(peer, Event::DeadlinePassed),
        1 => server.feed(peer, Event::Drained),
        2 => server.feed(peer, Event::ShowedLife),
        3 => server.feed(peer, Event::Draining { within_ms: 1 }),
        4 => server.feed(peer, Event::BinaryReceived),
        5 => {
            server.notify("u1");
        }
        6 => {
            server.broadcast();
        }
        7 => peer.slow_store = true,
        8 => server.answer_store(peer),
        9 => peer.stuck = !peer.stuck,
        10 => server.pass(7_000),
        11 => server.feed(peer, Event::TicketOffered { ticket: "u1" }),
        12 => server.feed(peer, Event::Admitted),
        13 => {
            let identity = server.identity("u1");
            server.feed(peer, Event::Authenticated(Box::new(identity)));
        }
        _ => server.settle(peer),
    }
}

proptest! {
    #[test]
    fn nothing_panics_and_whoever_leaves_is_gone(
        connected: bool,
        steps in prop::collection::vec(prop_oneof![text().prop_map(Ok), (0..15_u8).prop_map(Err)], 0..60),
    ) {
        let mut server = Server::new();
        let mut peer = if connected { server.connect("u1+rooms") } else { server.open() };
        for step in steps {
            match step {
                Ok(text) => server.say(&mut peer, &text),
                Err(what) => world(&mut server, &mut peer, what),
            }
            if peer.closed.is_some() {
                prop_assert_eq!(server.hub.channels(), 0);
            }
        }
        server.feed(&mut peer, Event::TransportClosed);
        server.answer_store(&mut peer);
        prop_assert_eq!(server.hub.channels(), 0);
    }
}
