//! Snapshots and pages of items.

use tidings_protocol::Json;

use super::{
    ARCHIVED, Case, READ, T0, ask, channel, draft, inbox, mark, notify, one, open, plain, snapshot,
};
use crate::{
    page::size_of_item,
    store::{Answer, Draft, ItemQuery, NO_LOG, Op, Query, Store},
};

pub(super) const CASES: &[Case] = &[
    ("a snapshot is the newest of both channels in order", a_snapshot_is_ordered),
    ("a snapshot says whether there is more of each", a_snapshot_says_more),
    ("a snapshot's offsets are the tops", a_snapshot_states_its_offsets),
    ("snapshots and pages of items end at their bytes", items_end_at_their_bytes),
    ("pages of items by bytes leave nothing out", pages_by_bytes_are_whole),
    ("pages of items follow each other", pages_follow),
    ("times never go back in a channel", times_follow),
    ("items are found by type and state", items_are_filtered),
    ("who has no inbox has no items", no_inbox_no_items),
];

/// Inbox items at T0+1, +3, +5 (offsets 1–3) and broadcasts at T0+2, +4 (offsets 1–2).
fn filled(store: &dyn Store) {
    one(store, open("u1"));
    for n in 1..=5 {
        let to = if n % 2 == 1 { inbox("u1") } else { channel("system:all") };
        one(store, notify(&to, &format!("n{n}"), T0 + n));
    }
}

fn query() -> ItemQuery {
    ItemQuery {
        user: "u1".into(),
        inbox_before: None,
        system_before: None,
        kinds: Vec::new(),
        read: None,
        archived: None,
        limit: 100,
        bytes: u32::MAX,
    }
}

fn items(store: &dyn Store, query: ItemQuery) -> (Vec<String>, bool) {
    match ask(store, Query::Items(query)) {
        Answer::Items { items, more, .. } => {
            (items.into_iter().map(|item| item.id).collect(), more)
        }
        other => panic!("{other:?}"),
    }
}

fn a_snapshot_is_ordered(store: &dyn Store) {
    filled(store);
    let ids: Vec<_> = snapshot(store, "u1").items.into_iter().map(|item| item.id).collect();
    assert_eq!(ids, ["n5", "n4", "n3", "n2", "n1"]);
}

fn a_snapshot_says_more(store: &dyn Store) {
    filled(store);
    let limited =
        |limit| match ask(store, Query::Snapshot { user: "u1".into(), limit, bytes: u32::MAX }) {
            Answer::Snapshot(snapshot) => {
                (snapshot.items.len(), snapshot.more, snapshot.system_more)
            }
            other => panic!("{other:?}"),
        };
    assert_eq!(limited(5), (5, false, false));
    assert_eq!(limited(4), (4, true, false));
    assert_eq!(limited(3), (3, true, true));
    assert_eq!(limited(0), (0, true, true));
}

fn items_end_at_their_bytes(store: &dyn Store) {
    filled(store);
    let all = snapshot(store, "u1").items;
    let sizes: Vec<_> = all.iter().map(|item| size_of_item(item) as u32).collect();
    let within = |bytes| {
        let whole = Query::Snapshot { user: "u1".into(), limit: 100, bytes };
        let of_snapshot = match ask(store, whole) {
            Answer::Snapshot(snapshot) => {
                (snapshot.items.len(), snapshot.more, snapshot.system_more)
            }
            other => panic!("{other:?}"),
        };
        let (ids, more) = items(store, ItemQuery { bytes, ..query() });
        assert_eq!((ids.len(), more), (of_snapshot.0, of_snapshot.1 || of_snapshot.2), "{bytes}");
        of_snapshot
    };
    let sum = |count: usize| sizes[..count].iter().sum::<u32>();
    assert_eq!(within(sum(5)), (5, false, false));
    assert_eq!(within(sum(5) - 1), (4, true, false));
    assert_eq!(within(sum(4)), (4, true, false));
    assert_eq!(within(sum(4) - 1), (3, true, true));
    assert_eq!(within(sum(1)), (1, true, true));
    for small in [1, 0] {
        assert_eq!(within(small), (1, true, true), "one item at least, or nobody gets on");
    }
}

