use tidings_client_core::{Command, Status};
use tidings_protocol::ClientMessage;

use crate::{
    harness::{READ, Rig, UNREAD},
    marks::settled,
    says,
};

/// Lane and `seq` of the marks sent since the last call.
fn lanes(rig: &mut Rig) -> Vec<(String, u64)> {
    rig.sent()
        .into_iter()
        .filter_map(|message| match message {
            ClientMessage::Mark(mark) => Some((mark.client_id?, mark.seq?)),
            _ => None,
        })
        .collect()
}

fn lane(name: &str, seqs: impl IntoIterator<Item = u64>) -> Vec<(String, u64)> {
    seqs.into_iter().map(|seq| (String::from(name), seq)).collect()
}

#[test]
fn what_was_made_offline_goes_out_in_order_after_connecting() {
    let mut rig = Rig::live_with(&["a", "b"]);
    rig.cut();
    rig.mark(1, &["a"], READ);
    rig.mark(2, &["a"], UNREAD);
    rig.mark(3, &["b"], READ);
    assert!(lanes(&mut rig).is_empty());
    rig.reopen();
    rig.receive(&says::connected("u1"));
    assert_eq!(lanes(&mut rig), lane("lane-1", 1..=3));
}

#[test]
fn unanswered_intents_are_sent_again_under_the_same_numbers() {
    let mut rig = Rig::live_with(&["a", "b"]);
    rig.mark(1, &["a"], READ);
    rig.mark(2, &["b"], READ);
    rig.receive(&says::ack("lane-1", 1, 3));
    rig.take();
    rig.cut();
    rig.reopen();
    rig.receive(&says::connected("u1"));
    assert_eq!(lanes(&mut rig), lane("lane-1", [2]));
    rig.receive(&says::ack("lane-1", 2, 4));
    assert!(settled(&rig, 2));
}

#[test]
fn a_hole_in_the_lane_moves_what_is_unanswered_to_a_new_one() {
    let mut rig = Rig::live_with(&["a", "b"]);
    rig.mark(1, &["a"], READ);
    rig.mark(2, &["b"], READ);
    rig.take();
    for seq in [1, 2] {
        let fields = format!(r#""client_id":"lane-1","seq":{seq},"#);
        let refusal = says::error(&fields, "sequence", "backoff").replace("}", ",\"expected\":7}");
        rig.receive(&refusal);
    }
    assert_eq!(lanes(&mut rig), lane("lane-2", [1, 2]), "once, though both were refused");
    rig.mark(3, &["a"], UNREAD);
    assert_eq!(lanes(&mut rig), lane("lane-2", [3]));
    rig.receive(&says::ack("lane-2", 1, 3));
    assert!(settled(&rig, 1));
}

/// Found by the simulation (seeds 4 and 1645 of its day): an intent that had been sent again was
/// sent a third time in a new lane, and the server stored it twice.
#[test]
fn a_refusal_of_an_earlier_send_moves_nothing() {
    let mut rig = Rig::live_with(&["a", "b"]);
    rig.mark(1, &["a"], READ);
    rig.mark(2, &["b"], READ);
    let ids = |rig: &mut Rig| {
        let of = |message: &ClientMessage| match message {
            ClientMessage::Mark(mark) => mark.id,
            _ => None,
        };
        rig.sent().iter().filter_map(of).collect::<Vec<u64>>()
    };
    let first = ids(&mut rig);
    let fields = |id: u64, seq: u64| format!(r#""id":{id},"client_id":"lane-1","seq":{seq},"#);
    let refused = |id, seq, code| says::error(&fields(id, seq), code, "backoff");
    rig.receive(&refused(first[0], 1, "restart"));
    rig.advance(2_000);
    let second = ids(&mut rig);
    assert_eq!(second.len(), 2, "both are sent again");
    // The network was slow: this answers the first send.
    let hole = refused(first[1], 2, "sequence").replace('}', ",\"expected\":1}");
    rig.receive(&hole);
    rig.receive(&refused(first[1], 2, "flood"));
    rig.advance(2_000);
    assert!(ids(&mut rig).is_empty(), "the second time is still to be answered");
    assert!(!rig.commands.iter().any(|command| matches!(command, Command::Report(_))));
    // The same answer to the second send counts.
    rig.receive(&hole.replace(&format!("\"id\":{}", first[1]), &format!("\"id\":{}", second[1])));
    assert_eq!(lanes(&mut rig), lane("lane-1", [1, 2]));
}

#[test]
fn a_passing_refusal_waits_and_sends_everything_again() {
    let mut rig = Rig::live_with(&["a", "b"]);
    rig.mark(1, &["a"], READ);
    rig.mark(2, &["b"], READ);
    rig.take();
    rig.receive(
        r#"{"type":"error","client_id":"lane-1","seq":1,"code":"flood","message":"slow down","retry":"backoff","retry_after_ms":3000}"#,
    );
    assert!(rig.item("a").read, "not rolled back");
    rig.advance(2_999);
    assert!(lanes(&mut rig).is_empty());
    rig.advance(1_001);
    assert_eq!(lanes(&mut rig), lane("lane-1", [1, 2]));
}

#[test]
fn an_answer_that_stays_away_is_asked_for_again() {
    let mut rig = Rig::live_with(&["a"]);
    rig.mark(1, &["a"], READ);
    rig.take();
    rig.advance(10_000);
    assert_eq!(lanes(&mut rig), lane("lane-1", [1]));
    assert_eq!(rig.client.connection().status, Status::Connected);
    rig.receive(&says::ack("lane-1", 1, 2));
    rig.receive(&says::ack("lane-1", 1, 2));
    let answers = rig.commands.iter().filter(|c| matches!(c, Command::Settled { .. })).count();
    assert_eq!(answers, 1);
}

#[test]
fn only_so_many_are_on_their_way_at_once() {
    let mut rig = Rig::live_with(&["a"]);
    for intent in 1..=40 {
        rig.mark(intent, &["a"], READ);
    }
    assert_eq!(lanes(&mut rig), lane("lane-1", 1..=16));
    rig.receive(&says::ack("lane-1", 1, 2));
    assert_eq!(lanes(&mut rig), lane("lane-1", [17]));
}

#[test]
fn answers_of_an_unknown_lane_change_nothing() {
    let mut rig = Rig::live_with(&["a"]);
    rig.mark(1, &["a"], READ);
    rig.receive(&says::ack("lane-9", 1, 2));
    rig.receive(&says::error(r#""client_id":"lane-9","seq":1,"#, "forbidden", "never"));
    assert_eq!(rig.client.outbox().pending, 1);
    assert!(rig.item("a").read);
}

/// Found by the simulation (seed 1798601310): refusals overtake the answers to earlier sends, which
/// wait for a commit. The earlier intents were sent again, and used up the budget that the refused
/// one waited for, each time.
#[test]
fn what_was_sent_before_a_refused_intent_is_not_sent_again_for_that() {
    let mut rig = Rig::live_with(&["a", "b"]);
    rig.mark(1, &["a"], READ);
    rig.mark(2, &["b"], READ);
    rig.mark(3, &["a"], UNREAD);
    rig.take();
    for seq in [2, 3] {
        let fields = format!(r#""client_id":"lane-1","seq":{seq},"#);
        rig.receive(&says::error(&fields, "flood", "backoff"));
    }
    rig.receive(&says::ack("lane-1", 1, 3));
    assert!(settled(&rig, 1));
    rig.advance(10_000);
    assert_eq!(lanes(&mut rig), lane("lane-1", [2, 3]));
}
