use tidings_client_core::{Command, InboxStatus};
use tidings_protocol::server::GapReason;

use crate::{harness::Rig, says};

fn gaps(rig: &mut Rig) -> Vec<(String, u64, u64, GapReason)> {
    rig.take()
        .into_iter()
        .filter_map(|command| match command {
            Command::Gap { channel, from, to, why } => Some((channel.to_string(), from, to, why)),
            _ => None,
        })
        .collect()
}

#[test]
fn retention_is_a_gap_and_a_fresh_start() {
    let mut rig = Rig::live_with(&["a", "b"]);
    rig.cut();
    rig.reopen();
    rig.receive(&says::connected("u1"));
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 9, 9, false));
    rig.receive(&says::gap("inbox:u1", 3, 7, "retention"));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, true));
    assert_eq!(rig.ids(), ["b", "a"], "the old list stays until the new one is there");
    let items = [says::item("inbox:u1", 9, "i", false), says::item("inbox:u1", 2, "b", true)];
    let counts = says::counts((1, 1), (0, 0, 0));
    rig.receive(&says::snapshot_of("inboxone", 9, ("system01", 0), &counts, (true, false), &items));
    assert_eq!(gaps(&mut rig), [("inbox:u1".into(), 3, 7, GapReason::Retention)]);
    assert_eq!(rig.ids(), ["i", "b"]);
    assert_eq!(rig.counts(), (1, 1));
    assert_eq!(rig.inbox().status, InboxStatus::Live);
    assert!(rig.arrived().is_empty(), "a snapshot is no arrival");
    rig.receive(&says::notification(10, "j", 2));
    assert_eq!(rig.ids(), ["j", "i", "b"]);
}

#[test]
fn another_epoch_is_a_gap_and_a_fresh_start() {
    let mut rig = Rig::live_with(&["a", "b"]);
    rig.cut();
    rig.reopen();
    rig.receive(&says::connected("u1"));
    rig.receive(&says::subscribed("inbox:u1", "inboxtwo", 1, 1, false));
    rig.receive(&says::gap("inbox:u1", 1, 2, "epoch"));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, true));
    let items = [says::item("inbox:u1", 1, "z", false)];
    let counts = says::counts((1, 1), (0, 0, 0));
    rig.receive(&says::snapshot_of(
        "inboxtwo",
        1,
        ("system01", 0),
        &counts,
        (false, false),
        &items,
    ));
    assert_eq!(gaps(&mut rig), [("inbox:u1".into(), 1, 2, GapReason::Epoch)]);
    assert_eq!(rig.ids(), ["z"]);
    assert_eq!(rig.item("z").key.epoch.to_string(), "inboxtwo");
}

#[test]
fn a_cut_before_the_snapshot_does_not_tell_the_gap_twice() {
    let mut rig = Rig::live_with(&["a", "b"]);
    for _ in 0..2 {
        rig.cut();
        rig.reopen();
        rig.receive(&says::connected("u1"));
        rig.receive(&says::subscribed("inbox:u1", "inboxone", 9, 9, false));
        rig.receive(&says::gap("inbox:u1", 3, 7, "retention"));
    }
    assert_eq!(gaps(&mut rig).len(), 1);
}

#[test]
fn a_cursor_above_the_top_starts_this_client_afresh() {
    let mut rig = Rig::live_with(&["a", "b", "c"]);
    rig.cut();
    rig.reopen();
    rig.receive(&says::connected("u1"));
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 1, 1, false));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, true));
    rig.receive(&says::snapshot(&["a"]));
    assert_eq!(rig.ids(), ["a"]);
    rig.receive(&says::notification(2, "b2", 2));
    assert_eq!(rig.ids(), ["b2", "a"]);
}

#[test]
fn a_snapshot_nobody_asked_for_never_leads_back() {
    let mut rig = Rig::live_with(&["a", "b"]);
    rig.receive(&says::snapshot(&["a"]));
    assert_eq!(rig.ids(), ["b", "a"]);
    let other = says::snapshot(&["x", "y", "z"]).replace("inboxone", "inboxtwo");
    rig.receive(&other);
    assert_eq!(rig.ids(), ["b", "a"]);
}

#[test]
fn another_users_records_are_none_of_ours() {
    let mut rig = Rig::live();
    rig.receive(&says::notification(1, "a", 1).replace("inbox:u1", "inbox:u2"));
    rig.receive(&says::snapshot(&["x"]).replace("inbox:u1", "inbox:u2"));
    assert!(rig.all().items.is_empty());
}

#[test]
fn the_same_gap_after_a_snapshot_is_another_one() {
    let mut rig = Rig::live_with(&["a", "b"]);
    for _ in 0..2 {
        rig.cut();
        rig.reopen();
        rig.receive(&says::connected("u1"));
        rig.receive(&says::subscribed("inbox:u1", "inboxone", 2, 2, false));
        rig.receive(&says::gap("inbox:u1", 3, 3, "retention"));
        rig.receive(&says::subscribed("system:all", "system01", 0, 0, true));
        rig.receive(&says::snapshot(&["a", "b"]));
    }
    assert_eq!(gaps(&mut rig).len(), 2);
}