/// Large items among small ones, in both channels.
fn pages_by_bytes_are_whole(store: &dyn Store) {
    one(store, open("u1"));
    for n in 1..=12 {
        let to = if n % 3 == 0 { channel("system:all") } else { inbox("u1") };
        let title = "x".repeat(if n % 4 == 1 { 400 } else { 4 });
        let data = Json::parse(&format!(r#"{{"title":"{title}"}}"#)).unwrap();
        let draft = Draft { data, ..draft(&to, &format!("n{n:02}"), T0 + n) };
        one(store, plain(Op::Notify(vec![draft])));
    }
    for bytes in [0, 150, 500, 700, 1_500, 9_000] {
        let (mut own, mut system) = (None, None);
        let mut found = Vec::new();
        loop {
            let query = ItemQuery { inbox_before: own, system_before: system, bytes, ..query() };
            let Answer::Items { items, more, .. } = ask(store, Query::Items(query)) else {
                panic!("items were asked for")
            };
            let size: usize = items.iter().map(size_of_item).sum();
            assert!(items.len() == 1 || size <= bytes as usize, "{size} of {bytes}");
            for item in &items {
                let index = if item.channel.is_system() { &mut system } else { &mut own };
                *index = Some(item.offset);
            }
            found.extend(items.into_iter().map(|item| item.id));
            if !more {
                break;
            }
        }
        let whole: Vec<_> = (1..=12).rev().map(|n| format!("n{n:02}")).collect();
        assert_eq!(found, whole, "{bytes}");
    }
}

fn a_snapshot_states_its_offsets(store: &dyn Store) {
    filled(store);
    one(store, mark("m1", &[1], &[2], READ));
    let snapshot = snapshot(store, "u1");
    assert_eq!((snapshot.channel, snapshot.offset, snapshot.system.offset), (inbox("u1"), 4, 2));
    let body = snapshot.items[0].data.as_str();
    assert!(
        body.starts_with(r#"{"notification_id":"n5","type":"like","title":"Mina likes it""#),
        "{body}"
    );
}

fn pages_follow(store: &dyn Store) {
    filled(store);
    assert_eq!(
        items(store, ItemQuery { limit: 2, ..query() }),
        (vec!["n5".into(), "n4".into()], true)
    );
    let next = ItemQuery { inbox_before: Some(3), system_before: Some(2), limit: 2, ..query() };
    assert_eq!(items(store, next), (vec!["n3".into(), "n2".into()], true));
    let own = ItemQuery { system_before: Some(0), ..query() };
    assert_eq!(items(store, own), (vec!["n5".into(), "n3".into(), "n1".into()], false));
    let system = ItemQuery { inbox_before: Some(0), ..query() };
    assert_eq!(items(store, system), (vec!["n4".into(), "n2".into()], false));
}

/// The clocks of two publishes may have another order than their records, and clocks may be set
/// back.
fn times_follow(store: &dyn Store) {
    one(store, open("u1"));
    for (id, at) in [("n1", T0 + 1), ("n2", T0 + 9), ("n3", T0 + 5), ("n4", T0 + 10)] {
        one(store, notify(&inbox("u1"), id, at));
    }
    let times: Vec<_> = snapshot(store, "u1").items.into_iter().map(|item| item.at - T0).collect();
    assert_eq!(times, [10, 9, 9, 1]);
    assert_eq!(items(store, query()).0, ["n4", "n3", "n2", "n1"]);
}

fn items_are_filtered(store: &dyn Store) {
    filled(store);
    one(store, mark("m1", &[1], &[2], READ));
    one(store, mark("m2", &[3], &[], ARCHIVED));
    let ids = |query| items(store, query).0;
    assert_eq!(ids(ItemQuery { read: Some(false), ..query() }), ["n5", "n3", "n2"]);
    assert_eq!(ids(ItemQuery { archived: Some(true), ..query() }), ["n5"]);
    assert_eq!(
        ids(ItemQuery { read: Some(false), archived: Some(false), ..query() }),
        ["n3", "n2"]
    );
    assert_eq!(ids(ItemQuery { kinds: vec!["payment".into()], ..query() }), Vec::<String>::new());
    let unread = ItemQuery { read: Some(false), limit: 2, ..query() };
    assert_eq!(items(store, unread), (vec!["n5".into(), "n3".into()], true));
}

fn no_inbox_no_items(store: &dyn Store) {
    match ask(store, Query::Items(query())) {
        Answer::Items { items, more, at, .. } => {
            assert!(items.is_empty() && !more);
            assert_eq!((at.epoch, at.offset), (NO_LOG, 0));
        }
        other => panic!("{other:?}"),
    }
}
