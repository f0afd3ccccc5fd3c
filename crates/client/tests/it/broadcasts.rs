use crate::{
    harness::{READ, Rig, START},
    says,
};

#[test]
fn an_everyone_message_is_merged_and_counted() {
    let mut rig = Rig::live_with(&["a"]);
    rig.receive(&says::broadcast(1, "s1"));
    assert_eq!(rig.ids(), ["s1", "a"]);
    assert_eq!(rig.counts(), (2, 2));
    assert_eq!(rig.arrived(), ["s1"]);
}

#[test]
fn counts_stated_later_already_include_it() {
    let mut rig = Rig::live();
    rig.receive(&says::broadcast(1, "s1"));
    assert_eq!(rig.counts(), (1, 1));
    let counts = says::counts((1, 1), (1, 1, 1));
    rig.receive(&says::notification_at(1, "a", START, &counts));
    assert_eq!(rig.counts(), (2, 2), "not three");
}

#[test]
fn counts_ahead_of_the_message_wait_for_it() {
    let mut rig = Rig::live();
    // The other log is ahead: these counts include a message to everyone that has not arrived.
    let counts = says::counts((1, 1), (1, 1, 1));
    rig.receive(&says::notification_at(1, "a", START, &counts));
    assert_eq!(rig.counts(), (2, 2));
    rig.receive(&says::broadcast(1, "s1"));
    assert_eq!(rig.counts(), (2, 2));
}

#[test]
fn a_mark_before_its_message_is_remembered() {
    let mut rig = Rig::live();
    // Read on another device, whose `system:all` was ahead.
    let counts = says::counts((0, 0), (0, 0, 2));
    rig.receive(&says::marked(1, r#""up_to":{"system":2}"#, r#"{"read":true}"#, None, &counts));
    rig.receive(&says::broadcast(1, "s1"));
    rig.receive(&says::broadcast(2, "s2"));
    rig.receive(&says::broadcast(3, "s3"));
    assert!(rig.item("s1").read && rig.item("s2").read && !rig.item("s3").read);
    assert_eq!(rig.counts(), (1, 1));
    assert_eq!(rig.arrived(), ["s3"], "what was read elsewhere is no news");
}

#[test]
fn marking_one_names_its_own_log() {
    let mut rig = Rig::live();
    rig.receive(&says::broadcast(1, "s1"));
    rig.mark(1, &["s1"], READ);
    assert_eq!(rig.counts(), (0, 0));
    let counts = says::counts((0, 0), (0, 0, 1));
    let lane = Some(("lane-1", 1));
    rig.receive(&says::marked(1, r#""offsets":{"system":[1]}"#, r#"{"read":true}"#, lane, &counts));
    assert_eq!(rig.counts(), (0, 0));
    assert!(rig.item("s1").read && !rig.item("s1").pending);
}

#[test]
fn equal_times_are_ordered_by_channel_then_offset() {
    let mut rig = Rig::live();
    let counts = says::counts((2, 2), (0, 0, 0));
    rig.receive(&says::notification_at(1, "i1", START + 1, &counts));
    rig.receive(&says::broadcast(1, "s1"));
    rig.receive(&says::notification_at(2, "i2", START + 1, &counts));
    assert_eq!(rig.ids(), ["s1", "i2", "i1"]);
}

#[test]
fn skipped_offsets_are_no_messages() {
    let mut rig = Rig::live();
    rig.receive(r#"{"type":"skip","channel":"system:all","from":1,"to":4}"#);
    assert_eq!(rig.counts(), (0, 0));
    rig.receive(&says::broadcast(5, "s5"));
    assert_eq!(rig.counts(), (1, 1));
}
