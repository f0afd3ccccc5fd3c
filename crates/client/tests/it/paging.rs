use tidings_client_core::{Command, Event, Filter, Show};
use tidings_protocol::{ClientMessage, client::History};

use crate::{
    harness::{READ, Rig, START},
    says,
};

/// The newest two inbox items and one message to everyone, from longer logs.
fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.event(Event::ConnectRequested);
    rig.greet();
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 10, 10, false));
    rig.receive(&says::subscribed("system:all", "system01", 9, 9, false));
    let items = [
        says::item("inbox:u1", 10, "i10", false),
        says::item("system:all", 9, "s9", false),
        says::item("inbox:u1", 8, "i8", false),
    ];
    let counts = says::counts((9, 9), (5, 5, 9));
    rig.receive(&says::snapshot_of("inboxone", 10, ("system01", 9), &counts, (true, true), &items));
    rig.take();
    rig
}

fn more(rig: &mut Rig, intent: u64) {
    rig.event(Event::MoreRequested { filter: Filter::default(), intent });
}

fn history(rig: &mut Rig) -> History {
    let asked: Vec<History> = rig
        .sent()
        .into_iter()
        .filter_map(|message| match message {
            ClientMessage::History(history) => Some(history),
            _ => None,
        })
        .collect();
    assert_eq!(asked.len(), 1, "one request at a time");
    asked.into_iter().next().unwrap()
}

fn page(asked: &History, offset: u64, more: bool, items: &[String]) -> String {
    // A page of `system:all`, too, was read at an offset of the inbox.
    format!(
        r#"{{"type":"page","id":{},"channel":"{}","epoch":"inboxone","offset":{offset},"more":{more},"items":[{}]}}"#,
        asked.id.unwrap(),
        asked.channel,
        items.join(",")
    )
}

fn done(rig: &Rig, number: u64) -> bool {
    rig.commands
        .iter()
        .any(|c| matches!(c, Command::Settled { intent, result: Ok(None) } if *intent == number))
}

#[test]
fn the_merged_list_grows_without_holes() {
    let mut rig = rig();
    assert!(rig.inbox().has_more);
    more(&mut rig, 1);
    assert!(rig.inbox().loading_more);
    let asked = history(&mut rig);
    assert_eq!((asked.channel.as_str(), asked.before), ("inbox:u1", Some(8)));
    rig.receive(&page(
        &asked,
        10,
        true,
        &[says::item("inbox:u1", 6, "i6", false), says::item("inbox:u1", 3, "i3", true)],
    ));
    // There may be messages to everyone before i6: nothing is shown until they are known.
    assert_eq!(rig.ids(), ["i10", "s9", "i8"]);
    assert!(!done(&rig, 1));
    let asked = history(&mut rig);
    assert_eq!((asked.channel.as_str(), asked.before), ("system:all", Some(9)));
    rig.receive(&page(
        &asked,
        10,
        true,
        &[says::item("system:all", 7, "s7", false), says::item("system:all", 4, "s4", false)],
    ));
    assert_eq!(rig.ids(), ["i10", "s9", "i8", "s7", "i6", "s4"]);
    assert!(done(&rig, 1));
    assert!(!rig.inbox().loading_more && rig.inbox().has_more);

    more(&mut rig, 2);
    let asked = history(&mut rig);
    assert_eq!((asked.channel.as_str(), asked.before), ("system:all", Some(4)));
    rig.receive(&page(&asked, 10, false, &[]));
    assert_eq!(rig.ids(), ["i10", "s9", "i8", "s7", "i6", "s4", "i3"]);
    assert!(done(&rig, 2));
    more(&mut rig, 3);
    let asked = history(&mut rig);
    assert_eq!((asked.channel.as_str(), asked.before), ("inbox:u1", Some(3)));
    rig.receive(&page(&asked, 10, false, &[says::item("inbox:u1", 1, "i1", false)]));
    assert!(done(&rig, 3));
    assert!(!rig.inbox().has_more);
    assert_eq!(rig.inbox().count, Some(8));
}

#[test]
fn calls_of_the_same_view_join() {
    let mut rig = rig();
    more(&mut rig, 1);
    more(&mut rig, 2);
    let asked = history(&mut rig);
    rig.receive(&page(&asked, 10, false, &[]));
    let asked = history(&mut rig);
    rig.receive(&page(&asked, 10, false, &[]));
    assert!(done(&rig, 1) && done(&rig, 2));
}

