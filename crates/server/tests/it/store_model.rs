//! SQLite and PostgreSQL against the reference store: any sequence of writes has the same answers,
//! states and counts.

use proptest::{collection::vec, prelude::*, test_runner::TestCaseError};
use tidings_protocol::{
    Channel, Counts, Json, MarkSet, Offsets, ServerMessage, UpTo, client::Epochs, server::Snapshot,
};
use tidings_server::log::Sqlite;
use tidings_server_core::{
    MemoryStore,
    memory::Syncing,
    store::{
        Answer, Draft, IdempotencyKey, ItemQuery, Lane, Mark, Op, Query, Retention, Store, Write,
        Written,
    },
};

use crate::postgres;

const USERS: [&str; 2] = ["u1", "u2"];
/// One lane more than a user may have.
const LANES: [&str; 3] = ["a", "b", "c"];
const MOST_LANES: u64 = 2;

/// An operation.
#[derive(Clone, Debug)]
enum Action {
    Notify { user: usize },
    Broadcast,
    Open { user: usize },
    Mark { user: usize, inbox: Vec<u64>, system: Vec<u64>, set: MarkSet },
    MarkUpTo { user: usize, inbox: Option<u64>, system: Option<u64>, set: MarkSet },
    Say { place: (usize, usize, u64) },
    Void { place: (usize, usize, u64) },
    Keyed { key: u8, body: u8 },
    Trim { records: u64, items: u64 },
}

fn action() -> impl Strategy<Value = Action> {
    let user = 0..USERS.len();
    let offset = 0_u64..12;
    let flag = prop_oneof![Just(None), Just(Some(true)), Just(Some(false))];
    let set = (flag.clone(), flag.clone(), flag).prop_map(|(seen, read, archived)| MarkSet {
        seen,
        read,
        archived,
    });
    let some = prop::option::of(offset.clone());
    let place = (user.clone(), 0..LANES.len(), 1_u64..5);
    prop_oneof![
        4 => user.clone().prop_map(|user| Action::Notify { user }),
        3 => Just(Action::Broadcast),
        1 => user.clone().prop_map(|user| Action::Open { user }),
        4 => (user.clone(), vec(offset.clone(), 0..4), vec(offset, 0..4), set.clone())
            .prop_map(|(user, inbox, system, set)| Action::Mark { user, inbox, system, set }),
        4 => (user.clone(), some.clone(), some, set)
            .prop_map(|(user, inbox, system, set)| Action::MarkUpTo { user, inbox, system, set }),
        3 => place.clone().prop_map(|place| Action::Say { place }),
        2 => place.prop_map(|place| Action::Void { place }),
        1 => (0_u8..3, 0_u8..2).prop_map(|(key, body)| Action::Keyed { key, body }),
        1 => (0_u64..20, 0_u64..10).prop_map(|(records, items)| Action::Trim { records, items }),
    ]
}

fn draft(channel: Channel, id: &str, at: u64) -> Draft {
    let data = Json::string(id);
    Draft { channel, id: id.to_owned(), kind: "like".into(), at, data }
}

fn lane_of((user, lane, seq): (usize, usize, u64)) -> Lane {
    let client_id = LANES[lane].to_owned();
    Lane { user: USERS[user].to_owned(), client_id, seq, most: MOST_LANES }
}

