//! The outbox over restarts. The driver's storage is played by [`Disk`]; a client that dies is one that is dropped.

use std::collections::BTreeMap;

use tidings_client_core::{Change, Command, Config, Event, Lane, User};
use tidings_protocol::ClientMessage;

use crate::{
    harness::{READ, Rig},
    room::{ROOM, ack, message_of},
    says,
};

/// What survives clients: rows by lane and `seq`, and who holds which lane.
#[derive(Default)]
struct Disk {
    rows: BTreeMap<(String, u64), String>,
    held: Vec<String>,
}

impl Disk {
    /// Does what was asked for since the last call; answers the events that follow.
    fn obey(&mut self, commands: &[Command]) -> Vec<Event> {
        let mut answers = Vec::new();
        for command in commands {
            match command {
                Command::Keep { number, changes, .. } => {
                    for change in changes.iter().cloned() {
                        match change {
                            Change::Put { lane, seq, text } => {
                                if !self.held.contains(&lane) {
                                    self.held.push(lane.clone());
                                }
                                self.rows.insert((lane, seq), text);
                            }
                            Change::Drop { lane, seq } => drop(self.rows.remove(&(lane, seq))),
                        }
                    }
                    answers.push(Event::Kept { number: *number });
                }
                Command::Claim { user } => {
                    let mut lanes: Vec<Lane> = Vec::new();
                    for ((name, seq), text) in &self.rows {
                        if self.held.contains(name) {
                            continue;
                        }
                        if lanes.last().is_none_or(|lane| lane.name != *name) {
                            lanes.push(Lane { name: name.clone(), rows: Vec::new() });
                        }
                        lanes.last_mut().unwrap().rows.push((*seq, text.clone()));
                    }
                    self.held.extend(lanes.iter().map(|lane| lane.name.clone()));
                    answers.push(Event::LanesClaimed { user: user.clone(), lanes: lanes.into() });
                }
                Command::Release { lane } => self.held.retain(|held| held != lane),
                Command::Wipe { .. } => self.rows.clear(),
                _ => {}
            }
        }
        answers
    }

    /// The holder of all lanes is dead.
    fn died(&mut self) {
        self.held.clear();
    }

    fn seqs(&self, lane: &str) -> Vec<u64> {
        self.rows.keys().filter(|(name, _)| name == lane).map(|(_, seq)| *seq).collect()
    }
}

fn lanes(config: &mut Config, client: &str) {
    config.storage = true;
    config.lanes = true;
    config.client_id = client.into();
}

/// Lets the disk answer until nothing is asked any more. The commands stay for the test to look at.
fn settle(rig: &mut Rig, disk: &mut Disk) {
    while rig.obeyed < rig.commands.len() {
        let asked = rig.commands[rig.obeyed..].to_vec();
        rig.obeyed = rig.commands.len();
        for answer in disk.obey(&asked) {
            rig.event(answer);
        }
    }
}

/// A client `name` of `u1`, connected, and in possession of what others left.
fn born(name: &str, disk: &mut Disk) -> Rig {
    let mut rig = Rig::with(|config| lanes(config, name));
    rig.event(Event::UserChanged(User::Named("u1".into())));
    rig.event(Event::StorageLoaded { user: "u1".into(), saved: None });
    settle(&mut rig, disk);
    connect(&mut rig, disk);
    rig
}

fn connect(rig: &mut Rig, disk: &mut Disk) {
    rig.event(Event::ConnectRequested);
    rig.open();
    rig.receive(&says::connected("u1"));
    settle(rig, disk);
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 2, 2, false));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, false));
    rig.receive(&says::snapshot(&["a", "b"]));
}

fn lane(name: &str, seqs: impl IntoIterator<Item = u64>) -> Vec<(String, u64)> {
    seqs.into_iter().map(|seq| (name.to_owned(), seq)).collect()
}

