//! Retention.

use tidings_protocol::{ErrorCode, ServerMessage, Tally};

use super::{
    Case, READ, T0, ask, channel, counts, decoded, head, inbox, mark, message, notify, offsets,
    one, records, snapshot,
};
use crate::{
    retention_clock::{Checkpoint, Moment},
    store::{
        Answer, Head, IdempotencyKey, Lane, Op, Query, Retention, Revocation, Store, Subject,
        Write, Written, in_use,
    },
};

pub(super) const CASES: &[Case] = &[
    ("records go by count and offsets go on", records_go_by_count),
    ("records go by age", records_go_by_age),
    ("items outlive the records of their log", items_outlive_records),
    ("trimmed items are a record with the counts after it", trimmed_items),
    ("keys end with their time", keys_end),
    ("lanes end with their time, and sooner without a record", lanes_end),
    ("kept texts end with the latest of their times", stored_claims_end),
    ("a wall clock that leaps takes nothing along", a_wall_clock_that_leaps),
    ("what the clock goes on from is kept", the_clock_is_saved),
    ("a channel goes some time after its records", a_channel_goes),
    ("a channel that is used stays, and so does one with records", a_channel_stays),
    ("inboxes and everyone's channel stay without records", inboxes_stay),
];

const KEEP_ALL: Retention = Retention {
    records: 1_000,
    age_ms: 1 << 40,
    items: 1_000,
    keys_ms: 1_000,
    lanes_ms: 1 << 40,
    empty_lanes_ms: 1 << 40,
    channels_ms: 1 << 40,
};

fn trim(store: &dyn Store, now: impl Into<Moment>, retention: &Retention) {
    let now = now.into();
    let mut rounds = 0;
    while store.trim(now, retention).unwrap() {
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
    trim(store, T0, &Retention { records: 2, ..KEEP_ALL });
    assert_eq!(head(store, &room).map(|head| (head.first, head.top)), Some((4, 5)));
    assert_eq!(offsets(&records(store, &room, 0)), [4, 5]);
    trim(store, T0, &Retention { records: 0, ..KEEP_ALL });
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
        // The time of storage counts, not the time the record states.
        stored_at(store, T0 + n * 1_000, notify(&own, &format!("n{n}"), T0 - n));
    }
    trim(store, T0 + 12_000, &Retention { age_ms: 10_000, ..KEEP_ALL });
    assert_eq!(offsets(&records(store, &own, 0)), [2, 3]);
}

fn items_outlive_records(store: &dyn Store) {
    let own = inbox("u1");
    for n in 1..=3 {
        one(store, notify(&own, &format!("n{n}"), T0 + n));
    }
    trim(store, T0, &Retention { records: 0, ..KEEP_ALL });
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
    trim(store, T0 + 9, &Retention { items: 1, ..KEEP_ALL });
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
    trim(store, T0 + 9, &Retention { items: 1, ..KEEP_ALL });
    assert_eq!(head(store, &own).unwrap().top, top, "nothing to trim makes no record");
}

fn lanes_end(store: &dyn Store) {
    let room = channel("room:a");
    let laned = |client_id: &str, seq, write| {
        let lane = Lane { user: "u1".into(), client_id: client_id.into(), seq, most: 2 };
        Write { lane: Some(lane), ..write }
    };
    let void = || Write { key: None, lane: None, op: Op::Void };
    one(store, laned("spoke", 1, message(&room, "1")));
    one(store, laned("spoke", 2, void()));
    one(store, laned("silent", 1, void()));
    let full =
        |written| matches!(written, Written::Refused(refusal) if refusal.code == ErrorCode::Full);
    let retention = Retention { lanes_ms: 10_000, empty_lanes_ms: 1_000, ..KEEP_ALL };
    trim(store, T0 + 1_000, &retention);
    assert!(full(one(store, laned("new", 1, void()))), "each as long as it is to stay");
    trim(store, T0 + 1_001, &retention);
    assert!(matches!(
        one(store, laned("spoke", 1, message(&room, "again"))),
        Written::Replayed(refs) if refs.len() == 1
    ));
    assert_eq!(one(store, laned("new", 1, void())), Written::Done, "the silent one made room");
    assert!(full(one(store, laned("silent", 1, void()))));
    trim(store, T0 + 10_001, &retention);
    assert_eq!(one(store, laned("silent", 1, void())), Written::Done);
    assert_eq!(one(store, laned("other", 1, void())), Written::Done);
    // An empty lane is deleted no later than a lane with records.
    trim(store, T0 + 2_001, &Retention { lanes_ms: 2_000, empty_lanes_ms: 1 << 40, ..KEEP_ALL });
    assert_eq!(one(store, laned("more", 1, void())), Written::Done);
}

