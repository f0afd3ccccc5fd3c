//! Messages that the client sends in POST requests.

use tidings_client_core::{Command, Event, Filter, Status};
use tidings_protocol::ClientMessage;

use crate::{
    harness::{READ, Rig},
    room, says,
};

fn settled(rig: &Rig) -> Vec<(u64, bool)> {
    let one = |command: &Command| match command {
        Command::Settled { intent, result } => Some((*intent, result.is_ok())),
        _ => None,
    };
    rig.commands.iter().filter_map(one).collect()
}

fn seqs(messages: &[ClientMessage]) -> Vec<u64> {
    let seq = |message: &ClientMessage| match message {
        ClientMessage::Mark(mark) => mark.seq,
        ClientMessage::Publish(publish) => publish.seq,
        other => panic!("{other:?}"),
    };
    messages.iter().map(|message| seq(message).unwrap()).collect()
}

#[test]
fn one_request_at_a_time_takes_all_that_waits() {
    let mut rig = Rig::streaming(&["a", "b", "c"]);
    rig.mark(1, &["a"], READ);
    rig.mark(2, &["b"], READ);
    rig.publish(3, "hi");
    let first = rig.asked("sessions/");
    assert_eq!((&*first.path, first.bearer.as_deref()), ("sessions/s1/messages", Some("st")));
    assert_eq!(seqs(&first.messages()), [1]);

    rig.answered(first.number, &format!("{}\n", says::ack("lane-1", 1, 4)));
    assert_eq!(settled(&rig), [(1, true)]);
    let second = rig.asked("sessions/");
    assert_eq!(seqs(&second.messages()), [2, 3]);
    // The last line may lack its newline, and the response may be cut anywhere.
    let body = format!("{}\n{}", says::ack("lane-1", 2, 5), room::ack("lane-1", 3, 1));
    rig.status(second.number, 200);
    for piece in body.split_inclusive(|_: char| true) {
        rig.piece(second.number, piece);
    }
    rig.request_ended(second.number, None);
    assert_eq!(settled(&rig), [(1, true), (2, true), (3, true)]);
    assert!(!rig.asks("sessions/"));
}

#[test]
fn a_record_may_come_before_its_answer() {
    let mut rig = Rig::streaming(&["a"]);
    rig.mark(1, &["a"], READ);
    let post = rig.asked("sessions/").number;
    let counts = says::counts((0, 0), (0, 0, 0));
    let covers = r#""offsets":{"inbox":[1]}"#;
    rig.says(&says::marked(2, covers, r#"{"read":true}"#, Some(("lane-1", 1)), &counts));
    assert_eq!(settled(&rig), [(1, true)]);
    rig.answered(post, &says::ack("lane-1", 1, 2));
    assert_eq!(settled(&rig), [(1, true)]);
    assert!(rig.item("a").read && !rig.item("a").pending);
}

#[test]
fn a_server_that_is_busy_gets_it_again_later() {
    for (status, body) in [
        (
            429,
            r#"{"type":"x","title":"t","status":429,"code":"flood","detail":"","request_id":"r"}"#,
        ),
        (503, r#"{"code":"storage_unavailable"}"#),
        (429, "<html>too many</html>"),
    ] {
        let mut rig = Rig::streaming(&["a"]);
        rig.mark(1, &["a"], READ);
        let post = rig.asked("sessions/").number;
        let event = Event::RequestAnswered { request: post, status, retry_after_ms: Some(3_000) };
        rig.event(event);
        rig.piece(post, body);
        rig.request_ended(post, None);
        assert_eq!(rig.client.connection().status, Status::Connected, "{status}");
        assert!(rig.item("a").read && rig.item("a").pending);
        rig.advance(2_999);
        assert!(!rig.asks("sessions/"), "not before it wants to be asked");
        rig.advance(1_001);
        assert_eq!(seqs(&rig.asked("sessions/").messages()), [1]);
        assert_eq!(settled(&rig), []);
    }
}

/// What the server did not take is not answered: a `loadMore` ran out of time.
#[test]
fn a_page_that_a_busy_server_did_not_hear_of_is_asked_for_again() {
    let mut rig = Rig::streaming(&["a"]);
    let lists_more = says::snapshot_of(
        "inboxone",
        1,
        ("system01", 0),
        &says::counts((1, 1), (0, 0, 0)),
        (true, false),
        &[says::item("inbox:u1", 1, "a", false)],
    );
    rig.says(&says::subscribed("inbox:u1", "inboxone", 1, 1, false));
    rig.says(&lists_more);
    rig.event(Event::MoreRequested { filter: Filter::default(), intent: 1 });
    let post = rig.asked("sessions/").number;
    let status = 503;
    rig.event(Event::RequestAnswered { request: post, status, retry_after_ms: Some(3_000) });
    rig.piece(post, r#"{"code":"busy"}"#);
    rig.request_ended(post, None);
    rig.advance(2_999);
    assert!(!rig.asks("sessions/"));
    rig.advance(1_001);
    assert!(rig.asked("sessions/").body.contains("history"));
}

#[test]
fn a_final_refusal_rolls_back_and_the_rest_goes_on() {
    let mut rig = Rig::streaming(&["a", "b"]);
    rig.mark(1, &["a"], READ);
    rig.mark(2, &["b"], READ);
    let first = rig.asked("sessions/").number;
    rig.answered(first, &says::error(r#""client_id":"lane-1","seq":1,"#, "forbidden", "never"));
    assert_eq!(settled(&rig), [(1, false)]);
    assert!(!rig.item("a").read && rig.item("b").read);
    let second = rig.asked("sessions/").number;
    rig.answered(second, &says::ack("lane-1", 2, 3));
    assert_eq!(settled(&rig), [(1, false), (2, true)]);
}

#[test]
fn a_session_that_ended_is_entered_anew() {
    let mut rig = Rig::streaming(&["a"]);
    rig.mark(1, &["a"], READ);
    let post = rig.asked("sessions/").number;
    rig.refused(post, 401, r#"{"code":"expired"}"#);
    assert_eq!(rig.client.connection().status, Status::Waiting);
    assert_eq!(rig.requests, [], "the stream goes with it");
    rig.wait_for_attempt();
    rig.ticket(Ok(tidings_client_core::Credential::Ticket("t-2".into())));
    let stream = rig.asked("sse?").number;
    rig.status(stream, 200);
    assert!(!rig.asks("sessions/"), "not before the server has let it in");
    for message in crate::request::goes_on(1, 1) {
        rig.says(&message);
    }
    assert_eq!(seqs(&rig.asked("sessions/").messages()), [1]);
}

#[test]
fn what_has_no_answer_is_said_again_on_the_next_connection() {
    for give_up in [true, false] {
        let mut rig = Rig::streaming(&["a"]);
        rig.mark(1, &["a"], READ);
        let post = rig.asked("sessions/").number;
        if give_up {
            rig.advance(10_000);
        } else {
            rig.request_ended(post, Some("connection reset"));
        }
        assert_eq!(rig.client.connection().status, Status::Waiting);
        assert_eq!(rig.requests, []);
        assert!(rig.item("a").read && rig.item("a").pending);
    }
}
