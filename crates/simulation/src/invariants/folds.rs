//! I12: list and counts of every client at offset n equal the fold of the log up to n: at every
//! save, and in every view when all is quiet.

use tidings_client_core::{InboxStatus, Status};
use tidings_protocol::{Decode, server::Snapshot};

use super::{Checker, End, Scene, rooms};
use crate::{
    model::{Model, State, Thing},
    observation::{Observation, Page},
    storage::Saved,
};

/// Judges each save by itself.
#[derive(Debug, Default)]
pub(super) struct Folds;

impl Checker for Folds {
    fn invariant(&self) -> &'static str {
        "I12"
    }

    fn observe(&mut self, scene: &Scene<'_>, observation: &Observation) -> Result<(), String> {
        match observation {
            Observation::Saved { page, key, saved } if !key.contains('\t') => {
                check(scene, *page, key, saved)
            }
            _ => Ok(()),
        }
    }
}

fn check(scene: &Scene<'_>, page: Page, user: &str, saved: &Saved) -> Result<(), String> {
    let snapshot = Snapshot::from_json(saved.text.get(1..).unwrap_or_default())
        .map_err(|error| format!("{page} saved an invalid snapshot: {error}: {}", saved.text))?;
    let [(epoch, inbox), (_, system)] = saved.cursors;
    if scene.history.epoch(&snapshot.channel) != Some(epoch) {
        // The log has another epoch by now.
        return Ok(());
    }
    let stated = snapshot.counts.system;
    let model = Model::of(scene.history, user, inbox, stated.at.max(system));
    let what = || format!("{page} of {user} saved at offsets {inbox} and {system}");
    if snapshot.counts.inbox != model.tally(false) {
        let (counts, counted) = (snapshot.counts.inbox, model.tally(false));
        return Err(format!("{}: counts {counts:?}, the log says {counted:?}", what()));
    }
    let newer = system.saturating_sub(stated.at);
    let shown = (stated.unread + newer, stated.unseen + newer);
    let counted = model.tally(true);
    if shown != (counted.unread, counted.unseen) {
        return Err(format!("{}: counts for everyone {shown:?}, not {counted:?}", what()));
    }
    let listed: Vec<_> = snapshot
        .items
        .iter()
        .map(|item| {
            let state = State { seen: item.seen, read: item.read, archived: item.archived };
            let thing = Thing { id: item.id.clone(), at: item.at, state };
            ((item.channel.is_system(), item.offset), thing)
        })
        .collect();
    let more = |of_system| if of_system { snapshot.system_more } else { snapshot.more };
    compare(&listed, &Model::of(scene.history, user, inbox, system), more)
        .map_err(|difference| format!("{}: {difference}", what()))
}

/// Whether a list equals the model's, as far down as it goes; `more`: whether the list says that
/// older items exist.
fn compare(
    listed: &[((bool, u64), Thing)],
    model: &Model,
    more: impl Fn(bool) -> bool,
) -> Result<(), String> {
    for (item_key, thing) in listed {
        let expected = model.items.get(item_key);
        if expected != Some(thing) {
            return Err(format!("{item_key:?} is {thing:?}, the log says {expected:?}"));
        }
    }
    let has = |item_key: &(bool, u64)| listed.iter().any(|(listed, _)| listed == item_key);
    if let Some((item_key, thing)) =
        model.items.iter().find(|(item_key, _)| !more(item_key.0) && !has(item_key))
    {
        return Err(format!("{item_key:?}, {thing:?}, is missing"));
    }
    match model.newest() {
        Some(newest) if !has(newest) => Err(format!("the newest, {newest:?}, is missing")),
        _ => Ok(()),
    }
}

/// Describes how a device differs from what it should show when all is quiet, with the invariant's
/// number.
#[must_use]
pub fn difference(scene: &Scene<'_>, end: &End) -> Option<(&'static str, String)> {
    let End { page, user, status, error, pending, calls, view, .. } = end;
    if *status != Status::Connected {
        return Some(("I7", format!("{page} is {status:?}: {error:?}")));
    }
    if *pending > 0 {
        return Some(("I15", format!("{pending} intents of {page} have no answer")));
    }
    if *calls > 0 {
        return Some(("I15", format!("{calls} calls of {page} have no answer")));
    }
    if view.status != InboxStatus::Live {
        return Some(("I7", format!("the list of {page} is {:?}", view.status)));
    }
    let model = Model::now(scene.history, user);
    let listed: Vec<_> = view
        .items
        .iter()
        .map(|item| {
            let state = State { seen: item.seen, read: item.read, archived: item.archived };
            let thing = Thing { id: item.id.to_string(), at: item.at, state };
            ((item.key.channel.is_system(), item.key.offset), thing)
        })
        .collect();
    if let Err(difference) = compare(&listed, &model, |_| view.has_more) {
        return Some(("I12", format!("{page} of {user}: {difference}")));
    }
    let (own, system) = (model.tally(false), model.tally(true));
    let counts = (own.unread + system.unread, own.unseen + system.unseen);
    if (view.unread, view.unseen) != counts {
        let shown = (view.unread, view.unseen);
        return Some(("I12", format!("{page} counts {shown:?}, the log says {counts:?}")));
    }
    rooms::difference(scene, end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::testing::{PAGE, Stage, inbox};

    fn save(stage: &Stage, edit: impl FnOnce(&mut Snapshot)) -> Observation {
        use tidings_protocol::Encode;
        use tidings_server_core::store::{Answer, Query, Store};
        let query = Query::Snapshot { user: "mina".into(), limit: 50, bytes: u32::MAX };
        let answer = stage.store.read(&[query]).unwrap().remove(0).unwrap();
        let Answer::Snapshot(mut snapshot) = answer else { panic!("{answer:?}") };
        edit(&mut snapshot);
        let cursors =
            [(snapshot.epoch, snapshot.offset), (snapshot.system.epoch, snapshot.system.offset)];
        let saved = Saved { cursors, text: format!("1{}", snapshot.to_json()) };
        Observation::Saved { page: PAGE, key: "mina".into(), saved }
    }

    #[test]
    fn a_cache_with_another_count_state_or_item_is_found() {
        let mut stage = Stage::new();
        stage.publish(0);
        stage.publish(1);
        assert_eq!(stage.history.log(&inbox()).unwrap().facts.len(), 2);
        let judged = |edit: fn(&mut Snapshot)| stage.observe(&mut Folds, &save(&stage, edit));
        judged(|_| ()).unwrap();
        judged(|snapshot| snapshot.counts.inbox.unread = 1).unwrap_err();
        judged(|snapshot| snapshot.items[0].read = true).unwrap_err();
        judged(|snapshot| drop(snapshot.items.remove(1))).unwrap_err();
        judged(|snapshot| {
            snapshot.more = true;
            snapshot.items.remove(0);
        })
        .unwrap_err();
        judged(|snapshot| {
            snapshot.more = true;
            snapshot.items.remove(1);
        })
        .unwrap();
    }
}
