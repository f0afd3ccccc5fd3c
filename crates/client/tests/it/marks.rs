use tidings_client_core::{Command, Event, MarkTargets};
use tidings_protocol::{ClientMessage, MarkSet, client::Mark};

use crate::{
    harness::{READ, Rig, UNREAD},
    says,
};

fn sent_marks(rig: &mut Rig) -> Vec<Mark> {
    rig.sent()
        .into_iter()
        .filter_map(|message| match message {
            ClientMessage::Mark(mark) => Some(mark),
            _ => None,
        })
        .collect()
}

#[test]
fn a_mark_shows_at_once_and_names_epochs_and_offsets() {
    let mut rig = Rig::live_with(&["a", "b"]);
    rig.mark(1, &["b"], READ);
    let item = rig.item("b");
    assert!(item.read && item.seen && item.pending, "reading implies having seen");
    assert_eq!(rig.counts(), (1, 1));
    assert_eq!(rig.client.outbox().pending, 1);
    let marks = sent_marks(&mut rig);
    let [mark] = marks.as_slice() else { panic!("{marks:?}") };
    assert_eq!((mark.client_id.as_deref(), mark.seq), (Some("lane-1"), Some(1)));
    assert_eq!(mark.epochs.inbox.unwrap().to_string(), "inboxone");
    assert_eq!(mark.epochs.system, None);
    assert_eq!(mark.offsets.as_ref().unwrap().inbox.as_deref(), Some(&[2][..]));
}