fn stored_claims_end(store: &dyn Store) {
    let claims = |byte: u8, until: u64| Write {
        key: None,
        lane: None,
        op: Op::StoreClaims { hash: [byte; 32], text: vec![byte; 3_000].into(), until },
    };
    let stored = |byte: u8| match ask(store, Query::Claims { hash: [byte; 32] }) {
        Answer::Claims(text) => text.map(|text| text.to_vec()),
        other => panic!("{other:?}"),
    };
    assert_eq!(stored(1), None);
    for write in [claims(1, T0 + 10), claims(1, T0 + 20), claims(1, T0 + 5), claims(2, T0 + 10)] {
        assert_eq!(one(store, write), Written::Done);
    }
    trim(store, T0 + 10, &KEEP_ALL);
    assert_eq!((stored(1), stored(2)), (Some(vec![1; 3_000]), None));
    trim(store, T0 + 20, &KEEP_ALL);
    assert_eq!(stored(1), None);
}

fn keys_end(store: &dyn Store) {
    let own = inbox("u1");
    let keyed = |id: &str| {
        let key = IdempotencyKey { credential: "c".into(), key: "k".into(), fingerprint: [1; 32] };
        Write { key: Some(key), ..notify(&own, id, T0) }
    };
    one(store, keyed("n1"));
    trim(store, T0 + 1_000, &KEEP_ALL);
    assert!(matches!(one(store, keyed("n2")), Written::Replayed(_)), "kept for its time");
    trim(store, T0 + 1_001, &KEEP_ALL);
    assert_eq!(super::record(one(store, keyed("n3"))).offset, 2);
}

fn stored_at(store: &dyn Store, stored: u64, write: Write) -> Written {
    store.commit(stored, &[write]).unwrap().remove(0).unwrap()
}

fn a_wall_clock_that_leaps(store: &dyn Store) {
    const YEAR: u64 = 365 * 86_400_000;
    let (own, room) = (inbox("u1"), channel("room:a"));
    let key = IdempotencyKey { credential: "c".into(), key: "k".into(), fingerprint: [1; 32] };
    let keyed = Write { key: Some(key), ..notify(&own, "n1", T0) };
    one(store, keyed.clone());
    one(store, message(&room, "m1"));
    let subject = Subject::User("u1".into());
    let until = T0 + 1_000;
    one(store, super::plain(Op::Revoke(Revocation { subject, at: T0, until })));
    let text = bytes::Bytes::from_static(b"text");
    one(store, super::plain(Op::StoreClaims { hash: [1; 32], text, until }));
    let retention = Retention { age_ms: 1_000, channels_ms: 1_000, ..KEEP_ALL };
    let left = |what: &str, keys: bool, revoked: usize| {
        let replayed = matches!(one(store, keyed.clone()), Written::Replayed(_));
        assert_eq!(replayed, keys, "keys, {what}");
        match ask(store, Query::Revocations { after: 0, limit: 9 }) {
            Answer::Revocations(all) => assert_eq!(all.len(), revoked, "revocations, {what}"),
            other => panic!("{other:?}"),
        }
        match ask(store, Query::Claims { hash: [1; 32] }) {
            Answer::Claims(text) => assert_eq!(text.is_some(), revoked > 0, "texts, {what}"),
            other => panic!("{other:?}"),
        }
    };
    for wall in [T0 + YEAR, T0 - YEAR] {
        trim(store, Moment { steady: T0 + 500, wall }, &retention);
        assert_eq!(offsets(&records(store, &own, 0)), [1]);
        assert_eq!(offsets(&records(store, &room, 0)), [1]);
        left("leapt", true, 1);
    }
    // Ages go on after the wall clock was set back for good. Ends in wall-clock time come when that
    // clock reaches them.
    trim(store, Moment { steady: T0 + 2_000, wall: T0 - YEAR }, &retention);
    assert!(records(store, &own, 0).is_empty());
    left("set back", false, 1);
    trim(store, T0 + 1_000, &retention);
    left("over", true, 0);
}

