//! I15: every intent ends once, as stored or as an error the app is told; and what is said to be stored is what was asked for.

use std::collections::{BTreeMap, BTreeSet};

use tidings_client_core::{MarkTargets, Stored};
use tidings_protocol::{MarkSet, ServerMessage, server::Marked};

use super::{Checker, Scene};
use crate::{
    model::{History, Model, covers},
    sight::{Page, Sight},
};

/// What apps asked for and have no answer to. Who closes the tab loses its calls; so far the outbox lives in memory.
#[derive(Debug, Default)]
pub(super) struct Answers {
    open: BTreeMap<(Page, u64), (MarkTargets, MarkSet)>,
    answered: BTreeSet<(Page, u64)>,
}

impl Checker for Answers {
    fn invariant(&self) -> &'static str {
        "I15"
    }

    fn saw(&mut self, scene: &Scene<'_>, sight: &Sight) -> Result<(), String> {
        match sight {
            Sight::Began { page, .. } => {
                self.open.retain(|(other, _), _| other.device != page.device);
            }
            Sight::Intended { page, intent, targets, set } => {
                self.open.insert((*page, *intent), (targets.clone(), *set));
            }
            Sight::Answered { page, intent, result } => {
                if !self.answered.insert((*page, *intent)) {
                    return Err(format!("intent {intent} of {page} was answered twice"));
                }
                let asked = self.open.remove(&(*page, *intent));
                if let (Some((targets, set)), Ok(Some(stored))) = (asked, result) {
                    is_true(scene.history, &targets, set, stored)
                        .map_err(|why| format!("intent {intent} of {page}: {why}"))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn settled(&mut self, _: &Scene<'_>) -> Result<(), String> {
        match self.open.keys().next() {
            Some((page, intent)) => Err(format!("intent {intent} of {page} has no answer")),
            None => Ok(()),
        }
    }
}

/// Whether the log has, at the place that was answered, what was asked for.
fn is_true(
    history: &History,
    targets: &MarkTargets,
    set: MarkSet,
    stored: &Stored,
) -> Result<(), String> {
    let Stored { channel, epoch, offset, id } = stored;
    if history.epoch(channel) != Some(*epoch) {
        return Ok(());
    }
    let (Some(log), Some(user)) = (history.log(channel), channel.inbox_user()) else {
        return Err(format!("{stored:?} is no inbox of anybody"));
    };
    let MarkTargets::Items(ids) = targets else {
        let other = |fact: &Marked| fact.set != set || fact.up_to.is_none();
        return match marked(log, *offset, id) {
            Some(fact) if other(fact) => Err(format!("all was to be {set:?}, stored is {fact:?}")),
            None if !id.is_empty() => Err(format!("{stored:?} is not there")),
            _ => Ok(()),
        };
    };
    let model = Model::of(history, user, *offset, u64::MAX);
    if let Some(fact) = marked(log, *offset, id) {
        let place = |place: &(bool, u64)| {
            covers(fact.offsets.as_ref(), fact.up_to.as_ref(), place.0, place.1)
        };
        let meant = |(_, thing): &(&(bool, u64), &crate::model::Thing)| ids.contains(&thing.id);
        if fact.set != set || !model.items.iter().filter(|(at, _)| place(at)).all(|one| meant(&one))
        {
            return Err(format!("{ids:?} were to be {set:?}, stored is {fact:?}"));
        }
        return Ok(());
    }
    if !id.is_empty() {
        return Err(format!("{stored:?} is not there"));
    }
    // Nothing had to change: then it is as it was to be.
    let other = |thing: &&crate::model::Thing| {
        ids.contains(&thing.id) && thing.state.after(set) != thing.state
    };
    match model.items.values().find(other) {
        Some(thing) => Err(format!("{thing:?} was to be {set:?} at offset {offset} and is not")),
        None => Ok(()),
    }
}

/// The mark at an offset, if it has this id.
fn marked<'a>(log: &'a crate::model::Log, offset: u64, id: &str) -> Option<&'a Marked> {
    let place = usize::try_from(offset.checked_sub(1)?).ok()?;
    match log.facts.get(place) {
        Some(ServerMessage::Marked(marked)) if marked.id == id => Some(marked),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tidings_client_core::Error;
    use tidings_protocol::ErrorCode;

    use super::*;
    use crate::invariants::testing::{PAGE, Stage};

    const READ: MarkSet = MarkSet { seen: None, read: Some(true), archived: None };

    fn intended(intent: u64) -> Sight {
        Sight::Intended { page: PAGE, intent, targets: MarkTargets::All, set: READ }
    }

    fn answered(intent: u64, result: Result<Option<Stored>, Error>) -> Sight {
        Sight::Answered { page: PAGE, intent, result }
    }

    #[test]
    fn an_intent_without_an_answer_or_with_two_is_found() {
        let stage = Stage::new();
        let mut checker = Answers::default();
        stage.saw(&mut checker, &intended(1)).unwrap();
        checker.settled(&stage.scene()).unwrap_err();
        let refused = Err(Error::new(ErrorCode::NotFound, ""));
        stage.saw(&mut checker, &answered(1, refused.clone())).unwrap();
        checker.settled(&stage.scene()).unwrap();
        stage.saw(&mut checker, &answered(1, refused)).unwrap_err();
    }

    #[test]
    fn an_answer_that_something_else_was_stored_is_found() {
        let mut stage = Stage::new();
        let place = stage.publish(0);
        let said = |id: &str| {
            let (channel, epoch, offset) = (place.channel.clone(), place.epoch, place.offset);
            Ok(Some(Stored { channel, epoch, offset, id: id.to_owned() }))
        };
        let item = match &stage.history.log(&place.channel).unwrap().facts[0] {
            ServerMessage::Notification(note) => note.id.clone(),
            other => panic!("{other:?}"),
        };
        let mut checker = Answers::default();
        // "Nothing had to change", and the item is unread.
        let targets = MarkTargets::Items(vec![item]);
        let asks = Sight::Intended { page: PAGE, intent: 1, targets, set: READ };
        stage.saw(&mut checker, &asks).unwrap();
        stage.saw(&mut checker, &answered(1, said(""))).unwrap_err();
        // A record of that name that is no mark.
        stage.saw(&mut checker, &intended(2)).unwrap();
        stage.saw(&mut checker, &answered(2, said(&place.id))).unwrap_err();
    }
}
