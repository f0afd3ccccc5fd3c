//! Marks made before their items are there, and marks of items that are not loaded.

use tidings_client_core::{Event, MarkTargets, User};
use tidings_protocol::{
    ClientMessage,
    client::{History, Mark},
};

use crate::{
    disk::{Disk, born, connect, lanes, settle},
    harness::{READ, Rig},
    marks::{refused, settled},
    says,
};

fn marks(rig: &mut Rig) -> Vec<Mark> {
    let marks = rig.sent().into_iter().filter_map(|message| match message {
        ClientMessage::Mark(mark) => Some(mark),
        _ => None,
    });
    marks.collect()
}

fn history(rig: &mut Rig) -> History {
    let asked = rig.sent().into_iter().find_map(|message| match message {
        ClientMessage::History(history) => Some(history),
        _ => None,
    });
    asked.expect("a page was asked for")
}

fn page(asked: &History, more: bool, items: &[String]) -> String {
    let (id, channel) = (asked.id.unwrap(), &asked.channel);
    format!(
        r#"{{"type":"page","id":{id},"channel":"{channel}","epoch":"inboxone","offset":70,"more":{more},"items":[{}]}}"#,
        items.join(",")
    )
}

/// A client with an inbox of 70 items, of which one is loaded.
fn with_older() -> Rig {
    let mut rig = Rig::new();
    rig.go_live(&[]);
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 70, 70, false));
    let items = [says::item("inbox:u1", 70, "n70", false)];
    let counts = says::counts((40, 45), (0, 0, 0));
    rig.receive(&says::snapshot_of(
        "inboxone",
        70,
        ("system01", 0),
        &counts,
        (true, false),
        &items,
    ));
    rig.take();
    rig
}

#[test]
fn marks_made_before_anything_is_loaded_wait_and_go_once() {
    for targets in [MarkTargets::All, MarkTargets::Everything, MarkTargets::Items(vec!["b".into()])]
    {
        let mut rig = Rig::new();
        rig.event(Event::UserChanged(User::Named("u1".into())));
        rig.event(Event::MarkRequested { intent: 1, targets: targets.clone(), set: READ });
        assert_eq!(rig.client.outbox().pending, 1, "{targets:?}");
        rig.go_live_from_here(&["a", "b"]);
        assert!(rig.item("b").read && rig.item("b").pending, "{targets:?}");
        let sent = marks(&mut rig);
        assert_eq!(sent.len(), 1, "{targets:?}");
        assert_eq!(sent[0].epochs.inbox.unwrap().to_string(), "inboxone");
        rig.receive(&says::ack("lane-1", 1, 3));
        assert!(settled(&rig, 1), "{targets:?}");
    }
}

#[test]
fn what_is_asked_for_before_the_user_is_named_is_theirs() {
    let mut rig = Rig::new();
    rig.event(Event::MarkRequested { intent: 1, targets: MarkTargets::All, set: READ });
    rig.publish(2, "early");
    rig.event(Event::UserChanged(User::Named("u1".into())));
    rig.go_live_from_here(&["a"]);
    let sent = rig.sent();
    let kinds: Vec<_> = sent.iter().map(ClientMessage::type_name).collect();
    assert_eq!(kinds, ["connect", "mark", "publish"]);

    let mut rig = Rig::new();
    rig.publish(1, "early");
    rig.event(Event::UserChanged(User::Nobody));
    assert!(refused(&rig, 1, "signed_out"));
}

#[test]
fn everything_is_what_there_is_when_the_inbox_is_live_and_not_what_was_stored() {
    let mut rig = Rig::with(|config| config.storage = true);
    rig.event(Event::UserChanged(User::Named("u1".into())));
    let saved = Some(format!("1{}", says::snapshot(&["a"])));
    rig.event(Event::StorageLoaded { user: "u1".into(), saved });
    let targets = MarkTargets::Everything;
    rig.event(Event::MarkRequested { intent: 1, targets, set: READ });
    rig.event(Event::ConnectRequested);
    rig.greet();
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 2, 1, true));
    rig.receive(&says::notification(2, "b", 2));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, true));
    assert!(rig.item("a").read && rig.item("b").read);
    let sent = marks(&mut rig);
    assert_eq!(sent[0].up_to.unwrap().inbox, Some(2));
}

