//! States and counts.

use tidings_protocol::{Epoch, MarkSet, ServerMessage, SystemCounts, Tally, client::Epochs};

use super::{
    ARCHIVED, Case, READ, SEEN, T0, UNREAD, ask, commit, counts, decoded, inbox, mark, mark_all,
    notify, one, open, plain, record, records, snapshot,
};
use crate::store::{Answer, Mark, Op, Query, Store, Written};

pub(super) const CASES: &[Case] = &[
    ("each notification carries the counts after it", notifications_carry_counts),
    ("a mark is a record that carries the counts after it", a_mark_is_a_record),
    ("reading implies having seen and undo undoes", reading_and_undoing),
    ("an archived item counts no more", archived_items),
    ("a mark that changes nothing makes no record", nothing_changes),
    ("a mark covers what exists only", marks_of_nothing),
    ("a mark of a foreign epoch is refused", foreign_epochs),
    ("a mark of everything is clipped to the tops", everything_is_clipped),
    ("an everyone-message counts for each until marked", broadcasts),
    ("a user sees the everyone-messages after their inbox was made", system_from),
    ("marks of one user leave another's alone", marks_are_per_user),
    ("marks in one batch fold in order", marks_fold_in_order),
    ("a mark makes the inbox when there is none", marks_make_the_inbox),
];

fn tally(unread: u64, unseen: u64) -> Tally {
    Tally { unread, unseen }
}

fn filled(store: &dyn Store, count: u64) {
    for n in 1..=count {
        one(store, notify(&inbox("u1"), &format!("n{n}"), T0 + n));
    }
}

