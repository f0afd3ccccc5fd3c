use tidings_client_core::{Command, Credential, Event, Filter, InboxStatus, Status, User};
use tidings_protocol::ClientMessage;

use crate::{harness::Rig, says};

fn with_storage() -> Rig {
    Rig::with(|config| config.storage = true)
}

fn named(rig: &mut Rig) {
    rig.event(Event::UserChanged(User::Named("u1".into())));
}

fn loaded(rig: &mut Rig, saved: Option<&str>) {
    rig.event(Event::StorageLoaded { user: "u1".into(), saved: saved.map(String::from) });
}

struct Saved {
    cursors: Vec<(String, u64)>,
    over: Vec<String>,
    text: String,
}

fn saves(rig: &mut Rig) -> Vec<Saved> {
    rig.take()
        .into_iter()
        .filter_map(|command| match command {
            Command::Save { user, cursors, over, text } => {
                assert_eq!(user, "u1");
                let cursors = cursors.map(|(epoch, offset)| (epoch.to_string(), offset)).into();
                let over = over.iter().map(ToString::to_string).collect();
                Some(Saved { cursors, over, text })
            }
            _ => None,
        })
        .collect()
}

/// The cache that a client saved with these items in its inbox.
fn saved_with(items: &[&str]) -> String {
    let mut rig = with_storage();
    named(&mut rig);
    loaded(&mut rig, None);
    rig.go_live_from_here(items);
    saves(&mut rig).remove(0).text
}

#[test]
fn the_cache_shows_before_the_connection_and_names_the_cursors() {
    let text = saved_with(&["a", "b"]);
    let mut rig = with_storage();
    named(&mut rig);
    assert!(rig.take().contains(&Command::Load { user: "u1".into() }));
    loaded(&mut rig, Some(&text));
    assert_eq!(rig.inbox().status, InboxStatus::Cached);
    assert_eq!(rig.ids(), ["b", "a"]);
    assert_eq!(rig.counts(), (2, 2));
    rig.event(Event::ConnectRequested);
    rig.open();
    let sent = rig.sent();
    let [ClientMessage::Connect(connect)] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!(connect.cursors.as_ref().unwrap().get("inbox:u1").unwrap().offset, 2);
    rig.receive(&says::connected("u1"));
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 3, 2, true));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, true));
    rig.receive(&says::notification(3, "c", 3));
    assert_eq!(rig.ids(), ["c", "b", "a"]);
    assert_eq!(rig.inbox().status, InboxStatus::Live);
}

#[test]
fn a_burst_is_one_save_a_moment_later() {
    let mut rig = with_storage();
    named(&mut rig);
    loaded(&mut rig, None);
    rig.go_live(&[]);
    rig.advance(250);
    saves(&mut rig);
    for offset in 1..=10 {
        rig.receive(&says::notification(offset, &format!("n{offset}"), offset));
        rig.advance(10);
    }
    rig.advance(149);
    assert!(saves(&mut rig).is_empty());
    rig.advance(1);
    let saved = saves(&mut rig);
    assert_eq!(saved.len(), 1);
    assert_eq!(saved[0].cursors, [("inboxone".into(), 10), ("system01".into(), 0)]);
    rig.advance(10_000);
    assert!(saves(&mut rig).is_empty(), "nothing changed");
}

#[test]
fn the_first_cache_of_a_user_is_saved_at_once() {
    let mut rig = with_storage();
    named(&mut rig);
    loaded(&mut rig, None);
    rig.go_live_from_here(&["a"]);
    assert_eq!(saves(&mut rig).len(), 1);
    rig.receive(&says::notification(2, "b", 2));
    assert!(saves(&mut rig).is_empty(), "the next waits for others");
}

#[test]
fn the_first_cache_is_saved_at_once_too_where_storage_answers_after_the_server() {
    let mut rig = with_storage();
    rig.event(Event::ConnectRequested);
    rig.greet();
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 1, 1, false));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, false));
    rig.receive(&says::snapshot(&["a"]));
    assert!(saves(&mut rig).is_empty(), "it may replace what storage has");
    loaded(&mut rig, None);
    assert_eq!(saves(&mut rig).len(), 1);
}