/// The operation as a write. `None` for a trim.
fn write(action: &Action, id: &str, at: u64) -> Option<Write> {
    let sorted = |list: &[u64]| {
        let mut list = list.to_vec();
        list.sort_unstable();
        list.dedup();
        Some(list).filter(|list| !list.is_empty())
    };
    let mark = |user: usize, set, offsets, up_to| {
        Op::Mark(Mark {
            user: USERS[user].to_owned(),
            id: id.to_owned(),
            at,
            epochs: Epochs::default(),
            offsets,
            up_to,
            set,
        })
    };
    let say = || {
        let draft = draft(Channel::parse("room:a").unwrap(), id, at);
        Op::Message { draft, from: None }
    };
    let (mut key, mut lane) = (None, None);
    let op = match action {
        Action::Notify { user } => {
            Op::Notify(vec![draft(Channel::inbox(USERS[*user]).unwrap(), id, at)])
        }
        Action::Broadcast => Op::Notify(vec![draft(Channel::system(), id, at)]),
        Action::Open { user } => Op::OpenInbox { user: USERS[*user].to_owned() },
        Action::Mark { user, inbox, system, set } => {
            let offsets = Offsets { inbox: sorted(inbox), system: sorted(system) };
            mark(*user, *set, Some(offsets), None)
        }
        Action::MarkUpTo { user, inbox, system, set } => {
            mark(*user, *set, None, Some(UpTo { inbox: *inbox, system: *system }))
        }
        Action::Say { place } => {
            lane = Some(lane_of(*place));
            say()
        }
        Action::Void { place } => {
            lane = Some(lane_of(*place));
            Op::Void
        }
        Action::Keyed { key: name, body } => {
            let (credential, name) = ("c".to_owned(), name.to_string());
            key = Some(IdempotencyKey { credential, key: name, fingerprint: [*body; 32] });
            say()
        }
        Action::Trim { .. } => return None,
    };
    Some(Write { key, lane, op })
}

/// The counts that a client shows once it has everything up to `top`.
fn shown(counts: Counts, top: u64) -> [u64; 4] {
    let new = top - counts.system.at;
    let Counts { inbox, system } = counts;
    [inbox.unread, inbox.unseen, system.unread + new, system.unseen + new]
}

fn system_top(store: &dyn Store) -> u64 {
    match store.read(&[Query::Heads(vec![Channel::system()])]).unwrap().remove(0).unwrap() {
        Answer::Heads(heads) => heads[0].map_or(0, |head| head.top),
        other => panic!("{other:?}"),
    }
}

/// A frame without the parts in which two stores may differ: ids of their own records, and the
/// position at which everyone-messages were counted.
fn plain(frame: &[u8], top: u64) -> (ServerMessage, Option<[u64; 4]>) {
    let mut message = ServerMessage::decode(str::from_utf8(frame).unwrap()).unwrap();
    let counts = match &mut message {
        ServerMessage::Notification(note) => note.counts.take(),
        ServerMessage::Marked(marked) => Some(std::mem::take(&mut marked.counts)),
        ServerMessage::Trimmed(trimmed) => {
            trimmed.id.clear();
            Some(std::mem::take(&mut trimmed.counts))
        }
        _ => None,
    };
    (message, counts.map(|counts| shown(counts, top)))
}

/// An answer without epochs, which each store makes for itself.
fn answer(store: &dyn Store, written: &Written) -> String {
    let top = system_top(store);
    match written {
        Written::Records { records, counts } => {
            let records: Vec<_> = records
                .iter()
                .map(|one| {
                    (one.channel.clone(), one.offset, one.id.clone(), plain(&one.frame, top))
                })
                .collect();
            format!("{records:?} {:?}", counts.map(|counts| shown(counts, top)))
        }
        Written::Unchanged { at, counts } => {
            let counts = counts.map(|counts| shown(counts, top));
            format!("unchanged at {} {counts:?}", at.offset)
        }
        Written::Replayed(refs) => {
            let refs: Vec<_> =
                refs.iter().map(|record_ref| (&record_ref.id, record_ref.offset)).collect();
            format!("replayed {refs:?}")
        }
        other => format!("{other:?}"),
    }
}

