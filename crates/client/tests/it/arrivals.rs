use tidings_client_core::{Command, Readable};

use crate::{
    harness::{Rig, START},
    says,
};

#[test]
fn a_live_notification_arrives_once_after_the_list_has_it() {
    let mut rig = Rig::live();
    rig.receive(&says::notification(1, "a", 1));
    let commands = rig.take();
    let changed = commands.iter().position(|c| *c == Command::Changed(Readable::Inbox)).unwrap();
    let arrived = commands.iter().position(|c| matches!(c, Command::Arrived(_))).unwrap();
    assert!(changed < arrived, "a handler that reads the list finds the item in it");
}

#[test]
fn old_notifications_are_listed_but_do_not_arrive() {
    let mut rig = Rig::live();
    let counts = says::counts((1, 1), (0, 0, 0));
    rig.receive(&says::notification_at(1, "old", START - 60_001, &counts));
    assert!(rig.arrived().is_empty());
    assert_eq!(rig.ids(), ["old"]);
    rig.receive(&says::notification_at(2, "young", START - 59_000, &counts));
    assert_eq!(rig.arrived(), ["young"]);
}

#[test]
fn age_is_measured_on_the_servers_clock() {
    let mut rig = Rig::new();
    rig.now.wall -= 86_400_000;
    rig.go_live(&[]);
    rig.receive(&says::notification(1, "a", 1));
    assert_eq!(rig.arrived(), ["a"], "this machine's clock is a day behind");
}

#[test]
fn snapshots_do_not_arrive() {
    let rig = Rig::live_with(&["a", "b"]);
    assert!(rig.arrived().is_empty());
}

#[test]
fn records_missed_for_a_moment_arrive_after_resuming() {
    let mut rig = Rig::live();
    rig.cut();
    rig.reopen();
    rig.receive(&says::connected("u1"));
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 1, 0, true));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, true));
    rig.receive(&says::notification(1, "a", 1));
    assert_eq!(rig.arrived(), ["a"]);
}

#[test]
fn a_notification_dated_before_all_others_is_still_shown() {
    let mut rig = Rig::new();
    rig.go_live(&["a", "b"]);
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 2, 2, false));
    let items = [says::item("inbox:u1", 2, "b", false)];
    let counts = says::counts((2, 2), (0, 0, 0));
    rig.receive(&says::snapshot_of("inboxone", 2, ("system01", 0), &counts, (true, false), &items));
    // The server's clock went back by an hour.
    let counts = says::counts((3, 3), (0, 0, 0));
    rig.receive(&says::notification_at(3, "c", START - 3_600_000, &counts));
    assert_eq!(rig.ids(), ["b", "c"]);
}
