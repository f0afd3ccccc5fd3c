//! Offsets, epochs and pages.

use tidings_protocol::{Channel, ServerMessage};

use super::{
    Case, T0, ask, channel, commit, decoded, draft, head, inbox, message, notify, offsets, one,
    open, page, plain, record, records,
};
use crate::store::{Answer, NO_LOG, Op, Query, Store, Written};

pub(super) const CASES: &[Case] = &[
    ("offsets are dense from one in each channel", offsets_are_dense),
    ("a record is found as it was answered", a_record_is_found_as_answered),
    ("a channel without a record has no log", no_record_no_log),
    ("an epoch stays and is never the one of no log", epochs_stay),
    ("a notify to several is all of them in order", several_at_once),
    ("pages end at their limits and say so", pages_end),
    ("history goes backwards", history),
    ("history ends at its bytes", history_ends_at_its_bytes),
    ("tops change by commits only", reading_changes_nothing),
    ("a topic takes notifications without counts", topics),
];

fn offsets_are_dense(store: &dyn Store) {
    let (a, b) = (channel("room:a"), channel("room:b"));
    for (index, id) in ["1", "2", "3"].iter().enumerate() {
        assert_eq!(record(one(store, message(&a, id))).offset, index as u64 + 1);
    }
    let both = commit(store, &[message(&b, "4"), message(&a, "5"), message(&b, "6")]);
    let made: Vec<u64> = both.into_iter().map(|written| record(written).offset).collect();
    assert_eq!(made, [1, 4, 2]);
    assert_eq!(offsets(&records(store, &a, 0)), [1, 2, 3, 4]);
}

fn a_record_is_found_as_answered(store: &dyn Store) {
    let room = channel("room:a");
    let made = record(one(store, message(&room, "m1")));
    assert_eq!(records(store, &room, 0), std::slice::from_ref(&made));
    match decoded(&made) {
        ServerMessage::Message(message) => {
            assert_eq!((message.channel, message.offset, message.id.as_str()), (room, 1, "m1"));
            assert_eq!(message.data.as_str(), "\"m1\"");
        }
        other => panic!("{other:?}"),
    }
}

fn no_record_no_log(store: &dyn Store) {
    assert_eq!(head(store, &channel("room:none")), None);
    assert!(records(store, &channel("room:none"), 0).is_empty());
    assert_eq!(ask(store, Query::Inbox { user: "u1".into() }), Answer::Inbox(None));
    one(store, open("u1"));
    let Answer::Inbox(Some([own, system])) = ask(store, Query::Inbox { user: "u1".into() }) else {
        panic!("an inbox has both heads at once")
    };
    assert_eq!((own.first, own.top, system.first, system.top), (1, 0, 1, 0));
}

fn epochs_stay(store: &dyn Store) {
    let room = channel("room:a");
    let first = record(one(store, message(&room, "1"))).epoch;
    let second = record(one(store, message(&room, "2"))).epoch;
    assert_eq!(first, second);
    assert_eq!(head(store, &room).unwrap().epoch, first);
    assert_ne!(first, NO_LOG);
    assert_ne!(record(one(store, message(&channel("room:b"), "3"))).epoch, first);
}

fn several_at_once(store: &dyn Store) {
    let drafts = ["u1", "u2", "u3"].map(|user| draft(&inbox(user), user, T0));
    match one(store, plain(Op::Notify(drafts.to_vec()))) {
        Written::Records { records, .. } => {
            let ids: Vec<_> = records.iter().map(|record| record.id.as_str()).collect();
            assert_eq!(ids, ["u1", "u2", "u3"]);
            assert!(records.iter().all(|record| record.offset == 1));
        }
        other => panic!("{other:?}"),
    }
}

fn pages_end(store: &dyn Store) {
    let room = channel("room:a");
    let made: Vec<_> = (0..5).map(|n| record(one(store, message(&room, &n.to_string())))).collect();
    let (some, more) = page(store, &room, 1, 2, u32::MAX);
    assert_eq!((offsets(&some), more), (vec![2, 3], true));
    let (rest, more) = page(store, &room, 3, 2, u32::MAX);
    assert_eq!((offsets(&rest), more), (vec![4, 5], false));
    let (small, more) = page(store, &room, 0, 100, made[0].frame.len() as u32 + 1);
    assert_eq!((offsets(&small), more), (vec![1], true));
    let (least, more) = page(store, &room, 0, 100, 0);
    assert_eq!((offsets(&least), more), (vec![1], true), "one record at least, or nobody gets on");
    assert_eq!(page(store, &room, 5, 100, u32::MAX), (vec![], false));
    assert_eq!(page(store, &room, 500, 100, u32::MAX), (vec![], false));
}

fn history(store: &dyn Store) {
    let room = channel("room:a");
    for n in 0..5 {
        one(store, message(&room, &n.to_string()));
    }
    let back = |before, limit| backwards(store, &room, before, limit, u32::MAX);
    assert_eq!(back(None, 2), (vec![5, 4], true));
    assert_eq!(back(Some(4), 2), (vec![3, 2], true));
    assert_eq!(back(Some(2), 2), (vec![1], false));
    assert_eq!(back(Some(1), 2), (vec![], false));
}

fn history_ends_at_its_bytes(store: &dyn Store) {
    let room = channel("room:a");
    let made: Vec<_> = (0..5).map(|n| record(one(store, message(&room, &n.to_string())))).collect();
    let size = |of: std::ops::Range<usize>| {
        made[of].iter().map(|record| record.frame.len() as u32).sum::<u32>()
    };
    let back = |before, bytes| backwards(store, &room, before, 100, bytes);
    assert_eq!(back(None, size(0..5)), (vec![5, 4, 3, 2, 1], false));
    assert_eq!(back(None, size(0..5) - 1), (vec![5, 4, 3, 2], true));
    assert_eq!(back(None, size(3..5)), (vec![5, 4], true));
    assert_eq!(back(None, size(3..5) - 1), (vec![5], true));
    assert_eq!(back(Some(3), size(0..2)), (vec![2, 1], false));
    assert_eq!(back(Some(3), 0), (vec![2], true), "one record at least, or nobody gets on");
    assert_eq!(back(Some(2), 0), (vec![1], false));
}

fn backwards(
    store: &dyn Store,
    of: &Channel,
    before: Option<u64>,
    limit: u32,
    bytes: u32,
) -> (Vec<u64>, bool) {
    let query = Query::RecordsBefore { channel: of.clone(), before, limit, bytes };
    match ask(store, query) {
        Answer::Records { records, more, .. } => (offsets(&records), more),
        other => panic!("{other:?}"),
    }
}

fn reading_changes_nothing(store: &dyn Store) {
    let own = inbox("u1");
    one(store, notify(&own, "n1", T0));
    let before = head(store, &own);
    ask(store, Query::Snapshot { user: "u1".into(), limit: 10, bytes: u32::MAX });
    ask(store, Query::Inbox { user: "u1".into() });
    one(store, open("u1"));
    assert_eq!(head(store, &own), before);
}

fn topics(store: &dyn Store) {
    let topic = channel("topic:news");
    let made = record(one(store, notify(&topic, "n1", T0)));
    match decoded(&made) {
        ServerMessage::Notification(note) => assert_eq!((note.offset, note.counts), (1, None)),
        other => panic!("{other:?}"),
    }
}
