//! Networks that let only some transports through, and networks that recover.

use tidings_client_core::{Event, Status, TransportKind};

use crate::{
    fallback::{fails, fell_back, tried, wanting},
    harness::Rig,
    request::beginning,
};

use TransportKind::{Poll, Sse, Ws};

/// A client with an open stream, and the stream's first messages so far.
fn streaming(messages: usize) -> Rig {
    let mut rig = wanting();
    assert_eq!(tried(&mut rig), Ws);
    fails(&mut rig, Ws);
    assert_eq!(tried(&mut rig), Sse);
    let stream = rig.asked("sse?").number;
    rig.status(stream, 200);
    for message in beginning(&["a"]).iter().take(messages) {
        rig.says(message);
    }
    rig
}

#[test]
fn a_stream_of_which_a_full_buffer_alone_gets_through_is_left_for_polling() {
    for messages in 1..4 {
        let mut rig = streaming(messages);
        assert_eq!(rig.client.connection().status, Status::Connected);
        rig.advance(10_000);
        assert_eq!(tried(&mut rig), Poll, "after {messages}");
    }
}

#[test]
fn a_network_that_came_back_may_let_more_through_which_is_tried_at_once() {
    let mut rig = fell_back();
    let stream = rig.asked("sse?").number;
    for _ in 0..2 {
        rig.event(Event::WentOnline);
        assert!(rig.transport.is_none(), "not all clients at the same time");
        rig.advance(1_000);
        assert!(rig.transport.is_some());
        rig.cut();
        rig.advance(3_000);
        assert!(rig.transport.is_none());
        rig.piece(stream, ":\n\n");
    }
    // It did not come; the client tries on as before.
    while rig.transport.is_none() {
        rig.advance(1_000);
        rig.piece(stream, ":\n\n");
        assert!(rig.now.mono < 200_000);
    }
    assert_eq!(rig.asked("sse?").number, stream, "the other goes on");
}
