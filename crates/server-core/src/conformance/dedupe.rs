//! Idempotency keys, outbox lanes, tickets and revocations.

use tidings_protocol::{Epoch, ErrorCode, client::Epochs};

use super::{
    Case, READ, T0, ask, channel, commit, head, inbox, mark, message, notify, offsets, one, open,
    plain, record, records,
};
use crate::store::{
    Answer, IdempotencyKey, Lane, Mark, Op, Query, Refusal, Revocation, Share, Store, StoreError,
    Subject, Ticket, Write, Written,
};

pub(super) const CASES: &[Case] = &[
    ("a key answers a repeat with the first answer", a_key_repeats),
    ("a key with another body is refused", a_key_with_another_body),
    ("keys of two credentials are two keys", keys_are_per_credential),
    ("a repeat in the same batch is a repeat", a_repeat_in_one_batch),
    ("a lane answers a repeat with the first answer", a_lane_repeats),
    ("a lane refuses a hole and consumes nothing", a_hole_in_a_lane),
    ("an unknown lane starts anywhere", lanes_start_anywhere),
    ("lanes of two users are two lanes", lanes_are_per_user),
    ("a lane too many is refused, and those that are there go on", a_lane_too_many),
    ("lanes of one batch are counted together", lanes_of_one_batch),
    ("a final refusal consumes its seq and repeats itself", a_refusal_consumes),
    ("a void consumes its seq", a_void_consumes),
    ("a write that is refused is refused alone", refused_alone),
    ("a ticket is spent once", a_ticket_is_spent_once),
    ("a ticket ends with its time", a_ticket_ends),
    ("tickets that wait have a share of their credential and of their user", tickets_have_shares),
    ("tickets that ended have no share", ended_tickets_have_no_share),
    ("revocations are numbered and listed in order", revocations),
];

fn keyed(credential: &str, fingerprint: u8, write: Write) -> Write {
    let key = IdempotencyKey {
        credential: credential.into(),
        key: "k".into(),
        fingerprint: [fingerprint; 32],
    };
    Write { key: Some(key), ..write }
}

fn laned(user: &str, seq: u64, write: Write) -> Write {
    Write {
        lane: Some(Lane { user: user.into(), client_id: "lane".into(), seq, most: 10 }),
        ..write
    }
}

/// A write in a lane. The bound is two lanes for each user.
fn in_lane(user: &str, client_id: &str, seq: u64, write: Write) -> Write {
    let lane = Lane { user: user.into(), client_id: client_id.into(), seq, most: 2 };
    Write { lane: Some(lane), ..write }
}

fn replayed(written: &Written) -> Vec<u64> {
    match written {
        Written::Replayed(refs) => refs.iter().map(|record_ref| record_ref.offset).collect(),
        other => panic!("a repeat was expected: {other:?}"),
    }
}

fn refused(written: &Written) -> (ErrorCode, Option<u64>) {
    match written {
        Written::Refused(Refusal { code, expected }) => (*code, *expected),
        other => panic!("a refusal was expected: {other:?}"),
    }
}