fn the_clock_is_saved(store: &dyn Store) {
    let stored = || match ask(store, Query::Clock) {
        Answer::Clock { checkpoint, .. } => checkpoint,
        other => panic!("{other:?}"),
    };
    assert_eq!(stored(), None);
    for wall in [T0 + 5, T0] {
        let clock = Checkpoint { steady: T0, wall };
        one(store, super::plain(Op::SaveClock(clock)));
        assert_eq!(stored(), Some(clock));
    }
}

fn a_channel_goes(store: &dyn Store) {
    let (room, other) = (channel("room:a"), channel("room:b"));
    for room in [&room, &other] {
        one(store, message(room, "m1"));
        one(store, message(room, "m2"));
    }
    let before = head(store, &room).unwrap();
    let retention = Retention { age_ms: 100, channels_ms: 1_000, ..KEEP_ALL };
    trim(store, T0 + 200, &retention);
    assert_eq!(head(store, &room).map(|head| (head.first, head.top)), Some((3, 2)));
    trim(store, T0 + 1_200, &retention);
    assert!(head(store, &room).is_some(), "kept for its time");
    // A new record starts the channel's time again.
    stored_at(store, T0 + 1_200, message(&other, "m3"));
    trim(store, T0 + 1_201, &retention);
    assert_eq!(head(store, &other).map(|head| head.top), Some(3));
    // This is another log. A client of the old log notices by the epoch, a client from before the
    // old log by the offset.
    let after = head(store, &room).unwrap();
    assert_eq!((after.first, after.top), (2, 1));
    assert_ne!(after.epoch, before.epoch);
    match ask(
        store,
        Query::RecordsBefore { channel: room.clone(), before: None, limit: 9, bytes: u32::MAX },
    ) {
        Answer::Records { head, records, more } => {
            assert_eq!((head, records, more), (Some(after), Vec::new(), false));
        }
        other => panic!("{other:?}"),
    }
    assert!(records(store, &room, 1).is_empty());
    let now = T0 + 2_000;
    assert_eq!(super::record(stored_at(store, now, message(&room, "again"))).offset, 2);
    assert_eq!(head(store, &room), Some(Head { top: 2, ..after }));
    assert_eq!(offsets(&records(store, &room, 0)), [2]);
    // Each removal gives another log.
    trim(store, now + 200, &retention);
    trim(store, now + 1_300, &retention);
    let again = head(store, &room).unwrap();
    assert_eq!((again.first, again.top), (2, 1));
    assert!(![before.epoch, after.epoch].contains(&again.epoch));
    // In the end no row of the channel is stored.
    trim(store, now + 1_300 + retention.forgotten_ms() + 1, &retention);
    assert_eq!(head(store, &room), None);
}

fn a_channel_stays(store: &dyn Store) {
    let (used, unused) = (channel("room:used"), channel("room:unused"));
    let retention = Retention { age_ms: 100, channels_ms: 1_000, ..KEEP_ALL };
    for room in [&used, &unused] {
        one(store, message(room, "m1"));
    }
    trim(store, T0 + 200, &retention);
    let [epoch, other] = [&used, &unused].map(|one| head(store, one).unwrap().epoch);
    for now in (T0 + 200..T0 + 5_000).step_by(300) {
        for write in in_use(&[used.clone(), inbox("u1")], now.into(), &retention) {
            assert_eq!(stored_at(store, now, write), Written::Done);
        }
        trim(store, now, &retention);
    }
    assert_eq!(head(store, &used).map(|head| (head.epoch, head.first)), Some((epoch, 2)));
    assert_ne!(head(store, &unused).unwrap().epoch, other);
}

fn inboxes_stay(store: &dyn Store) {
    let own = inbox("u1");
    one(store, super::open("u1"));
    one(store, notify(&own, "n1", T0));
    one(store, notify(&channel("system:all"), "s1", T0));
    let heads = [&own, &channel("system:all")].map(|one| head(store, one).unwrap().epoch);
    trim(store, T0 + 1_000_000, &Retention { age_ms: 1, channels_ms: 1, ..KEEP_ALL });
    assert!(records(store, &own, 0).is_empty());
    let after = [&own, &channel("system:all")].map(|one| head(store, one).unwrap().epoch);
    assert_eq!(heads, after);
    assert_eq!(snapshot(store, "u1").items.len(), 2);
}
