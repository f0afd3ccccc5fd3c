//! Retention.

use tidings_protocol::{ServerMessage, Tally};

use super::{
    Case, READ, T0, ask, channel, counts, decoded, head, inbox, mark, message, notify, offsets,
    one, records, snapshot,
};
use crate::store::{Answer, IdempotencyKey, Op, Query, Retention, Store, Write, Written};

pub(super) const CASES: &[Case] = &[
    ("records go by count and offsets go on", records_go_by_count),
    ("records go by age", records_go_by_age),
    ("items outlive the records of their log", items_outlive_records),
    ("trimmed items are a record with the counts after it", trimmed_items),
    ("keys end with their time", keys_end),
    ("kept texts end with the latest of their times", kept_texts_end),
];

const KEEP: Retention =
    Retention { records: 1_000, age_ms: 1 << 40, items: 1_000, keys_ms: 1_000, lanes_ms: 1 << 40 };

fn trim(store: &dyn Store, wall: u64, retention: &Retention) {
    let mut rounds = 0;
    while store.trim(wall, retention).unwrap() {
        rounds += 1;
        assert!(rounds < 10_000, "trimming ends");
    }
}

fn records_go_by_count(store: &dyn Store) {
    let room = channel("room:a");
    for n in 0..5 {
        one(store, message(&room, &n.to_string()));
    }
    let epoch = head(store, &room).unwrap().epoch;
    trim(store, T0, &Retention { records: 2, ..KEEP });
    assert_eq!(head(store, &room).map(|head| (head.first, head.top)), Some((4, 5)));
    assert_eq!(offsets(&records(store, &room, 0)), [4, 5]);
    trim(store, T0, &Retention { records: 0, ..KEEP });
    let empty = head(store, &room).unwrap();
    assert_eq!(
        (empty.epoch, empty.first, empty.top),
        (epoch, 6, 5),
        "the channel outlives its records"
    );
    assert_eq!(super::record(one(store, message(&room, "next"))).offset, 6);
}

fn records_go_by_age(store: &dyn Store) {
    let own = inbox("u1");
    for n in 1..=3 {
        one(store, notify(&own, &format!("n{n}"), T0 + n * 1_000));
    }
    trim(store, T0 + 12_000, &Retention { age_ms: 10_000, ..KEEP });
    assert_eq!(offsets(&records(store, &own, 0)), [2, 3]);
}

fn items_outlive_records(store: &dyn Store) {
    let own = inbox("u1");
    for n in 1..=3 {
        one(store, notify(&own, &format!("n{n}"), T0 + n));
    }
    trim(store, T0, &Retention { records: 0, ..KEEP });
    assert!(records(store, &own, 0).is_empty());
    assert_eq!(snapshot(store, "u1").items.len(), 3);
    one(store, mark("m1", &[1], &[], READ));
    assert_eq!(counts(store, "u1").inbox, Tally { unread: 2, unseen: 2 });
}

fn trimmed_items(store: &dyn Store) {
    let own = inbox("u1");
    for n in 1..=3 {
        one(store, notify(&own, &format!("n{n}"), T0 + n));
    }
    one(store, mark("m1", &[1], &[], READ));
    trim(store, T0 + 9, &Retention { items: 1, ..KEEP });
    let left: Vec<_> = snapshot(store, "u1").items.into_iter().map(|item| item.id).collect();
    assert_eq!(left, ["n3"]);
    assert_eq!(counts(store, "u1").inbox, Tally { unread: 1, unseen: 1 });
    let last = records(store, &own, 4);
    match decoded(last.last().unwrap()) {
        ServerMessage::Trimmed(trimmed) => {
            assert_eq!(trimmed.up_to, 2);
            assert_eq!(trimmed.counts.inbox, Tally { unread: 1, unseen: 1 });
        }
        other => panic!("{other:?}"),
    }
    let top = head(store, &own).unwrap().top;
    trim(store, T0 + 9, &Retention { items: 1, ..KEEP });
    assert_eq!(head(store, &own).unwrap().top, top, "nothing to trim makes no record");
}

fn kept_texts_end(store: &dyn Store) {
    let keep = |byte: u8, until: u64| Write {
        key: None,
        lane: None,
        op: Op::Keep { hash: [byte; 32], text: vec![byte; 3_000].into(), until },
    };
    let kept = |byte: u8| match ask(store, Query::Kept { hash: [byte; 32] }) {
        Answer::Kept(text) => text.map(|text| text.to_vec()),
        other => panic!("{other:?}"),
    };
    assert_eq!(kept(1), None);
    for write in [keep(1, T0 + 10), keep(1, T0 + 20), keep(1, T0 + 5), keep(2, T0 + 10)] {
        assert_eq!(one(store, write), Written::Done);
    }
    trim(store, T0 + 10, &KEEP);
    assert_eq!((kept(1), kept(2)), (Some(vec![1; 3_000]), None));
    trim(store, T0 + 20, &KEEP);
    assert_eq!(kept(1), None);
}

fn keys_end(store: &dyn Store) {
    let own = inbox("u1");
    let keyed = |id: &str| {
        let key = IdempotencyKey { credential: "c".into(), key: "k".into(), fingerprint: [1; 32] };
        Write { key: Some(key), ..notify(&own, id, T0) }
    };
    one(store, keyed("n1"));
    trim(store, T0 + 1_000, &KEEP);
    assert!(matches!(one(store, keyed("n2")), Written::Replayed(_)), "kept for its time");
    trim(store, T0 + 1_001, &KEEP);
    assert_eq!(super::record(one(store, keyed("n3"))).offset, 2);
}