#[test]
fn hiding_the_page_saves_at_once() {
    let mut rig = with_storage();
    named(&mut rig);
    loaded(&mut rig, None);
    rig.go_live(&["a"]);
    rig.receive(&says::notification(2, "b", 2));
    rig.event(Event::Hidden);
    assert_eq!(saves(&mut rig).len(), 1);
}

#[test]
fn only_the_newest_items_are_saved_and_older_ones_can_be_loaded() {
    let mut rig = Rig::with(|config| {
        config.storage = true;
        config.keep = 2;
    });
    named(&mut rig);
    loaded(&mut rig, None);
    rig.go_live_from_here(&["a", "b", "c"]);
    let text = saves(&mut rig).remove(0).text;
    let mut rig = with_storage();
    named(&mut rig);
    loaded(&mut rig, Some(&text));
    assert_eq!(rig.ids(), ["c", "b"]);
    assert_eq!(rig.counts(), (3, 3));
    assert!(rig.inbox().has_more);
}

#[test]
fn an_epoch_that_was_left_may_be_overwritten() {
    let text = saved_with(&["a"]);
    let mut rig = with_storage();
    named(&mut rig);
    loaded(&mut rig, Some(&text));
    rig.event(Event::ConnectRequested);
    rig.greet();
    rig.receive(&says::subscribed("inbox:u1", "inboxtwo", 1, 1, false));
    rig.receive(&says::gap("inbox:u1", 1, 1, "epoch"));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, true));
    rig.receive(&says::snapshot(&["z"]).replace("inboxone", "inboxtwo"));
    rig.advance(250);
    let saved = saves(&mut rig).remove(0);
    assert_eq!(saved.over, ["inboxone"]);
    assert_eq!(saved.cursors[0], ("inboxtwo".into(), 1));
}

#[test]
fn a_connection_waits_a_moment_for_the_cache_but_not_for_ever() {
    let mut rig = with_storage();
    named(&mut rig);
    rig.event(Event::ConnectRequested);
    rig.ticket(Ok(Credential::Ticket("t".into())));
    rig.event(Event::TransportOpened { transport: 1 });
    assert!(rig.sent().is_empty());
    rig.advance(2_000);
    assert_eq!(rig.sent().len(), 1);
    // It comes too late to be shown; the server's snapshot follows anyway.
    loaded(&mut rig, Some(&saved_with(&["a"])));
    rig.receive(&says::connected("u1"));
    assert_eq!(rig.client.connection().status, Status::Connected);
}

#[test]
fn a_late_cache_does_not_replace_what_is_live() {
    let text = saved_with(&["old"]).replace("inboxone", "inboxzero".get(..8).unwrap());
    let mut rig = with_storage();
    named(&mut rig);
    rig.event(Event::ConnectRequested);
    rig.ticket(Ok(Credential::Ticket("t".into())));
    rig.event(Event::TransportOpened { transport: 1 });
    rig.advance(2_000);
    rig.receive(&says::connected("u1"));
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 1, 1, false));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, false));
    rig.receive(&says::snapshot(&["new"]));
    loaded(&mut rig, Some(&text));
    assert_eq!(rig.ids(), ["new"]);
    rig.advance(250);
    assert_eq!(saves(&mut rig).remove(0).over, ["inboxzer"]);
}

#[test]
fn storage_that_fails_is_done_without() {
    let mut rig = with_storage();
    assert!(rig.client.connection().durable);
    named(&mut rig);
    rig.event(Event::ConnectRequested);
    rig.ticket(Ok(Credential::Ticket("t".into())));
    rig.event(Event::TransportOpened { transport: 1 });
    rig.event(Event::StorageFailed { reason: "private mode".into() });
    assert!(!rig.client.connection().durable);
    assert_eq!(rig.sent().len(), 1, "connects without waiting on");
    rig.receive(&says::connected("u1"));
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 1, 1, false));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, false));
    rig.receive(&says::snapshot(&["a"]));
    rig.advance(1_000);
    assert!(saves(&mut rig).is_empty());
    assert_eq!(rig.ids(), ["a"]);
}