#[test]
fn marks_made_while_a_page_was_on_its_way_are_laid_on_it() {
    let mut rig = rig();
    more(&mut rig, 1);
    let asked = history(&mut rig);
    let counts = says::counts((8, 8), (5, 5, 9));
    rig.receive(&says::marked(11, r#""offsets":{"inbox":[6]}"#, r#"{"read":true}"#, None, &counts));
    let items = [says::item("inbox:u1", 6, "i6", false)];
    rig.receive(&page(&asked, 10, false, &items));
    let asked = history(&mut rig);
    rig.receive(&page(&asked, 11, false, &[]));
    assert!(rig.item("i6").read);
}

#[test]
fn a_page_ahead_of_the_fold_keeps_its_states() {
    let mut rig = rig();
    more(&mut rig, 1);
    let asked = history(&mut rig);
    // The page was read at 12. The item was marked at 11 and unmarked at 12; both records come
    // later.
    rig.receive(&page(&asked, 12, false, &[says::item("inbox:u1", 6, "i6", false)]));
    let asked = history(&mut rig);
    rig.receive(&page(&asked, 12, false, &[]));
    let counts = says::counts((8, 8), (5, 5, 9));
    rig.receive(&says::marked(11, r#""offsets":{"inbox":[6]}"#, r#"{"read":true}"#, None, &counts));
    assert!(!rig.item("i6").read, "it would flicker");
}

#[test]
fn marks_pending_on_loaded_items_count_once() {
    let mut rig = rig();
    rig.mark(1, &["i8"], READ);
    assert_eq!(rig.counts(), (13, 13));
    more(&mut rig, 2);
    let asked = history(&mut rig);
    rig.receive(&page(&asked, 10, false, &[says::item("inbox:u1", 6, "i6", false)]));
    assert_eq!(rig.counts(), (13, 13));
}

#[test]
fn a_cut_asks_again_and_a_silent_server_is_an_error_of_the_view() {
    let mut rig = rig();
    more(&mut rig, 1);
    history(&mut rig);
    rig.cut();
    rig.reopen();
    rig.receive(&says::connected("u1"));
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 10, 10, true));
    rig.receive(&says::subscribed("system:all", "system01", 9, 9, true));
    history(&mut rig);
    rig.advance(10_000);
    assert!(
        rig.commands.iter().any(|c| matches!(c, Command::Settled { intent: 1, result: Err(_) }))
    );
    let view = rig.inbox();
    assert!(!view.loading_more);
    assert_eq!(view.error.unwrap().code, "network");
    more(&mut rig, 2);
    assert_eq!(rig.inbox().error, None);
}

#[test]
fn a_view_that_fits_few_items_fetches_several_pages() {
    let mut rig = rig();
    let filter = Filter { show: Show::All, kinds: ["payment"].into_iter().collect() };
    rig.event(Event::MoreRequested { filter: filter.clone(), intent: 1 });
    for before in [8, 7, 6] {
        let asked = history(&mut rig);
        let items = [says::item(asked.channel.as_str(), before - 1, "x", false)];
        let id = format!("\"id\":\"{}{before}\"", asked.channel.namespace());
        rig.receive(&page(&asked, 10, true, &[items[0].replace("\"id\":\"x\"", &id)]));
        assert!(!done(&rig, 1));
    }
    let asked = history(&mut rig);
    let item = says::item(asked.channel.as_str(), 3, "p", false).replace("comment", "payment");
    rig.receive(&page(&asked, 10, false, &[item]));
    let asked = history(&mut rig);
    rig.receive(&page(&asked, 10, false, &[]));
    assert!(done(&rig, 1));
    assert_eq!(rig.client.inbox(&filter).items.len(), 1);
}

#[test]
fn memory_is_bounded_by_keep_until_the_app_loads_more_and_by_items_max_then() {
    let mut rig = Rig::with(|config| {
        config.keep = 3;
        config.items_max = 5;
    });
    rig.go_live(&[]);
    let mut offset = 0;
    let mut push = |rig: &mut Rig, n: u64| {
        for _ in 0..n {
            offset += 1;
            rig.receive(&says::notification(offset, &format!("n{offset}"), offset));
        }
    };
    push(&mut rig, 6);
    assert_eq!(rig.ids(), ["n6", "n5", "n4"]);
    assert_eq!(rig.counts(), (6, 6), "counts are the server's");
    assert!(rig.inbox().has_more);
    rig.take();
    more(&mut rig, 1);
    let asked = history(&mut rig);
    assert_eq!(asked.before, Some(4));
    let items: Vec<String> =
        [3, 2, 1].map(|offset| says::item("inbox:u1", offset, &format!("n{offset}"), false)).into();
    rig.receive(&page(&asked, 6, false, &items));
    assert_eq!(rig.ids(), ["n6", "n5", "n4", "n3", "n2"]);
    assert!(!rig.inbox().has_more, "no room for more");
    push(&mut rig, 1);
    assert_eq!(rig.ids(), ["n7", "n6", "n5", "n4", "n3"]);
}

#[test]
fn trimmed_items_go_and_do_not_come_back_with_a_page() {
    let mut rig = rig();
    more(&mut rig, 1);
    let asked = history(&mut rig);
    let counts = says::counts((1, 1), (5, 5, 9));
    rig.receive(&format!(
        r#"{{"type":"trimmed","channel":"inbox:u1","offset":11,"id":"t","at":{START},"up_to":8,"counts":{counts}}}"#
    ));
    assert_eq!(rig.ids(), ["i10", "s9"]);
    rig.receive(&page(&asked, 10, true, &[says::item("inbox:u1", 6, "i6", false)]));
    assert_eq!(rig.all().items.iter().filter(|item| &*item.id == "i6").count(), 0);
}

#[test]
fn nothing_older_is_settled_at_once() {
    let mut rig = Rig::live_with(&["a"]);
    more(&mut rig, 1);
    assert!(done(&rig, 1));
    assert!(!rig.inbox().loading_more);
}

/// Refuses the request for a page, as a server does that gets too many.
fn flood(rig: &mut Rig, asked: &History, after_ms: u64) {
    let fields = format!(r#""id":{},"retry_after_ms":{after_ms},"#, asked.id.unwrap());
    rig.receive(&says::error(&fields, "flood", "backoff"));
}

fn refused(rig: &Rig, number: u64) -> Option<String> {
    rig.commands.iter().find_map(|command| match command {
        Command::Settled { intent, result: Err(error) } if *intent == number => {
            Some(error.code.clone())
        }
        _ => None,
    })
}

#[test]
fn a_page_that_is_refused_for_now_is_asked_for_again() {
    let mut rig = rig();
    more(&mut rig, 1);
    let asked = history(&mut rig);
    // Longer than a page may take.
    flood(&mut rig, &asked, 20_000);
    for _ in 0..19 {
        rig.advance(1_000);
        rig.receive(&says::pong(""));
    }
    assert!(rig.inbox().loading_more && refused(&rig, 1).is_none());
    let history_sent = |rig: &mut Rig| {
        rig.sent().iter().any(|message| matches!(message, ClientMessage::History(_)))
    };
    assert!(!history_sent(&mut rig), "not before the server wants it");
    rig.advance(2_000);
    let asked = history(&mut rig);
    rig.receive(&page(&asked, 10, false, &[says::item("inbox:u1", 6, "i6", false)]));
    let asked = history(&mut rig);
    rig.receive(&page(&asked, 10, false, &[]));
    assert!(done(&rig, 1));
    assert_eq!(rig.inbox().error, None);
}

#[test]
fn a_load_learns_of_the_refusal_that_does_not_end() {
    let mut rig = rig();
    more(&mut rig, 1);
    for _ in 0..3 {
        let asked = history(&mut rig);
        flood(&mut rig, &asked, 1_000);
        rig.advance(2_000);
    }
    assert_eq!(refused(&rig, 1), None);
    let asked = history(&mut rig);
    flood(&mut rig, &asked, 1_000);
    assert_eq!(refused(&rig, 1).as_deref(), Some("flood"));
    // A new call has its own.
    more(&mut rig, 2);
    let asked = history(&mut rig);
    flood(&mut rig, &asked, 60_000);
    assert_eq!(refused(&rig, 2).as_deref(), Some("flood"), "nobody waits a minute for a page");
}