fn notifications_carry_counts(store: &dyn Store) {
    for n in 1..=3 {
        match decoded(&record(one(store, notify(&inbox("u1"), &format!("n{n}"), T0)))) {
            ServerMessage::Notification(note) => {
                assert_eq!(note.counts.unwrap().inbox, tally(n, n))
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(counts(store, "u1").inbox, tally(3, 3));
}

fn a_mark_is_a_record(store: &dyn Store) {
    filled(store, 3);
    match one(store, mark("m1", &[1, 3], &[], READ)) {
        Written::Records { records, counts: Some(after) } => {
            assert_eq!(after.inbox, tally(1, 1));
            match decoded(&records[0]) {
                ServerMessage::Marked(marked) => {
                    assert_eq!((marked.offset, marked.counts, marked.set), (4, after, READ));
                    assert_eq!(marked.offsets.unwrap().inbox.unwrap(), [1, 3]);
                }
                other => panic!("{other:?}"),
            }
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(counts(store, "u1").inbox, tally(1, 1));
    let states: Vec<_> =
        snapshot(store, "u1").items.iter().map(|item| (item.offset, item.read)).collect();
    assert_eq!(states, [(3, true), (2, false), (1, true)]);
    assert_eq!(snapshot(store, "u1").offset, 4);
}

fn reading_and_undoing(store: &dyn Store) {
    filled(store, 1);
    one(store, mark("m1", &[1], &[], READ));
    assert_eq!(counts(store, "u1").inbox, tally(0, 0));
    one(store, mark("m2", &[1], &[], UNREAD));
    assert_eq!(counts(store, "u1").inbox, tally(1, 0));
    one(store, mark("m3", &[1], &[], MarkSet { seen: Some(false), ..MarkSet::default() }));
    assert_eq!(counts(store, "u1").inbox, tally(1, 1));
}

fn archived_items(store: &dyn Store) {
    filled(store, 2);
    one(store, mark("m1", &[1], &[], ARCHIVED));
    assert_eq!(counts(store, "u1").inbox, tally(1, 1));
    one(store, mark("m2", &[1], &[], READ));
    one(store, mark("m3", &[1], &[], MarkSet { archived: Some(false), ..MarkSet::default() }));
    assert_eq!(counts(store, "u1").inbox, tally(1, 1), "it came back as read");
}

fn nothing_changes(store: &dyn Store) {
    filled(store, 1);
    one(store, mark("m1", &[1], &[], READ));
    match one(store, mark("m2", &[1], &[], SEEN)) {
        Written::Unchanged { at, counts: Some(after) } => {
            assert_eq!((at.channel, at.offset, at.id.as_str()), (inbox("u1"), 2, ""));
            assert_eq!(after.inbox, tally(0, 0));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(records(store, &inbox("u1"), 0).len(), 2);
}

fn marks_of_nothing(store: &dyn Store) {
    filled(store, 1);
    assert!(matches!(one(store, mark("m1", &[7, 900], &[5], READ)), Written::Unchanged { .. }));
    one(store, mark("m2", &[1, 7], &[], READ));
    // Offset 2 is the mark itself, not an item.
    assert!(matches!(one(store, mark("m3", &[2], &[], READ)), Written::Unchanged { .. }));
    assert_eq!(counts(store, "u1").inbox, tally(0, 0));
}

fn foreign_epochs(store: &dyn Store) {
    filled(store, 1);
    let epoch = snapshot(store, "u1").epoch;
    let system = snapshot(store, "u1").system.epoch;
    let with = |inbox, system| {
        let Op::Mark(sound) = mark("m", &[1], &[], READ).op else { unreachable!() };
        plain(Op::Mark(Mark { epochs: Epochs { inbox, system }, ..sound }))
    };
    let foreign = Some(Epoch::from_bits(0xbad));
    for (of_inbox, of_system) in [(foreign, None), (None, foreign), (Some(epoch), foreign)] {
        assert!(matches!(one(store, with(of_inbox, of_system)), Written::Refused(_)));
    }
    assert_eq!(counts(store, "u1").inbox, tally(1, 1));
    assert!(matches!(one(store, with(Some(epoch), Some(system))), Written::Records { .. }));
}

fn everything_is_clipped(store: &dyn Store) {
    filled(store, 3);
    one(store, notify(&super::channel("system:all"), "e1", T0));
    match decoded(&record(one(store, mark_all("m1", Some(1 << 50), Some(1 << 50), READ)))) {
        ServerMessage::Marked(marked) => {
            let up_to = marked.up_to.unwrap();
            assert_eq!((up_to.inbox, up_to.system, marked.offsets), (Some(3), Some(1), None));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(counts(store, "u1").inbox, tally(0, 0));
    one(store, notify(&inbox("u1"), "later", T0 + 9));
    assert_eq!(counts(store, "u1").inbox, tally(1, 1), "what comes later is new");
    one(store, mark_all("m2", Some(2), None, UNREAD));
    assert_eq!(counts(store, "u1").inbox, tally(3, 1));
}

fn broadcasts(store: &dyn Store) {
    let system = super::channel("system:all");
    commit(store, &[open("u1"), open("u2")]);
    assert_eq!(record(one(store, notify(&system, "e1", T0))).offset, 1);
    assert_eq!(record(one(store, notify(&system, "e2", T0))).offset, 2);
    assert_eq!(counts(store, "u1").system, SystemCounts { unread: 2, unseen: 2, at: 2 });
    one(store, mark("m1", &[], &[1], READ));
    assert_eq!(counts(store, "u1").system, SystemCounts { unread: 1, unseen: 1, at: 2 });
    assert_eq!(counts(store, "u2").system, SystemCounts { unread: 2, unseen: 2, at: 2 });
    // A mark on broadcasts is a record of the user's own inbox.
    assert_eq!(snapshot(store, "u1").offset, 1);
    one(store, mark_all("m2", None, Some(2), SEEN));
    assert_eq!(counts(store, "u1").system, SystemCounts { unread: 1, unseen: 0, at: 2 });
    one(store, mark("m3", &[], &[1], UNREAD));
    assert_eq!(counts(store, "u1").system, SystemCounts { unread: 2, unseen: 0, at: 2 });
}

fn system_from(store: &dyn Store) {
    let system = super::channel("system:all");
    one(store, notify(&system, "e1", T0));
    one(store, open("u1"));
    one(store, notify(&system, "e2", T0));
    let ids: Vec<_> = snapshot(store, "u1").items.into_iter().map(|item| item.id).collect();
    assert_eq!(ids, ["e2"]);
    let Answer::Inbox(Some([_, head])) = ask(store, Query::Inbox { user: "u1".into() }) else {
        panic!("an inbox")
    };
    assert_eq!((head.first, head.top), (2, 2), "as far as it is theirs");
    assert_eq!(counts(store, "u1").system, SystemCounts { unread: 1, unseen: 1, at: 2 });
    assert!(
        matches!(one(store, mark("m1", &[], &[1], READ)), Written::Unchanged { .. }),
        "not theirs"
    );
    one(store, mark_all("m2", None, Some(2), READ));
    assert_eq!(counts(store, "u1").system, SystemCounts { unread: 0, unseen: 0, at: 2 });
}

fn marks_are_per_user(store: &dyn Store) {
    filled(store, 1);
    one(store, notify(&inbox("u2"), "other", T0));
    one(store, mark("m1", &[1], &[], READ));
    assert_eq!(counts(store, "u1").inbox, tally(0, 0));
    assert_eq!(counts(store, "u2").inbox, tally(1, 1));
}

fn marks_fold_in_order(store: &dyn Store) {
    filled(store, 1);
    let batch = [
        mark("m1", &[1], &[], READ),
        mark("m2", &[1], &[], UNREAD),
        mark("m3", &[1], &[], ARCHIVED),
    ];
    let made: Vec<_> =
        commit(store, &batch).into_iter().map(|written| record(written).offset).collect();
    assert_eq!(made, [2, 3, 4]);
    let item = snapshot(store, "u1").items.remove(0);
    assert_eq!((item.seen, item.read, item.archived), (true, false, true));
}

fn marks_make_the_inbox(store: &dyn Store) {
    assert!(matches!(one(store, mark("m1", &[1], &[], READ)), Written::Unchanged { .. }));
    assert_eq!(snapshot(store, "u1").offset, 0);
}
