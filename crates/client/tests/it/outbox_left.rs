//! Intents that a client left in storage, as other clients find them: holes, broken rows, lanes of
//! other versions and users, and rows of records that are shown already.

use tidings_client_core::{Change, Command, Event, Lane, User};
use tidings_protocol::ClientMessage;

use crate::{
    disk::{Disk, born, connect, lane, lanes, settle, settle_saved},
    harness::Rig,
    room::{ROOM, ack, message_of},
    says,
};

/// Found by the simulation (seed 3645 of its day): intents that had moved to another lane were sent
/// before storage had the move. Their page ended, and the next page sent them from their old lane:
/// stored twice.
#[test]
fn a_hole_is_filled_so_that_what_waits_keeps_its_place() {
    let mut disk = Disk::default();
    for seq in [4, 6] {
        disk.keeps_message("dead-1", seq);
    }
    let mut rig = born("two", &mut disk);
    assert_eq!(rig.published(), lane("dead-1", [4, 6]));
    let hole = says::error(r#""client_id":"dead-1","seq":4,"expected":3,"#, "sequence", "backoff");
    rig.receive(&hole);
    let places = |rig: &mut Rig| {
        let index = |message| match message {
            ClientMessage::Void(void) => Some(("void", void.client_id, void.seq)),
            ClientMessage::Publish(publish) => Some(("publish", publish.client_id?, publish.seq?)),
            _ => None,
        };
        rig.sent().into_iter().filter_map(index).collect::<Vec<_>>()
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
    settle_saved(&mut rig, &mut disk);
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

/// Found by the simulation (seed 266 of its day).
#[test]
fn a_row_that_broke_after_it_was_stored_is_done_with() {
    let mut disk = Disk::default();
    disk.rows.insert(("dead-1".into(), 4), "1{".into());
    let mut rig = born("two", &mut disk);
    rig.want(ROOM);
    rig.receive(&ack("dead-1", 4, 9));
    settle_saved(&mut rig, &mut disk);
    assert!(disk.rows.is_empty() && disk.held.is_empty());
    assert_eq!(rig.client.outbox().pending, 0);
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
        disk.keeps_message("dead-1", seq);
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
fn an_old_users_intents_stay_persisted_for_their_return() {
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
    settle_saved(&mut rig, &mut disk);
    assert!(disk.rows.is_empty());
}

/// The requests to storage since the last call: a save of the room, or a dropped row.
fn asked_of_storage(rig: &mut Rig) -> Vec<&'static str> {
    let word = |command: &Command| match command {
        Command::Save { user, .. } if user == "u1\troom:1" => Some("save"),
        Command::Persist { changes, .. } => {
            let dropped = changes.iter().any(|change| matches!(change, Change::Drop { .. }));
            dropped.then_some("drop")
        }
        _ => None,
    };
    rig.take().iter().filter_map(word).collect()
}

/// A client in the room with one message, and the room's cache after it was saved.
fn saved_in_room(disk: &mut Disk) -> (Rig, String) {
    let mut rig = born("one", disk);
    rig.want(ROOM);
    rig.event(Event::StorageLoaded { user: "u1\troom:1".into(), saved: None });
    rig.joined(0, 0);
    rig.publish(1, "a");
    settle(&mut rig, disk);
    rig.take();
    rig.receive(&ack("one-1", 1, 1));
    rig.receive(&message_of(1, "u1", r#""client_id":"one-1","seq":1,"#));
    rig.advance(250);
    let text = rig.commands.iter().find_map(|command| match command {
        Command::Save { user, text, .. } if user == "u1\troom:1" => Some(text.clone()),
        _ => None,
    });
    (rig, text.unwrap())
}

#[test]
fn a_row_is_given_up_only_after_the_room_that_shows_it_was_saved() {
    let mut disk = Disk::default();
    let mut rig = born("one", &mut disk);
    rig.want(ROOM);
    rig.event(Event::StorageLoaded { user: "u1\troom:1".into(), saved: None });
    rig.joined(0, 0);
    rig.publish(1, "a");
    settle(&mut rig, &mut disk);
    rig.advance(250);
    rig.take();
    rig.receive(&ack("one-1", 1, 1));
    rig.advance(1_000);
    assert_eq!(asked_of_storage(&mut rig), [""; 0], "no record, nothing to save");
    rig.receive(&message_of(1, "u1", r#""client_id":"one-1","seq":1,"#));
    assert_eq!(asked_of_storage(&mut rig), [""; 0], "not before the room was saved");
    rig.advance(250);
    assert_eq!(asked_of_storage(&mut rig), ["save", "drop"]);
}

#[test]
fn a_crash_between_the_save_and_the_row_shows_a_message_once_and_sends_nothing() {
    for rows_first in [true, false] {
        let mut disk = Disk::default();
        let (rig, room) = saved_in_room(&mut disk);
        drop(rig);
        disk.died();
        assert_eq!(disk.seqs("one-1"), [1], "the crash came before the row was given up");

        let mut rig = Rig::with(|config| lanes(config, "two"));
        rig.event(Event::UserChanged(User::Named("u1".into())));
        rig.event(Event::StorageLoaded { user: "u1".into(), saved: None });
        let cache = Event::StorageLoaded { user: "u1\troom:1".into(), saved: Some(room) };
        rig.want(ROOM);
        if rows_first {
            settle(&mut rig, &mut disk);
            assert_eq!(rig.texts(), ["a"], "as pending");
            rig.event(cache);
        } else {
            rig.event(cache);
            settle(&mut rig, &mut disk);
        }
        assert_eq!(rig.texts(), ["m1"], "once");
        assert_eq!(rig.client.outbox().pending, 0);
        settle_saved(&mut rig, &mut disk);
        connect(&mut rig, &mut disk);
        assert_eq!(rig.published(), []);
        assert!(disk.rows.is_empty() && disk.held.is_empty());
    }
}

#[test]
fn without_a_reader_of_its_room_a_row_goes_with_its_answer() {
    let mut disk = Disk::default();
    let mut rig = born("one", &mut disk);
    rig.publish(1, "a");
    settle_saved(&mut rig, &mut disk);
    rig.take();
    rig.receive(&ack("one-1", 1, 1));
    assert_eq!(asked_of_storage(&mut rig), ["drop"]);
}

#[test]
fn a_lane_is_taken_over_unasked_when_its_holder_dies() {
    let mut disk = Disk::default();
    let mut other = born("one", &mut disk);
    other.cut();
    other.take();
    other.publish(1, "a");
    settle(&mut other, &mut disk);
    let mut rig = born("two", &mut disk);
    rig.cut();
    rig.publish(1, "b");
    settle(&mut rig, &mut disk);
    rig.take();
    let row = disk.rows[&("one-1".to_owned(), 1)].clone();
    let lanes = vec![Lane { name: "one-1".into(), rows: vec![(1, row)] }];
    rig.event(Event::LanesClaimed { user: "u1".into(), lanes: lanes.clone().into() });
    assert_eq!(rig.client.outbox().pending, 2, "shown at once, connected or not");
    rig.event(Event::LanesClaimed { user: "u1".into(), lanes: lanes.clone().into() });
    assert_eq!(rig.client.outbox().pending, 2, "once");
    rig.reopen();
    rig.receive(&says::connected("u1"));
    settle(&mut rig, &mut disk);
    assert_eq!(rig.published(), [lane("one-1", [1]), lane("two-1", [1])].concat());

    // The waiting user has changed.
    rig.event(Event::UserChanged(User::Named("u2".into())));
    rig.take();
    rig.event(Event::LanesClaimed {
        user: "u1".into(),
        lanes: vec![Lane { name: "dead-1".into(), rows: lanes[0].rows.clone() }].into(),
    });
    assert!(rig.commands.contains(&Command::Release { lane: "dead-1".into() }));
    assert_eq!(rig.client.outbox().pending, 0);
}

#[test]
fn a_lane_that_comes_unasked_puts_off_no_look_for_others() {
    let mut disk = Disk::default();
    let mut rig = born("two", &mut disk);
    rig.advance(5_000);
    rig.receive(&says::pong(""));
    rig.take();
    rig.event(Event::LanesClaimed { user: "u1".into(), lanes: Vec::new().into() });
    rig.advance(10_000);
    assert!(rig.commands.contains(&Command::Claim { user: "u1".into() }));
}