#[test]
fn nothing_is_sent_before_it_is_kept() {
    let mut disk = Disk::default();
    let mut rig = born("one", &mut disk);
    rig.take();
    rig.publish(1, "a");
    let asked = rig.commands.clone();
    assert!(rig.published().is_empty());
    assert_eq!(rig.client.outbox().pending, 1);
    for answer in disk.obey(&asked) {
        rig.event(answer);
    }
    assert_eq!(rig.published(), lane("one-1", [1]));
    assert_eq!(disk.seqs("one-1"), [1]);
    rig.receive(&ack("one-1", 1, 1));
    settle(&mut rig, &mut disk);
    assert!(disk.rows.is_empty(), "it has its answer");
}

#[test]
fn a_crash_between_keeping_and_sending_loses_nothing() {
    let mut disk = Disk::default();
    let mut rig = born("one", &mut disk);
    rig.cut();
    rig.take();
    rig.publish(1, "a");
    rig.publish(2, "b");
    settle(&mut rig, &mut disk);
    drop(rig);
    disk.died();

    let mut rig = born("two", &mut disk);
    assert_eq!(rig.published(), lane("one-1", [1, 2]));
    assert_eq!(rig.client.outbox().pending, 2);
    rig.receive(&ack("one-1", 1, 1));
    rig.receive(&ack("one-1", 2, 2));
    settle(&mut rig, &mut disk);
    assert!(disk.rows.is_empty());
    assert_eq!(disk.held, Vec::<String>::new(), "a lane that is done with is let go");
}

#[test]
fn a_crash_between_the_answer_and_the_row_sends_again_under_the_same_number() {
    let mut disk = Disk::default();
    let mut rig = born("one", &mut disk);
    rig.take();
    rig.publish(1, "a");
    settle(&mut rig, &mut disk);
    rig.receive(&ack("one-1", 1, 1));
    drop(rig);
    disk.died();

    let mut rig = born("two", &mut disk);
    assert_eq!(rig.published(), lane("one-1", [1]), "the server answers it as it did");
    rig.receive(&ack("one-1", 1, 1));
    settle(&mut rig, &mut disk);
    assert_eq!(rig.client.outbox().pending, 0);
    assert!(disk.rows.is_empty());
}

#[test]
fn what_another_life_left_goes_before_what_is_new() {
    let mut disk = Disk::default();
    let mut rig = born("one", &mut disk);
    rig.cut();
    rig.take();
    rig.publish(1, "old");
    settle(&mut rig, &mut disk);
    disk.died();

    let mut rig = Rig::with(|config| lanes(config, "two"));
    rig.event(Event::UserChanged(User::Named("u1".into())));
    rig.event(Event::StorageLoaded { user: "u1".into(), saved: None });
    rig.publish(1, "new");
    rig.event(Event::ConnectRequested);
    rig.open();
    rig.receive(&says::connected("u1"));
    let asked = rig.commands.clone();
    assert!(rig.published().is_empty(), "not before it is known what was left");
    for answer in disk.obey(&asked) {
        rig.event(answer);
    }
    assert_eq!(rig.published(), [lane("one-1", [1]), lane("two-1", [1])].concat());
}

#[test]
fn storage_that_hangs_holds_nothing_up_for_ever() {
    let mut rig = Rig::with(|config| lanes(config, "one"));
    rig.event(Event::UserChanged(User::Named("u1".into())));
    rig.event(Event::StorageLoaded { user: "u1".into(), saved: None });
    rig.event(Event::ConnectRequested);
    rig.open();
    rig.receive(&says::connected("u1"));
    rig.publish(1, "a");
    rig.advance(1_999);
    assert!(rig.published().is_empty());
    rig.advance(1);
    assert_eq!(rig.published(), lane("one-1", [1]));
}

#[test]
fn storage_that_fails_leaves_an_outbox_in_memory() {
    let mut disk = Disk::default();
    let mut rig = born("one", &mut disk);
    assert!(rig.client.connection().durable);
    rig.take();
    rig.publish(1, "a");
    rig.event(Event::LanesFailed { reason: "quota".into() });
    assert!(!rig.client.connection().durable);
    assert_eq!(rig.published(), lane("one-1", [1]));
    rig.publish(2, "b");
    assert_eq!(rig.published(), lane("one-1", [2]));
}

