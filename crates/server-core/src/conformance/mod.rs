//! The contract of every [`Store`], as tests that each backend runs.
//!
//! ```ignore
//! #[test]
//! fn sqlite_keeps_the_contract() {
//!     tidings_server_core::conformance::run(&|| Box::new(open_in_a_new_folder()));
//! }
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test suite that lives in the library so that other crates can run it"
)]

mod dedupe;
mod items;
mod leases;
mod logs;
mod marks;
mod trims;

use tidings_protocol::{
    Channel, Counts, Json, MarkSet, Offsets, ServerMessage, UpTo,
    client::Epochs,
    rest::{NotificationBody, notification_body},
    server::Snapshot,
};

use crate::store::{Answer, Draft, Head, Mark, Op, Query, Record, Store, Write, Written};

/// A test and its name. The test gets an empty store.
pub type Case = (&'static str, fn(&dyn Store));

/// Every test by name, for backends that want one report each.
pub fn cases() -> Vec<Case> {
    [logs::CASES, dedupe::CASES, marks::CASES, items::CASES, trims::CASES, leases::CASES].concat()
}

/// Runs each test on a new store.
///
/// # Panics
/// If the store breaks the contract. The test's name is printed before.
pub fn run(make: &dyn Fn() -> Box<dyn Store>) {
    for (name, case) in cases() {
        println!("conformance: {name}");
        case(&*make());
    }
}

/// The clock of the suite, in milliseconds since 1970.
const T0: u64 = 1_800_000_000_000;

fn channel(name: &str) -> Channel {
    Channel::parse(name).unwrap()
}

fn inbox(user: &str) -> Channel {
    Channel::inbox(user).unwrap()
}

fn draft(to: &Channel, id: &str, at: u64) -> Draft {
    let body = NotificationBody {
        id,
        kind: "like",
        title: "Mina likes it",
        message: None,
        url: None,
        data: None,
        created_at_ms: at,
    };
    Draft {
        channel: to.clone(),
        id: id.into(),
        kind: "like".into(),
        at,
        data: notification_body(body),
    }
}

fn plain(op: Op) -> Write {
    Write { key: None, lane: None, op }
}

fn notify(to: &Channel, id: &str, at: u64) -> Write {
    plain(Op::Notify(vec![draft(to, id, at)]))
}

fn message(to: &Channel, id: &str) -> Write {
    let draft = Draft {
        channel: to.clone(),
        id: id.into(),
        kind: String::new(),
        at: T0,
        data: Json::string(id),
    };
    plain(Op::Message { draft, from: None })
}

fn open(user: &str) -> Write {
    plain(Op::OpenInbox { user: user.into() })
}

/// A mark of `u1`.
fn mark(id: &str, inbox: &[u64], system: &[u64], set: MarkSet) -> Write {
    let some = |list: &[u64]| Some(list.to_vec()).filter(|list| !list.is_empty());
    plain(Op::Mark(Mark {
        user: "u1".into(),
        id: id.into(),
        at: T0,
        epochs: Epochs::default(),
        offsets: Some(Offsets { inbox: some(inbox), system: some(system) }),
        up_to: None,
        set,
    }))
}

fn mark_all(id: &str, inbox: Option<u64>, system: Option<u64>, set: MarkSet) -> Write {
    match mark(id, &[], &[], set).op {
        Op::Mark(mark) => {
            plain(Op::Mark(Mark { offsets: None, up_to: Some(UpTo { inbox, system }), ..mark }))
        }
        _ => unreachable!(),
    }
}

const READ: MarkSet = MarkSet { seen: None, read: Some(true), archived: None };
const UNREAD: MarkSet = MarkSet { seen: None, read: Some(false), archived: None };
const SEEN: MarkSet = MarkSet { seen: Some(true), read: None, archived: None };
const ARCHIVED: MarkSet = MarkSet { seen: None, read: None, archived: Some(true) };

fn commit(store: &dyn Store, writes: &[Write]) -> Vec<Written> {
    let answers = store.commit(T0, writes).unwrap();
    assert_eq!(answers.len(), writes.len(), "an answer for each write");
    answers.into_iter().map(Result::unwrap).collect()
}

fn one(store: &dyn Store, write: Write) -> Written {
    commit(store, &[write]).remove(0)
}

/// The single new record of a write.
fn record(written: Written) -> Record {
    match written {
        Written::Records { mut records, .. } if records.len() == 1 => records.remove(0),
        other => panic!("one record was expected: {other:?}"),
    }
}

fn ask(store: &dyn Store, query: Query) -> Answer {
    store.read(&[query]).unwrap().remove(0).unwrap()
}

fn head(store: &dyn Store, of: &Channel) -> Option<Head> {
    match ask(store, Query::Heads(vec![of.clone()])) {
        Answer::Heads(heads) => heads[0],
        other => panic!("{other:?}"),
    }
}

fn records(store: &dyn Store, of: &Channel, after: u64) -> Vec<Record> {
    page(store, of, after, 1_000, u32::MAX).0
}

fn page(
    store: &dyn Store,
    of: &Channel,
    after: u64,
    limit: u32,
    bytes: u32,
) -> (Vec<Record>, bool) {
    match ask(store, Query::Records { channel: of.clone(), after, limit, bytes }) {
        Answer::Records { records, more, .. } => (records, more),
        other => panic!("{other:?}"),
    }
}

fn offsets(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.offset).collect()
}

fn decoded(record: &Record) -> ServerMessage {
    let text = str::from_utf8(&record.frame).unwrap();
    assert!(!text.contains('\n'), "frames share a line-separated frame");
    ServerMessage::decode(text).unwrap()
}

fn snapshot(store: &dyn Store, user: &str) -> Snapshot {
    match ask(store, Query::Snapshot { user: user.into(), limit: 100, bytes: u32::MAX }) {
        Answer::Snapshot(snapshot) => *snapshot,
        other => panic!("{other:?}"),
    }
}

/// The counts of the snapshot, checked against the sum of its items.
fn counts(store: &dyn Store, user: &str) -> Counts {
    let Snapshot { counts, items, more, system_more, .. } = snapshot(store, user);
    assert!(!more && !system_more, "the suite's inboxes fit a snapshot");
    let sum = |system: bool, of: fn(&tidings_protocol::Item) -> bool| {
        items
            .iter()
            .filter(|item| item.channel.is_system() == system && !item.archived && !of(item))
            .count() as u64
    };
    assert_eq!(counts.inbox.unread, sum(false, |item| item.read), "unread follows from the items");
    assert_eq!(counts.inbox.unseen, sum(false, |item| item.seen), "unseen follows from the items");
    assert_eq!(
        counts.system.unread,
        sum(true, |item| item.read),
        "unread of system follows from the items"
    );
    assert_eq!(
        counts.system.unseen,
        sum(true, |item| item.seen),
        "unseen of system follows from the items"
    );
    counts
}