/// All data that a client could read.
fn everything(store: &dyn Store) -> String {
    let mut all = String::new();
    let top = system_top(store);
    for user in USERS {
        let query = |read, archived, limit, bytes| {
            Query::Items(ItemQuery {
                user: user.to_owned(),
                inbox_before: None,
                system_before: Some(7),
                kinds: Vec::new(),
                read,
                archived,
                limit,
                bytes,
            })
        };
        for answered in store
            .read(&[
                query(Some(false), None, 3, u32::MAX),
                query(None, Some(true), 100, 900),
                query(Some(true), Some(false), 100, u32::MAX),
            ])
            .unwrap()
        {
            match answered.unwrap() {
                Answer::Items { items, more, at, counts } => {
                    all.push_str(&format!("{items:?} {more} {}", at.offset));
                    if at.offset > 0 {
                        all.push_str(&format!(" {:?}", shown(counts, top)));
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        let snapshot = Query::Snapshot { user: user.to_owned(), limit: 5, bytes: 2_000 };
        if let Ok(Answer::Snapshot(snapshot)) = store.read(&[snapshot]).unwrap().remove(0) {
            let Snapshot { offset, system, counts, more, system_more, items, .. } = *snapshot;
            assert_eq!(counts.system.at, system.offset, "counts are those at the offsets");
            all.push_str(&format!(
                "\n{user} {offset} {} {counts:?} {more} {system_more} {items:?}",
                system.offset
            ));
        }
        let channel = Channel::inbox(user).unwrap();
        let records = Query::Records { channel, after: 0, limit: 1_000, bytes: u32::MAX };
        if let Answer::Records { head, records, more } =
            store.read(&[records]).unwrap().remove(0).unwrap()
        {
            let head = head.map(|head| (head.first, head.top));
            let offsets: Vec<_> =
                records.iter().map(|one| (one.offset, plain(&one.frame, top))).collect();
            all.push_str(&format!("\n{head:?} {offsets:?} {more}\n"));
        }
    }
    all
}

/// Applies the operations to a store and to the reference, and compares them after each.
fn play(store: &dyn Store, actions: &[Action]) -> Result<(), TestCaseError> {
    let reference = MemoryStore::new(1, Syncing::BeforeTheAnswer);
    for (at, action) in (1..).zip(actions) {
        let id = format!("id-{at}");
        match (write(action, &id, at), action) {
            (Some(write), _) => {
                let ask = |store: &dyn Store| {
                    let mut answers = store.commit(at, std::slice::from_ref(&write)).unwrap();
                    answer(store, &answers.remove(0).unwrap())
                };
                prop_assert_eq!(ask(store), ask(&reference), "{:?}", action);
            }
            (None, Action::Trim { records, items }) => {
                let retention = Retention {
                    records: *records,
                    items: *items,
                    age_ms: 1_000_000,
                    keys_ms: 15,
                    lanes_ms: 15,
                    empty_lanes_ms: 5,
                    channels_ms: 5,
                };
                for store in [store, &reference] {
                    while store.trim(at.into(), &retention).unwrap() {}
                }
            }
            (None, _) => {}
        }
        prop_assert_eq!(everything(store), everything(&reference), "after {:?}", action);
    }
    Ok(())
}

/// Applies the operations in batches: the result must not depend on the batches.
fn play_together(store: &dyn Store, actions: &[Action], size: usize) -> Result<(), TestCaseError> {
    let reference = MemoryStore::new(1, Syncing::BeforeTheAnswer);
    let writes: Vec<Write> = (1..)
        .zip(actions)
        .filter_map(|(at, action)| write(action, &format!("id-{at}"), 7))
        .collect();
    for batch in writes.chunks(size) {
        let ask = |store: &dyn Store| {
            store.commit(7, batch).unwrap().into_iter().map(Result::unwrap).collect::<Vec<_>>()
        };
        let (ours, theirs) = (ask(store), ask(&reference));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            prop_assert_eq!(answer(store, ours), answer(&reference, theirs), "in {:?}", batch);
        }
        prop_assert_eq!(everything(store), everything(&reference), "after {:?}", batch);
    }
    Ok(())
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn sqlite_answers_as_the_reference_store_does(actions in vec(action(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        play(&Sqlite::open(folder.path()).unwrap(), &actions)?;
    }

    #[test]
    fn sqlite_decides_a_batch_as_if_one_by_one(actions in vec(action(), 1..60), size in 2..20_usize) {
        let folder = tempfile::tempdir().unwrap();
        play_together(&Sqlite::open(folder.path()).unwrap(), &actions, size)?;
    }
}

proptest! {
    // Each case needs a new database.
    #![proptest_config(config(16))]

    #[test]
    fn postgres_answers_as_the_reference_store_does(actions in vec(action(), 1..40)) {
        play(&postgres::open(), &actions)?;
    }

    #[test]
    fn postgres_decides_a_batch_as_if_one_by_one(actions in vec(action(), 1..60), size in 2..20_usize) {
        play_together(&postgres::open(), &actions, size)?;
    }
}