#[test]
fn unreadable_or_foreign_caches_count_as_none() {
    let good = saved_with(&["a"]);
    let foreign = good.replace("inbox:u1", "inbox:u2");
    let newer = good.replacen('1', "2", 1);
    for text in ["", "1", "1{}", "{", &good[..good.len() - 1], &foreign, &newer] {
        let mut rig = with_storage();
        named(&mut rig);
        loaded(&mut rig, Some(text));
        assert_eq!(rig.inbox().status, InboxStatus::Loading, "{text}");
    }
}

#[test]
fn a_mark_that_waits_for_its_message_is_not_saved_away() {
    let mut rig = with_storage();
    named(&mut rig);
    loaded(&mut rig, None);
    rig.go_live(&[]);
    rig.advance(250);
    saves(&mut rig);
    let counts = says::counts((0, 0), (0, 0, 1));
    rig.receive(&says::marked(1, r#""up_to":{"system":1}"#, r#"{"read":true}"#, None, &counts));
    rig.advance(1_000);
    assert!(saves(&mut rig).is_empty());
    rig.receive(&says::broadcast(1, "s1"));
    rig.advance(250);
    assert_eq!(saves(&mut rig).len(), 1);
}

/// A fold at inbox offset 9, which is saved, and the last page under it, read at 11.
fn with_a_page_read_ahead(items: &str) -> Rig {
    let mut rig = with_storage();
    named(&mut rig);
    loaded(&mut rig, None);
    rig.go_live(&[]);
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 9, 9, false));
    let newest = [says::item("inbox:u1", 9, "i9", false)];
    let counts = says::counts((2, 2), (0, 0, 0));
    rig.receive(&says::snapshot_of(
        "inboxone",
        9,
        ("system01", 0),
        &counts,
        (true, false),
        &newest,
    ));
    rig.advance(250);
    saves(&mut rig);
    rig.event(Event::MoreRequested { filter: Filter::default(), intent: 1 });
    let id = rig
        .sent()
        .into_iter()
        .find_map(|message| match message {
            ClientMessage::History(history) => history.id,
            _ => None,
        })
        .unwrap();
    rig.receive(&format!(
        r#"{{"type":"page","id":{id},"channel":"inbox:u1","epoch":"inboxone","offset":11,"more":false,"items":[{items}]}}"#
    ));
    rig.receive(&says::notification_at(10, "i10", 1, &says::counts((3, 3), (0, 0, 0))));
    rig.advance(250);
    rig
}

#[test]
fn a_page_read_ahead_of_the_fold_is_saved_once_the_fold_is_there() {
    let mut rig = with_a_page_read_ahead(&says::item("inbox:u1", 8, "i8", true));
    assert!(saves(&mut rig).is_empty(), "i8 is as it will be at 11");
    let counts = says::counts((2, 2), (0, 0, 0));
    rig.receive(&says::marked(11, r#""offsets":{"inbox":[8]}"#, r#"{"read":true}"#, None, &counts));
    rig.advance(250);
    assert_eq!(saves(&mut rig)[0].cursors[0], ("inboxone".into(), 11));
}

/// Found by seed 1798205416.
#[test]
fn a_page_that_lacks_what_is_trimmed_later_is_saved_once_the_fold_is_there() {
    let mut rig = with_a_page_read_ahead("");
    assert!(saves(&mut rig).is_empty(), "at 10, i8 is there");
    let counts = says::counts((2, 2), (0, 0, 0));
    rig.receive(&format!(
        r#"{{"type":"trimmed","channel":"inbox:u1","offset":11,"id":"r11","at":1,"up_to":8,"counts":{counts}}}"#
    ));
    rig.advance(250);
    assert_eq!(saves(&mut rig)[0].cursors[0], ("inboxone".into(), 11));
}