#[test]
fn an_answer_before_the_fact_keeps_the_mark_until_the_fold_has_it() {
    let mut rig = Rig::live_with(&["a", "b"]);
    rig.mark(1, &["b"], READ);
    rig.receive(&says::ack("lane-1", 1, 3));
    assert!(settled(&rig, 1));
    assert!(rig.item("b").read, "no flicker between answer and fact");
    assert!(!rig.item("b").pending);
    assert_eq!((rig.counts(), rig.client.outbox().pending), ((1, 1), 0));
    let counts = says::counts((1, 1), (0, 0, 0));
    rig.receive(&says::marked(3, r#""offsets":{"inbox":[2]}"#, r#"{"read":true}"#, None, &counts));
    assert!(rig.item("b").read);
    assert_eq!(rig.counts(), (1, 1));
}

#[test]
fn a_fact_before_the_answer_settles_the_mark() {
    let mut rig = Rig::live_with(&["a", "b"]);
    rig.mark(1, &["b"], READ);
    let counts = says::counts((1, 1), (0, 0, 0));
    let lane = Some(("lane-1", 1));
    rig.receive(&says::marked(3, r#""offsets":{"inbox":[2]}"#, r#"{"read":true}"#, lane, &counts));
    assert!(settled(&rig, 1));
    assert!(!rig.item("b").pending);
    // Another device undoes it before the answer comes: the later record wins.
    let counts = says::counts((2, 1), (0, 0, 0));
    rig.receive(&says::marked(4, r#""offsets":{"inbox":[2]}"#, r#"{"read":false}"#, None, &counts));
    rig.receive(&says::ack("lane-1", 1, 3));
    assert!(!rig.item("b").read);
    assert_eq!(rig.counts(), (2, 1));
}

#[test]
fn a_refused_mark_is_rolled_back_and_can_be_retried() {
    let mut rig = Rig::live_with(&["a", "b"]);
    rig.mark(1, &["b"], READ);
    rig.take();
    let fields = r#""client_id":"lane-1","seq":1,"#;
    rig.receive(&says::error(fields, "epoch_mismatch", "never"));
    assert!(!rig.item("b").read);
    assert_eq!(rig.counts(), (2, 2));
    let commands = rig.take();
    assert!(commands.iter().any(|c| matches!(c, Command::Settled { intent: 1, result: Err(e) } if e.code == "epoch_mismatch")));
    assert!(commands.iter().any(|c| matches!(c, Command::Failed(failed) if failed.id == 1)));
    assert_eq!(rig.client.outbox().failed.len(), 1);

    rig.event(Event::FailedRetried { id: 1, intent: 2 });
    assert!(rig.client.outbox().failed.is_empty());
    assert!(rig.item("b").read);
    assert_eq!(sent_marks(&mut rig)[0].seq, Some(2));
}

#[test]
fn a_refused_mark_can_be_discarded() {
    let mut rig = Rig::live_with(&["a"]);
    rig.mark(1, &["a"], READ);
    rig.receive(&says::error(r#""client_id":"lane-1","seq":1,"#, "forbidden", "never"));
    rig.event(Event::FailedDiscarded { id: 1 });
    assert!(rig.client.outbox().failed.is_empty());
    rig.event(Event::FailedRetried { id: 1, intent: 2 });
    assert!(rig.commands.iter().any(
        |c| matches!(c, Command::Settled { intent: 2, result: Err(e) } if e.code == "not_found")
    ));
}

#[test]
fn undo_is_a_mark_and_the_later_one_wins() {
    let mut rig = Rig::live_with(&["a"]);
    rig.mark(1, &["a"], READ);
    rig.mark(2, &["a"], UNREAD);
    assert!(!rig.item("a").read);
    assert!(rig.item("a").seen, "taking back a reading does not take back the sight");
    assert_eq!(rig.counts(), (1, 0));
    let seqs: Vec<Option<u64>> = sent_marks(&mut rig).iter().map(|mark| mark.seq).collect();
    assert_eq!(seqs, [Some(1), Some(2)]);
}

#[test]
fn marking_everything_covers_what_is_not_loaded() {
    let mut rig = Rig::new();
    rig.go_live(&[]);
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 70, 70, false));
    let items = [says::item("inbox:u1", 70, "new", false)];
    let counts = says::counts((40, 45), (2, 3, 0));
    rig.receive(&says::snapshot_of("inboxone", 70, ("system01", 5), &counts, (true, true), &items));
    // Five messages to everyone came since the last counts.
    assert_eq!(rig.counts(), (47, 53));
    rig.event(Event::MarkRequested { intent: 1, targets: MarkTargets::All, set: READ });
    assert_eq!(rig.counts(), (0, 0));
    assert!(rig.item("new").read);
    let marks = sent_marks(&mut rig);
    let up_to = marks[0].up_to.unwrap();
    assert_eq!((up_to.inbox, up_to.system), (Some(70), Some(5)));
    // Later items are not covered.
    let counts = says::counts((41, 46), (2, 3, 0));
    rig.receive(&says::notification_at(71, "later", crate::harness::START, &counts));
    assert_eq!(rig.counts(), (1, 1));
    rig.receive(&says::error(r#""client_id":"lane-1","seq":1,"#, "forbidden", "never"));
    assert_eq!(rig.counts(), (48, 54), "rolled back");
}

#[test]
fn archiving_takes_an_item_out_of_the_view_and_the_counts() {
    let mut rig = Rig::live_with(&["a", "b"]);
    let set = MarkSet { archived: Some(true), ..MarkSet::default() };
    rig.mark(1, &["a"], set);
    assert_eq!(rig.ids(), ["b"]);
    assert_eq!(rig.counts(), (1, 1));
}

#[test]
fn pending_marks_stay_on_top_of_a_new_snapshot() {
    let mut rig = Rig::live_with(&["a", "b"]);
    rig.mark(1, &["b"], READ);
    rig.cut();
    assert!(rig.item("b").read && rig.item("b").pending);
    rig.reopen();
    rig.receive(&says::connected("u1"));
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 2, 2, false));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, false));
    rig.receive(&says::snapshot(&["a", "b"]));
    assert!(rig.item("b").read && rig.item("b").pending);
    assert_eq!(rig.counts(), (1, 1));
    // A snapshot that already includes the mark ends it, without counting it twice.
    let counts = says::counts((1, 1), (0, 0, 0));
    let items = [says::item("inbox:u1", 2, "b", true), says::item("inbox:u1", 1, "a", false)];
    rig.receive(&says::ack("lane-1", 1, 3));
    rig.receive(&says::snapshot_of(
        "inboxone",
        3,
        ("system01", 0),
        &counts,
        (false, false),
        &items,
    ));
    assert_eq!(rig.counts(), (1, 1));
    assert!(rig.item("b").read && !rig.item("b").pending);
}

#[test]
fn marks_of_another_epoch_show_no_more() {
    let mut rig = Rig::live_with(&["a", "b"]);
    rig.mark(1, &["b"], READ);
    rig.cut();
    rig.reopen();
    rig.receive(&says::connected("u1"));
    rig.receive(&says::subscribed("inbox:u1", "inboxtwo", 2, 2, false));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, true));
    rig.receive(&says::snapshot(&["x", "y"]).replace("inboxone", "inboxtwo"));
    assert!(!rig.item("y").read, "offset 2 is another item now");
    assert_eq!(rig.counts(), (2, 2));
}

#[test]
fn unknown_items_and_too_many_are_refused() {
    let mut rig = Rig::live_with(&["a"]);
    rig.mark(1, &["a", "nobody"], READ);
    assert!(refused(&rig, 1, "not_found"));
    assert!(!rig.item("a").read, "all or nothing");
    let many = vec!["a"; 501];
    rig.mark(2, &many, READ);
    assert!(refused(&rig, 2, "invalid_argument"));
    rig.mark(3, &[], READ);
    assert!(settled(&rig, 3), "nothing to do is done");
}

#[test]
fn the_outbox_is_bounded() {
    let mut rig = Rig::with(|config| config.outbox_max = 3);
    rig.go_live(&["a"]);
    for intent in 1..=4 {
        rig.mark(intent, &["a"], READ);
    }
    assert!(refused(&rig, 4, "outbox_full"));
    assert_eq!(rig.client.outbox().pending, 3);
}

pub(crate) fn settled(rig: &Rig, number: u64) -> bool {
    rig.commands.iter().any(|command| {
        matches!(command, Command::Settled { intent, result: Ok(Some(_)) } if *intent == number)
    })
}

pub(crate) fn refused(rig: &Rig, number: u64, code: &str) -> bool {
    rig.commands.iter().any(|command| {
        matches!(command, Command::Settled { intent, result: Err(error) } if *intent == number && error.code == code)
    })
}
