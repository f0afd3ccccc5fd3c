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

/// Sets the wall clock, and lets the client notice.
fn set_clock(rig: &mut Rig, step: i64) {
    rig.now.wall = rig.now.wall.saturating_add_signed(step);
    rig.event(tidings_client_core::Event::ConnectRequested);
}

#[test]
fn a_clock_that_is_set_while_connected_hides_no_arrival() {
    for step in [3_600_000, -3_600_000, 30_000_000_000] {
        let mut rig = Rig::live();
        set_clock(&mut rig, step);
        rig.receive(&says::notification(1, "a", 1));
        assert_eq!(rig.arrived(), ["a"], "{step}");
        rig.receive(&says::pong(""));
        assert_eq!(rig.client.server_time(rig.now), Some(START), "{step}");
        rig.receive(&says::notification(2, "b", 2));
        assert_eq!(rig.arrived(), ["a", "b"], "{step}");
    }
}

#[test]
fn the_same_holds_on_a_stream_and_its_heartbeat_mends_the_time() {
    for step in [3_600_000, -3_600_000] {
        let mut rig = Rig::streaming(&[]);
        set_clock(&mut rig, step);
        rig.says(&says::notification(1, "a", 1));
        assert_eq!(rig.arrived(), ["a"], "{step}");
        rig.says(&says::pong(""));
        assert_eq!(rig.client.server_time(rig.now), Some(START), "{step}");
        rig.says(&says::notification(2, "b", 2));
        assert_eq!(rig.arrived(), ["a", "b"], "{step}");
    }
}

#[test]
fn the_same_holds_for_polls_whose_answers_state_the_time() {
    for step in [3_600_000, -3_600_000] {
        let mut rig = Rig::polling(&[]);
        set_clock(&mut rig, step);
        let poll = rig.asked("poll?").number;
        let answer = crate::request::answer("st", &[says::notification(1, "a", 1)]);
        let stated = format!("\"session_token\":\"st\",\"now\":{START}");
        rig.answered(poll, &answer.replacen("\"session_token\":\"st\"", &stated, 1));
        assert_eq!(rig.arrived(), ["a"], "{step}");
        assert_eq!(rig.client.server_time(rig.now), Some(START), "{step}");
    }
}

#[test]
fn what_came_while_the_machine_slept_is_no_arrival_once_the_server_says_the_time() {
    let mut rig = Rig::live();
    set_clock(&mut rig, 3_600_000);
    assert_eq!(rig.client.server_time(rig.now), Some(START + 3_600_000), "most likely it slept");
    rig.cut();
    rig.reopen();
    let connected = says::connected("u1");
    let now = format!("\"now\":{}", START + 3_600_000);
    rig.receive(&connected.replace(&format!("\"now\":{START}"), &now));
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 1, 0, true));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, true));
    rig.receive(&says::notification(1, "a", 1));
    assert!(rig.arrived().is_empty());
    assert_eq!(rig.ids(), ["a"]);
}