#[test]
fn a_lane_of_a_tab_that_died_is_found_while_connected() {
    let mut disk = Disk::default();
    let mut other = born("one", &mut disk);
    other.cut();
    other.take();
    other.publish(1, "a");
    settle(&mut other, &mut disk);
    let mut rig = born("two", &mut disk);
    assert!(rig.published().is_empty(), "its owner lives");
    drop(other);
    disk.held.retain(|lane| !lane.starts_with("one"));
    rig.advance(5_000);
    rig.receive(&says::pong(""));
    rig.advance(10_000);
    settle(&mut rig, &mut disk);
    assert_eq!(rig.published(), lane("one-1", [1]));
}

#[test]
fn a_refusal_is_remembered_over_restarts() {
    let mut disk = Disk::default();
    let mut rig = born("one", &mut disk);
    rig.take();
    rig.publish(1, "a");
    rig.publish(2, "b");
    settle(&mut rig, &mut disk);
    rig.receive(&says::error(r#""client_id":"one-1","seq":1,"#, "forbidden", "never"));
    settle(&mut rig, &mut disk);
    disk.died();

    let mut rig = born("two", &mut disk);
    assert_eq!(rig.published(), lane("one-1", [2]), "the refused one is not sent again by itself");
    let failed = rig.client.outbox().failed.clone();
    assert_eq!((failed.len(), &*failed[0].error.code), (1, "forbidden"));
    assert!(!failed[0].error.retry);
    rig.want(ROOM);
    assert_eq!(rig.texts(), ["a", "b"], "both are shown, one as failed");
    rig.receive(&ack("one-1", 2, 1));
    settle(&mut rig, &mut disk);

    rig.take();
    rig.event(Event::FailedRetried { id: failed[0].id, intent: 7 });
    settle(&mut rig, &mut disk);
    assert_eq!(rig.published(), lane("two-1", [1]));
    assert_eq!(disk.seqs("one-1"), Vec::<u64>::new());
    assert_eq!(disk.seqs("two-1"), [1]);
    assert_eq!(disk.held, ["two-1"]);
}

#[test]
fn a_discarded_one_is_gone_for_good() {
    let mut disk = Disk::default();
    let mut rig = born("one", &mut disk);
    rig.take();
    rig.publish(1, "a");
    settle(&mut rig, &mut disk);
    rig.receive(&says::error(r#""client_id":"one-1","seq":1,"#, "forbidden", "never"));
    settle(&mut rig, &mut disk);
    rig.event(Event::FailedDiscarded { id: 1 });
    settle(&mut rig, &mut disk);
    assert!(disk.rows.is_empty());
    disk.died();
    let rig = born("two", &mut disk);
    assert_eq!(rig.client.outbox().failed, []);
}

#[test]
fn marks_come_back_as_pending_and_are_sent_again() {
    let mut disk = Disk::default();
    let mut rig = born("one", &mut disk);
    rig.cut();
    rig.take();
    rig.mark(1, &["a"], READ);
    rig.event(Event::MarkRequested {
        intent: 2,
        targets: tidings_client_core::MarkTargets::All,
        set: READ,
    });
    settle(&mut rig, &mut disk);
    let before: Vec<_> = disk.rows.values().cloned().collect();
    disk.died();

    let mut rig = born("two", &mut disk);
    assert_eq!(rig.client.outbox().pending, 2);
    assert_eq!(rig.counts().0, 0, "shown as read");
    assert!(rig.item("b").pending);
    let sent = rig.sent();
    let marks: Vec<_> = sent.iter().filter(|one| matches!(one, ClientMessage::Mark(_))).collect();
    assert_eq!(marks.len(), 2);
    for (row, mark) in before.iter().zip(marks) {
        let ClientMessage::Mark(mark) = mark else { unreachable!() };
        let mut mark = mark.clone();
        mark.id = None;
        assert_eq!(row.split('\n').nth(1), Some(&*ClientMessage::Mark(mark).to_json()));
    }
}

#[test]
fn a_move_is_one_transaction() {
    let mut disk = Disk::default();
    let mut rig = born("one", &mut disk);
    rig.publish(1, "a");
    settle(&mut rig, &mut disk);
    rig.take();
    let hole = says::error(r#""client_id":"one-1","seq":1,"expected":1,"#, "sequence", "backoff");
    rig.receive(&hole);
    let sends = |command: &Command| matches!(command, Command::Send { .. });
    assert!(!rig.commands.iter().any(sends), "not before the rows have moved");
    let keep = rig.commands.iter().find_map(|command| match command {
        Command::Keep { changes, .. } => Some(changes.clone()),
        _ => None,
    });
    let [Change::Put { lane: to, seq: 1, .. }, Change::Drop { lane: from, seq: 1 }] =
        &keep.unwrap()[..]
    else {
        panic!("{:?}", rig.commands)
    };
    assert_eq!((&**to, &**from), ("one-2", "one-1"));
    settle(&mut rig, &mut disk);
    assert_eq!(rig.published(), lane("one-2", [1]));
    assert_eq!(disk.held, ["one-2"]);
}

/// Found by the simulation (seed 3645 of its day): intents that had moved to another lane were sent before storage knew, their page died,
/// and the next one sent them from where they had been: stored twice.
#[test]
fn a_hole_is_filled_so_that_what_waits_keeps_its_place() {
    let mut disk = Disk::default();
    for seq in [4, 6] {
        let row = format!("1170\n{{\"type\":\"publish\",\"channel\":\"room:1\",\"data\":{seq}}}");
        disk.rows.insert(("dead-1".into(), seq), row);
    }
    let mut rig = born("two", &mut disk);
    assert_eq!(rig.published(), lane("dead-1", [4, 6]));
    let hole = says::error(r#""client_id":"dead-1","seq":4,"expected":3,"#, "sequence", "backoff");
    rig.receive(&hole);
    let places = |rig: &mut Rig| {
        let place = |message| match message {
            ClientMessage::Void(void) => Some(("void", void.client_id, void.seq)),
            ClientMessage::Publish(publish) => Some(("publish", publish.client_id?, publish.seq?)),
            _ => None,
        };
        rig.sent().into_iter().filter_map(place).collect::<Vec<_>>()
    };
    let at = |what, seq| (what, "dead-1".to_owned(), seq);
    assert_eq!(places(&mut rig), [at("void", 3), at("publish", 4), at("publish", 6)]);
    let given_up = |seq: u64| {
        format!(
            r#"{{"type":"ack","client_id":"dead-1","seq":{seq},"channel":"inbox:u1","epoch":"inboxone","offset":0}}"#
        )
    };
    rig.receive(&given_up(3));
    let told =
        |command: &Command| matches!(command, Command::Report(error) if error.code == "storage");
    assert_eq!(rig.take().iter().filter(|command| told(command)).count(), 1, "it is said");
    rig.receive(&ack("dead-1", 4, 1));
    settle(&mut rig, &mut disk);
    let hole = says::error(r#""client_id":"dead-1","seq":6,"expected":5,"#, "sequence", "backoff");
    rig.receive(&hole);
    assert_eq!(places(&mut rig), [at("void", 5), at("publish", 6)]);
    rig.receive(&given_up(5));
    rig.receive(&ack("dead-1", 6, 2));
    settle(&mut rig, &mut disk);
    assert_eq!(rig.client.outbox().pending, 0);
    assert!(disk.rows.is_empty() && disk.held.is_empty());
}

#[test]
fn a_row_that_is_broken_gives_up_its_place_and_says_so() {
    let mut disk = Disk::default();
    for (seq, text) in
        [(4, "1{"), (5, "1170\n{\"type\":\"publish\",\"channel\":\"room:1\",\"data\":1}")]
    {
        disk.rows.insert(("dead-1".into(), seq), text.into());
    }
    let mut rig = born("two", &mut disk);
    let sent = rig.sent();
    let lane: Vec<_> = sent
        .iter()
        .filter_map(|message| match message {
            ClientMessage::Void(void) => Some(("void", void.seq)),
            ClientMessage::Publish(publish) => Some(("publish", publish.seq.unwrap())),
            _ => None,
        })
        .collect();
    assert_eq!(lane, [("void", 4), ("publish", 5)]);
    rig.receive(
        r#"{"type":"ack","client_id":"dead-1","seq":4,"channel":"inbox:u1","epoch":"inboxone","offset":0}"#,
    );
    let told =
        |command: &Command| matches!(command, Command::Report(error) if error.code == "storage");
    assert!(rig.commands.iter().any(told));
}

#[test]
fn a_lane_of_a_newer_version_is_left_alone() {
    let mut disk = Disk::default();
    disk.rows.insert(("next-1".into(), 1), "2…".into());
    let mut rig = born("two", &mut disk);
    settle(&mut rig, &mut disk);
    assert_eq!(rig.client.outbox().pending, 0);
    assert_eq!((disk.rows.len(), disk.held.len()), (1, 0));
}

#[test]
fn a_lane_without_room_waits_for_another_life() {
    let mut disk = Disk::default();
    for seq in 1..=3 {
        let row = format!("1170\n{{\"type\":\"publish\",\"channel\":\"room:1\",\"data\":{seq}}}");
        disk.rows.insert(("dead-1".into(), seq), row);
    }
    let mut rig = Rig::with(|config| {
        lanes(config, "two");
        config.outbox_max = 2;
    });
    rig.event(Event::UserChanged(User::Named("u1".into())));
    settle(&mut rig, &mut disk);
    assert_eq!(rig.client.outbox().pending, 0);
    assert_eq!((disk.rows.len(), disk.held.len()), (3, 0));
}

#[test]
fn an_old_users_intents_stay_kept_for_their_return() {
    let mut disk = Disk::default();
    let mut rig = born("one", &mut disk);
    rig.cut();
    rig.take();
    rig.publish(1, "a");
    settle(&mut rig, &mut disk);
    rig.event(Event::UserChanged(User::Named("u2".into())));
    assert_eq!(rig.client.outbox().pending, 0);
    assert_eq!(disk.rows.len(), 1);
    rig.event(Event::UserChanged(User::Named("u1".into())));
    settle(&mut rig, &mut disk);
    assert_eq!(rig.client.outbox().pending, 1, "once");
    rig.event(Event::CloseRequested);
    settle(&mut rig, &mut disk);
    assert_eq!(rig.ended(1).unwrap().unwrap_err().code, "closed");
    assert_eq!(disk.rows.len(), 1, "a closed page's intents wait for the next");
}

#[test]
fn signing_out_wipes_them() {
    let mut disk = Disk::default();
    let mut rig = born("one", &mut disk);
    rig.cut();
    rig.take();
    rig.publish(1, "a");
    settle(&mut rig, &mut disk);
    rig.event(Event::SignOutRequested { discard: true });
    settle(&mut rig, &mut disk);
    assert!(disk.rows.is_empty() && disk.held.is_empty());
}

#[test]
fn an_echo_in_the_history_answers_what_a_dead_tab_left() {
    let mut disk = Disk::default();
    let mut rig = born("one", &mut disk);
    rig.take();
    rig.publish(1, "a");
    settle(&mut rig, &mut disk);
    disk.died();
    let mut rig = born("two", &mut disk);
    rig.want(ROOM);
    assert_eq!(rig.texts(), ["a"]);
    rig.event(Event::StorageLoaded { user: "u1\troom:1".into(), saved: None });
    let (id, _) = rig.asked_to_subscribe();
    rig.receive(&crate::room::subscribed(id, "roomone1", 1, 1, 1, false));
    let (id, _) = rig.asked_for_page();
    let echo = message_of(1, "u1", r#""client_id":"one-1","seq":1,"#);
    rig.receive(&format!(
        r#"{{"type":"page","id":{id},"channel":"room:1","epoch":"roomone1","offset":1,"more":false,"messages":[{echo}]}}"#
    ));
    assert_eq!(rig.texts(), ["m1"], "once");
    settle(&mut rig, &mut disk);
    assert!(disk.rows.is_empty());
}
