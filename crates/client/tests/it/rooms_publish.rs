use tidings_client_core::{Command, Event, IntentKind};
use tidings_protocol::{ClientMessage, Json};

use crate::{
    harness::Rig,
    room::{ROOM, ack, channel, message, message_of},
    says,
};

#[test]
fn an_own_message_shows_at_once_and_merges_with_its_echo() {
    let mut rig = Rig::in_room();
    rig.publish(1, "mine");
    let pending = rig.room().messages[0].clone();
    assert!(pending.pending && pending.offset.is_none());
    assert!(pending.from.as_ref().unwrap().own);
    assert_eq!(rig.published(), [("lane-1".to_owned(), 1)]);

    rig.receive(&ack("lane-1", 1, 1));
    let stored = rig.ended(1).unwrap().unwrap().unwrap();
    assert_eq!((stored.offset, &*stored.id), (1, "r1"));
    let acked = rig.room().messages[0].clone();
    assert!(!acked.pending && acked.offset == Some(1) && acked.key == pending.key);

    rig.take();
    rig.receive(&message_of(1, "u1", r#""client_id":"lane-1","seq":1,"#));
    assert_eq!(rig.texts(), ["m1"], "once");
    let fact = rig.room().messages[0].clone();
    assert_eq!((fact.key, &*fact.id), (pending.key, "r1"), "the same to a list's eyes");
    assert_eq!(rig.ended(1), None);
    assert_eq!(rig.received(), ["m1"]);
}

#[test]
fn an_echo_before_the_answer_is_the_answer() {
    let mut rig = Rig::in_room();
    rig.publish(1, "mine");
    rig.receive(&message_of(1, "u1", r#""client_id":"lane-1","seq":1,"#));
    assert_eq!(rig.ended(1).unwrap().unwrap().unwrap().offset, 1);
    rig.take();
    rig.receive(&ack("lane-1", 1, 1));
    assert_eq!(rig.ended(1), None);
    assert_eq!(rig.texts(), ["m1"]);
    assert_eq!(rig.client.outbox().pending, 0);
}

#[test]
fn pending_ones_stand_after_what_the_log_has() {
    let mut rig = Rig::in_room();
    rig.publish(1, "a");
    rig.publish(2, "b");
    rig.receive(&message(1));
    assert_eq!(rig.texts(), ["m1", "a", "b"]);
}

#[test]
fn a_refusal_in_the_middle_stays_to_be_tried_again_or_thrown_away() {
    let mut rig = Rig::in_room();
    for (intent, text) in [(1, "a"), (2, "b"), (3, "c")] {
        rig.publish(intent, text);
    }
    rig.receive(&ack("lane-1", 1, 1));
    rig.receive(&message_of(1, "u1", r#""client_id":"lane-1","seq":1,"#));
    let fields = r#""client_id":"lane-1","seq":2,"channel":"room:1","#;
    rig.receive(&says::error(fields, "forbidden", "never"));
    assert_eq!(rig.ended(2).unwrap().unwrap_err().code, "forbidden");
    rig.receive(&ack("lane-1", 3, 2));
    rig.receive(&message_of(2, "u1", r#""client_id":"lane-1","seq":3,"#));
    assert!(rig.ended(3).unwrap().is_ok());

    let room = rig.room();
    assert_eq!(rig.texts(), ["m1", "m2", "b"]);
    let failed = room.messages[2].failed.clone().unwrap();
    assert_eq!(failed.code, "forbidden");
    let outbox = rig.client.outbox().clone();
    assert_eq!((outbox.pending, outbox.failed.len()), (0, 1));
    assert_eq!((outbox.failed[0].kind, outbox.failed[0].id), (IntentKind::Publish, 2));

    rig.take();
    rig.event(Event::FailedRetried { id: 2, intent: 4 });
    assert_eq!(rig.published(), [("lane-1".to_owned(), 4)]);
    assert_eq!(rig.client.outbox().failed, []);
    let fields = r#""client_id":"lane-1","seq":4,"#;
    rig.receive(&says::error(fields, "forbidden", "never"));
    rig.event(Event::FailedDiscarded { id: 4 });
    assert_eq!(rig.texts(), ["m1", "m2"]);
}

#[test]
fn what_is_too_long_for_any_server_is_refused_at_once() {
    let mut rig = Rig::in_room();
    rig.publish(1, &"x".repeat(10_240));
    let error = rig.ended(1).unwrap().unwrap_err();
    assert_eq!((&*error.code, error.retry), ("too_large", false));
    assert_eq!(rig.room().messages[0].failed.as_ref().unwrap().code, "too_large");
}

#[test]
fn what_is_too_long_for_this_server_gives_up_its_place() {
    let mut rig = Rig::new();
    rig.event(Event::UserChanged(tidings_client_core::User::Named("u1".into())));
    rig.event(Event::ConnectRequested);
    rig.open();
    rig.receive(&says::connected("u1").replace("10240", "300"));
    rig.publish(1, &"x".repeat(300));
    rig.publish(2, "short");
    let sent = rig.sent();
    assert!(
        matches!(&sent[..], [.., ClientMessage::Void(void), ClientMessage::Publish(_)] if void.seq == 1),
        "{sent:?}"
    );
    rig.receive(
        r#"{"type":"ack","client_id":"lane-1","seq":1,"channel":"inbox:u1","epoch":"00000000","offset":0}"#,
    );
    assert_eq!(rig.ended(1).unwrap().unwrap_err().code, "too_large");
    assert_eq!(rig.client.outbox().failed.len(), 1);
}

#[test]
fn a_void_that_comes_too_late_finds_the_intent_stored() {
    let mut rig = Rig::in_room();
    rig.publish(1, &"x".repeat(300));
    rig.cut();
    rig.reopen();
    rig.receive(&says::connected("u1").replace("10240", "300"));
    rig.receive(&ack("lane-1", 1, 1));
    assert_eq!(rig.ended(1).unwrap().unwrap().unwrap().offset, 1);
}

#[test]
fn publishing_needs_no_membership_and_survives_being_offline() {
    let mut rig = Rig::live();
    rig.cut();
    rig.publish(1, "a");
    assert_eq!(rig.client.outbox().pending, 1);
    rig.take();
    rig.reopen();
    rig.receive(&says::connected("u1"));
    assert_eq!(rig.published(), [("lane-1".to_owned(), 1)]);
    rig.receive(&ack("lane-1", 1, 1));
    assert_eq!(rig.client.outbox().pending, 0);
    rig.want(ROOM);
    assert!(rig.texts().is_empty(), "it is the log's now");
}

#[test]
fn a_full_outbox_says_so() {
    let mut rig = Rig::with(|config| config.outbox_max = 1);
    rig.go_live(&[]);
    rig.publish(1, "a");
    rig.publish(2, "b");
    assert_eq!(rig.ended(2).unwrap().unwrap_err().code, "outbox_full");
}

#[test]
fn nobody_publishes_nothing() {
    let mut rig = Rig::new();
    rig.event(Event::UserChanged(tidings_client_core::User::Nobody));
    let data = Json::parse("1").unwrap();
    rig.event(Event::PublishRequested { intent: 1, channel: channel(ROOM), data });
    assert_eq!(rig.ended(1).unwrap().unwrap_err().code, "signed_out");
}

#[test]
fn after_close_everything_is_answered() {
    let mut rig = Rig::in_room();
    rig.publish(1, "a");
    rig.event(Event::CloseRequested);
    assert_eq!(rig.ended(1).unwrap().unwrap_err().code, "closed");
    rig.publish(2, "b");
    rig.event(Event::OlderRequested { channel: channel(ROOM), intent: 3 });
    assert_eq!(rig.ended(2).unwrap().unwrap_err().code, "closed");
    assert_eq!(rig.ended(3).unwrap().unwrap_err().code, "closed");
}

#[test]
fn a_hole_that_is_not_lost_is_sent_again_where_it_was() {
    let mut rig = Rig::in_room();
    for (intent, text) in [(1, "a"), (2, "b"), (3, "c")] {
        rig.publish(intent, text);
    }
    rig.take();
    let fields = r#""client_id":"lane-1","seq":3,"expected":2,"#;
    rig.receive(&says::error(fields, "sequence", "backoff"));
    let lanes = [1, 2, 3].map(|seq| ("lane-1".to_owned(), seq));
    assert_eq!(rig.published(), lanes, "what it took is asked for again, too");
    assert!(rig.commands.iter().all(|command| !matches!(command, Command::Failed(_))));
}