#[test]
fn what_is_shown_from_storage_is_what_all_means_there() {
    let mut rig = Rig::with(|config| config.storage = true);
    rig.event(Event::UserChanged(User::Named("u1".into())));
    let saved = Some(format!("1{}", says::snapshot(&["a"])));
    rig.event(Event::StorageLoaded { user: "u1".into(), saved });
    rig.event(Event::MarkRequested { intent: 1, targets: MarkTargets::All, set: READ });
    assert!(rig.item("a").read, "at once");
}

#[test]
fn an_early_mark_of_an_empty_inbox_is_done_once_that_is_known() {
    let mut rig = Rig::new();
    rig.event(Event::UserChanged(User::Named("u1".into())));
    rig.event(Event::MarkRequested { intent: 1, targets: MarkTargets::All, set: READ });
    rig.go_live_from_here(&[]);
    assert!(settled(&rig, 1));
    assert!(marks(&mut rig).is_empty());
    rig.receive(&says::ack("lane-1", 1, 0).replace(r#","record_id":"m0""#, ""));
    assert_eq!(rig.client.outbox().pending, 0);
    assert!(rig.client.outbox().failed.is_empty());
}

#[test]
fn an_item_that_is_not_loaded_is_looked_up_and_marked() {
    let mut rig = with_older();
    rig.mark(1, &["n70", "n12"], READ);
    let asked = history(&mut rig);
    assert_eq!((asked.channel.as_str(), asked.before), ("inbox:u1", Some(70)));
    rig.receive(&page(&asked, true, &[says::item("inbox:u1", 60, "n60", false)]));
    let asked = history(&mut rig);
    assert_eq!(asked.before, Some(60));
    rig.receive(&page(&asked, true, &[says::item("inbox:u1", 12, "n12", false)]));
    let sent = marks(&mut rig);
    let offsets = sent[0].offsets.as_ref().unwrap();
    assert_eq!(offsets.inbox.as_deref(), Some(&[12, 70][..]));
    assert_eq!(rig.all().items.len(), 1, "what was looked up is not shown");
}

#[test]
fn a_search_goes_on_after_a_cut() {
    let mut rig = with_older();
    rig.mark(1, &["n12"], READ);
    history(&mut rig);
    rig.cut();
    rig.reopen();
    rig.receive(&says::connected("u1"));
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 70, 70, true));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, true));
    let asked = history(&mut rig);
    rig.receive(&page(&asked, true, &[says::item("inbox:u1", 12, "n12", false)]));
    assert_eq!(marks(&mut rig).len(), 1);
}

/// Found by seeds 1796107822 and 1796108294: pages of `system:all` were taken for pages of another
/// log, and requested again as fast as they came.
#[test]
fn an_everyone_message_that_is_not_loaded_is_looked_up_and_marked() {
    let mut rig = Rig::new();
    rig.go_live(&[]);
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 70, 70, false));
    let items = [says::item("inbox:u1", 70, "n70", false)];
    let counts = says::counts((1, 1), (5, 5, 9));
    let top = ("system01", 9);
    rig.receive(&says::snapshot_of("inboxone", 70, top, &counts, (false, true), &items));
    rig.take();
    rig.mark(1, &["n70", "s4"], READ);
    let asked = history(&mut rig);
    assert_eq!((asked.channel.as_str(), asked.before), ("system:all", Some(10)));
    rig.receive(&page(&asked, true, &[says::item("system:all", 4, "s4", false)]));
    let sent = marks(&mut rig);
    let offsets = sent[0].offsets.as_ref().unwrap();
    assert_eq!(offsets.system.as_deref(), Some(&[4][..]));
    assert_eq!(offsets.inbox.as_deref(), Some(&[70][..]));
}

#[test]
fn a_page_of_another_log_is_asked_for_again_in_time_and_not_for_ever() {
    let mut rig = with_older();
    rig.mark(1, &["n12"], READ);
    let mut asked = 0;
    for _ in 0..12 {
        for message in rig.sent() {
            if let ClientMessage::History(history) = message {
                asked += 1;
                let items = [says::item("inbox:u1", 12, "n12", false)];
                rig.receive(&page(&history, true, &items).replace("inboxone", "inboxtwo"));
                assert!(rig.sent().is_empty(), "not at once");
            }
        }
        rig.advance(10_000);
        rig.receive(&says::pong(""));
    }
    assert_eq!(asked, 10);
    assert!(rig.client.outbox().failed[0].error.message.contains("n12"));
}

