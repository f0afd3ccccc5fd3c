//! The outbox of one client: stored before it is sent, over restarts, moves and failures of
//! storage.

use tidings_client_core::{Change, Command, Event, User};
use tidings_protocol::ClientMessage;

use crate::{
    disk::{Disk, born, lane, lanes, settle, settle_saved},
    harness::{READ, Rig},
    room::{ROOM, ack},
    says,
};

#[test]
fn nothing_is_sent_before_it_is_persisted() {
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
    settle_saved(&mut rig, &mut disk);
    assert!(disk.rows.is_empty(), "it has its answer");
}

#[test]
fn a_crash_between_persisting_and_sending_loses_nothing() {
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
    settle_saved(&mut rig, &mut disk);
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
    settle_saved(&mut rig, &mut disk);
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
    rig.event(Event::StorageLoaded { user: "u1\troom:1".into(), saved: None });
    rig.joined(1, 1);
    rig.receive(&ack("one-1", 2, 1));
    settle_saved(&mut rig, &mut disk);

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
        Command::Persist { changes, .. } => Some(changes.clone()),
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