fn a_key_repeats(store: &dyn Store) {
    let own = inbox("u1");
    let first = record(one(store, keyed("c", 1, notify(&own, "n1", T0))));
    match one(store, keyed("c", 1, notify(&own, "n2", T0))) {
        Written::Replayed(refs) => {
            assert_eq!(refs.len(), 1);
            let record_ref = &refs[0];
            assert_eq!(
                (&record_ref.channel, record_ref.epoch, record_ref.offset),
                (&own, first.epoch, 1)
            );
            assert_eq!(record_ref.id, "n1");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(offsets(&records(store, &own, 0)), [1]);
}

fn a_key_with_another_body(store: &dyn Store) {
    one(store, keyed("c", 1, notify(&inbox("u1"), "n1", T0)));
    let other = one(store, keyed("c", 2, notify(&inbox("u1"), "n2", T0)));
    assert_eq!(refused(&other).0, ErrorCode::IdempotencyMismatch);
    assert_eq!(replayed(&one(store, keyed("c", 1, notify(&inbox("u1"), "n3", T0)))), [1]);
}

fn keys_are_per_credential(store: &dyn Store) {
    one(store, keyed("a", 1, notify(&inbox("u1"), "n1", T0)));
    assert_eq!(record(one(store, keyed("b", 1, notify(&inbox("u1"), "n2", T0)))).offset, 2);
}

fn a_repeat_in_one_batch(store: &dyn Store) {
    let room = channel("room:a");
    let twice = |n: &str| laned("u1", 1, message(&room, n));
    let answers = commit(
        store,
        &[
            twice("1"),
            twice("2"),
            keyed("c", 1, message(&room, "3")),
            keyed("c", 1, message(&room, "4")),
        ],
    );
    assert_eq!(record(answers[0].clone()).offset, 1);
    assert_eq!(replayed(&answers[1]), [1]);
    assert_eq!(record(answers[2].clone()).offset, 2);
    assert_eq!(replayed(&answers[3]), [2]);
    assert_eq!(offsets(&records(store, &room, 0)), [1, 2]);
}

fn a_lane_repeats(store: &dyn Store) {
    let room = channel("room:a");
    for seq in 1..=3 {
        assert_eq!(
            record(one(store, laned("u1", seq, message(&room, &seq.to_string())))).offset,
            seq
        );
    }
    for seq in [3, 1, 2] {
        assert_eq!(replayed(&one(store, laned("u1", seq, message(&room, "again")))), [seq]);
    }
    assert_eq!(record(one(store, laned("u1", 4, message(&room, "4")))).offset, 4);
}

fn a_hole_in_a_lane(store: &dyn Store) {
    let room = channel("room:a");
    one(store, laned("u1", 1, message(&room, "1")));
    let hole = one(store, laned("u1", 3, message(&room, "3")));
    assert_eq!(refused(&hole), (ErrorCode::Sequence, Some(2)));
    assert_eq!(record(one(store, laned("u1", 2, message(&room, "2")))).offset, 2);
    assert_eq!(record(one(store, laned("u1", 3, message(&room, "3")))).offset, 3);
}

fn lanes_start_anywhere(store: &dyn Store) {
    assert_eq!(record(one(store, laned("u1", 41, message(&channel("room:a"), "1")))).offset, 1);
    let hole = one(store, laned("u1", 43, message(&channel("room:a"), "2")));
    assert_eq!(refused(&hole), (ErrorCode::Sequence, Some(42)));
}

fn lanes_are_per_user(store: &dyn Store) {
    one(store, laned("u1", 1, message(&channel("room:a"), "1")));
    assert_eq!(record(one(store, laned("u2", 1, message(&channel("room:a"), "2")))).offset, 2);
}

fn a_lane_too_many(store: &dyn Store) {
    let room = channel("room:a");
    one(store, in_lane("u1", "a", 1, message(&room, "1")));
    one(store, in_lane("u1", "b", 1, plain(Op::Void)));
    for again in ["2", "3"] {
        let refusal = one(store, in_lane("u1", "c", 1, message(&room, again)));
        assert_eq!(refused(&refusal), (ErrorCode::Full, None));
    }
    assert_eq!(refused(&one(store, in_lane("u1", "d", 1, plain(Op::Void)))).0, ErrorCode::Full);
    assert_eq!(head(store, &room).unwrap().top, 1, "what was refused was not stored");
    assert_eq!(replayed(&one(store, in_lane("u1", "a", 1, message(&room, "4")))), [1]);
    assert_eq!(record(one(store, in_lane("u1", "b", 2, message(&room, "5")))).offset, 2);
    assert_eq!(record(one(store, in_lane("u2", "c", 1, message(&room, "6")))).offset, 3);
    assert_eq!(record(one(store, message(&room, "7"))).offset, 4, "without a lane all goes on");
}

fn lanes_of_one_batch(store: &dyn Store) {
    let room = channel("room:a");
    one(store, in_lane("u1", "a", 1, message(&room, "1")));
    let answers = commit(
        store,
        &[
            in_lane("u1", "b", 1, message(&room, "2")),
            in_lane("u1", "c", 1, message(&room, "3")),
            in_lane("u2", "c", 1, message(&room, "4")),
            in_lane("u1", "b", 2, message(&room, "5")),
            in_lane("u1", "d", 7, plain(Op::Void)),
        ],
    );
    assert_eq!(record(answers[0].clone()).offset, 2);
    assert_eq!(refused(&answers[1]).0, ErrorCode::Full);
    assert_eq!(record(answers[2].clone()).offset, 3);
    assert_eq!(record(answers[3].clone()).offset, 4);
    assert_eq!(refused(&answers[4]).0, ErrorCode::Full);
}

fn a_refusal_consumes(store: &dyn Store) {
    one(store, notify(&inbox("u1"), "n1", T0));
    let foreign = |seq| {
        let Op::Mark(sound) = mark("m", &[1], &[], READ).op else { unreachable!() };
        let epochs = Epochs { inbox: Some(Epoch::from_bits(0xbad)), system: None };
        laned("u1", seq, plain(Op::Mark(Mark { epochs, ..sound })))
    };
    assert_eq!(refused(&one(store, foreign(1))), (ErrorCode::EpochMismatch, None));
    assert_eq!(
        refused(&one(store, foreign(1))).0,
        ErrorCode::EpochMismatch,
        "the first answer again"
    );
    assert_eq!(record(one(store, laned("u1", 2, mark("m2", &[1], &[], READ)))).offset, 2);
}

fn a_void_consumes(store: &dyn Store) {
    let room = channel("room:a");
    one(store, laned("u1", 1, message(&room, "1")));
    assert_eq!(one(store, laned("u1", 2, plain(Op::Void))), Written::Done);
    assert_eq!(replayed(&one(store, laned("u1", 2, message(&room, "late")))), Vec::<u64>::new());
    assert_eq!(record(one(store, laned("u1", 3, message(&room, "3")))).offset, 2);
}

fn refused_alone(store: &dyn Store) {
    let room = channel("room:a");
    one(store, laned("u1", 1, message(&room, "1")));
    let answers = commit(
        store,
        &[
            message(&room, "2"),
            laned("u1", 9, message(&room, "hole")),
            message(&room, "3"),
            open("u1"),
        ],
    );
    assert_eq!(record(answers[0].clone()).offset, 2);
    assert_eq!(refused(&answers[1]).0, ErrorCode::Sequence);
    assert_eq!(record(answers[2].clone()).offset, 3);
    assert_eq!(answers[3], Written::Done);
    assert_eq!(head(store, &room).unwrap().top, 3);
}

fn a_ticket_is_spent_once(store: &dyn Store) {
    store.put_ticket(T0, &ticket(1, 30_000, "key:a", 10, None)).unwrap();
    assert_eq!(store.take_ticket(T0, [2; 32]).unwrap(), None);
    assert_eq!(store.take_ticket(T0, [1; 32]).unwrap().unwrap(), "grant");
    assert_eq!(store.take_ticket(T0, [1; 32]).unwrap(), None);
}

fn a_ticket_ends(store: &dyn Store) {
    // A lifetime of 0 ms, because the store may use its own clock.
    store.put_ticket(T0, &ticket(1, 0, "key:a", 10, None)).unwrap();
    assert_eq!(store.take_ticket(T0, [1; 32]).unwrap(), None);
}

fn ticket(hash: u8, ttl_ms: u64, of: &str, most: u64, user: Option<(&str, u64)>) -> Ticket {
    let user = user.map(|(user, most)| (user.to_owned(), most));
    let share = Share { of: of.to_owned(), most, user };
    Ticket { hash: [hash; 32], ttl_ms, grant: "grant".into(), share }
}

fn tickets_have_shares(store: &dyn Store) {
    let put = |hash, of, user| store.put_ticket(T0, &ticket(hash, 600_000, of, 3, user));
    for hash in 1..=3 {
        put(hash, "key:a", None).unwrap();
    }
    assert!(matches!(put(4, "key:a", None), Err(StoreError::TooMany(_))));
    put(5, "key:b", None).unwrap();
    let user = |name| Some((name, 2));
    put(6, "users", user("mina")).unwrap();
    put(7, "users", user("mina")).unwrap();
    assert!(matches!(put(8, "users", user("mina")), Err(StoreError::TooMany(_))));
    put(9, "users", user("tom")).unwrap();
    assert!(matches!(put(10, "users", user("lea")), Err(StoreError::TooMany(_))));
    // The refused ticket was not stored, and a spent one makes room.
    assert_eq!(store.take_ticket(T0, [4; 32]).unwrap(), None);
    assert!(store.take_ticket(T0, [1; 32]).unwrap().is_some());
    put(4, "key:a", None).unwrap();
    assert!(store.take_ticket(T0, [9; 32]).unwrap().is_some());
    put(10, "users", user("lea")).unwrap();
}

fn ended_tickets_have_no_share(store: &dyn Store) {
    for hash in 1..=3 {
        store.put_ticket(T0, &ticket(hash, 0, "key:a", 1, None)).unwrap();
    }
}

fn revocations(store: &dyn Store) {
    let subjects =
        [Subject::User("u1".into()), Subject::Session("s1".into()), Subject::Jti("j1".into())];
    let all = subjects.map(|subject| Revocation { subject, at: T0, until: T0 + 1 });
    for one_of in &all {
        assert_eq!(one(store, plain(Op::Revoke(one_of.clone()))), Written::Done);
    }
    let list = |after, limit| match ask(store, Query::Revocations { after, limit }) {
        Answer::Revocations(list) => list,
        other => panic!("{other:?}"),
    };
    let everything = list(0, 10);
    assert_eq!(everything.iter().map(|(_, one)| one.clone()).collect::<Vec<_>>(), all);
    assert!(everything.is_sorted_by(|a, b| a.0 < b.0));
    assert_eq!(list(everything[0].0, 1), everything[1..2]);
    assert_eq!(list(everything[2].0, 10), []);
}