#[test]
fn a_search_begins_anew_below_a_snapshot() {
    let mut rig = with_older();
    rig.mark(1, &["n60"], READ);
    let asked = history(&mut rig);
    rig.receive(&page(&asked, true, &[says::item("inbox:u1", 50, "n50", false)]));
    assert_eq!(history(&mut rig).before, Some(50));
    rig.cut();
    rig.reopen();
    rig.receive(&says::connected("u1"));
    rig.receive(&says::subscribed("inbox:u1", "inboxtwo", 90, 90, false));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, false));
    let items = [says::item("inbox:u1", 90, "n90", false)];
    let counts = says::counts((40, 45), (0, 0, 0));
    let top = ("system01", 0);
    rig.receive(&says::snapshot_of("inboxtwo", 90, top, &counts, (true, false), &items));
    let asked = history(&mut rig);
    assert_eq!(asked.before, Some(90));
    let found = page(&asked, true, &[says::item("inbox:u1", 60, "n60", false)]);
    rig.receive(&found.replace("inboxone", "inboxtwo"));
    assert_eq!(marks(&mut rig).len(), 1);
}

#[test]
fn an_item_that_is_nowhere_is_refused_in_every_way() {
    let mut rig = with_older();
    rig.mark(1, &["nobody"], READ);
    rig.publish(2, "after");
    let asked = history(&mut rig);
    rig.receive(&page(&asked, false, &[says::item("inbox:u1", 60, "n60", false)]));
    let sent = rig.sent();
    assert!(
        matches!(&sent[..], [ClientMessage::Void(void), ClientMessage::Publish(next)] if void.seq == 1 && next.seq == Some(2)),
        "{sent:?}"
    );
    rig.receive(&says::ack("lane-1", 1, 70).replace(r#","record_id":"m70""#, ""));
    assert!(!refused(&rig, 1, "not_found"), "once");
    let failed = rig.client.outbox().failed.clone();
    assert!(failed[0].error.message.contains("nobody"), "{failed:?}");
}

#[test]
fn a_search_that_has_no_answer_ends() {
    let mut rig = with_older();
    rig.mark(1, &["nobody"], READ);
    for _ in 0..12 {
        rig.advance(10_000);
        rig.receive(&says::pong(""));
    }
    let voids = rig.sent().iter().filter(|one| matches!(one, ClientMessage::Void(_))).count();
    assert!(voids > 0);
}

#[test]
fn an_early_mark_outlives_its_page() {
    let mut disk = Disk::default();
    let mut rig = Rig::with(|config| lanes(config, "one"));
    rig.event(Event::UserChanged(User::Named("u1".into())));
    let items = MarkTargets::Items(vec!["b".into()]);
    for (intent, targets) in [(1, MarkTargets::Everything), (2, items)] {
        rig.event(Event::MarkRequested { intent, targets, set: READ });
    }
    settle(&mut rig, &mut disk);
    assert_eq!(disk.seqs("one-1"), [1, 2]);
    drop(rig);
    disk.died();
    let mut rig = born("two", &mut disk);
    settle(&mut rig, &mut disk);
    let sent: Vec<_> = marks(&mut rig).into_iter().map(|mark| (mark.client_id, mark.seq)).collect();
    let lane = Some(String::from("one-1"));
    assert_eq!(sent, [(lane.clone(), Some(1)), (lane, Some(2))]);
    assert!(rig.item("b").read);
}

#[test]
fn a_granted_mark_is_stored_as_it_is_sent() {
    let mut disk = Disk::default();
    let mut rig = Rig::with(|config| lanes(config, "one"));
    rig.event(Event::UserChanged(User::Named("u1".into())));
    rig.event(Event::MarkRequested { intent: 1, targets: MarkTargets::All, set: READ });
    settle(&mut rig, &mut disk);
    rig.event(Event::StorageLoaded { user: "u1".into(), saved: None });
    connect(&mut rig, &mut disk);
    settle(&mut rig, &mut disk);
    let row = disk.rows.values().next().unwrap();
    assert!(row.contains(r#""up_to""#), "{row}");
    assert_eq!(marks(&mut rig).len(), 1);
}
