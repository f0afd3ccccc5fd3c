//! I15: every intent ends once, as stored or as an error that the app gets; and a stored intent is
//! the one that was asked for.

use std::collections::{BTreeMap, BTreeSet};

use tidings_client_core::{MarkTargets, Stored};
use tidings_protocol::{
    Channel, MarkSet, ServerMessage,
    server::{Marked, Message},
};

use super::{Checker, Scene};
use crate::{
    model::{History, Model, covers},
    observation::{AppRequest, Observation, Page},
    world::message_of,
};

/// Calls of apps that have no answer. A closed tab loses its calls; `kept` judges the intents that
/// were persisted.
#[derive(Debug, Default)]
pub(super) struct Answers {
    open: BTreeMap<(Page, u64), AppRequest>,
    answered: BTreeSet<(Page, u64)>,
    /// The user that published a message.
    published: BTreeMap<u64, String>,
    users: BTreeMap<Page, String>,
}

impl Checker for Answers {
    fn invariant(&self) -> &'static str {
        "I15"
    }

    fn observe(&mut self, scene: &Scene<'_>, observation: &Observation) -> Result<(), String> {
        match observation {
            Observation::Began { page, user } => {
                self.open.retain(|(other, _), _| other.device != page.device);
                self.users.insert(*page, user.clone());
            }
            Observation::Intended { page, intent, request } => {
                if let (AppRequest::Say { message, .. }, Some(user)) =
                    (request, self.users.get(page))
                {
                    self.published.insert(*message, user.clone());
                }
                self.open.insert((*page, *intent), request.clone());
            }
            Observation::Answered { page, intent, result } => {
                if !self.answered.insert((*page, *intent)) {
                    return Err(format!("intent {intent} of {page} was answered twice"));
                }
                let asked = self.open.remove(&(*page, *intent));
                if let (Some(request), Ok(Some(stored))) = (asked, result) {
                    match &request {
                        AppRequest::Mark { targets, set } => {
                            is_true(scene.history, targets, *set, stored)
                        }
                        AppRequest::Say { channel, message } => {
                            is_said(scene.history, channel, *message, stored)
                        }
                        AppRequest::Again { .. } | AppRequest::Older => Ok(()),
                    }
                    .map_err(|why| format!("intent {intent} of {page}: {why}"))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn settled(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        for fact in scene.history.logs().flat_map(|(_, log)| &log.facts) {
            if let ServerMessage::Message(fact) = fact
                && let Some(message) = message_of(&fact.data)
                && let Some(user) = self.published.get(&message)
                && fact.from.as_ref().map(|from| &from.user) != Some(user)
            {
                return Err(format!("{user} said message {message}, stored is {fact:?}"));
            }
        }
        match self.open.keys().next() {
            Some((page, intent)) => Err(format!("intent {intent} of {page} has no answer")),
            None => Ok(()),
        }
    }
}

/// Whether the log has the message at the offset of the answer.
fn is_said(
    history: &History,
    channel: &Channel,
    message: u64,
    stored: &Stored,
) -> Result<(), String> {
    if history.epoch(&stored.channel) != Some(stored.epoch) {
        return Ok(());
    }
    let fact = history.message(&stored.channel, stored.offset);
    let same = |fact: &Message| fact.id == stored.id && message_of(&fact.data) == Some(message);
    if stored.channel == *channel && fact.is_some_and(same) {
        return Ok(());
    }
    Err(format!("message {message} of {channel} was said to be {stored:?}, which is {fact:?}"))
}

/// Whether the log has the mark at the offset of the answer.
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
        return Err(format!("{stored:?} is no user's inbox"));
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
        let item =
            |item: &(bool, u64)| covers(fact.offsets.as_ref(), fact.up_to.as_ref(), item.0, item.1);
        let meant = |(_, thing): &(&(bool, u64), &crate::model::Thing)| ids.contains(&thing.id);
        if fact.set != set || !model.items.iter().filter(|(at, _)| item(at)).all(|one| meant(&one))
        {
            return Err(format!("{ids:?} were to be {set:?}, stored is {fact:?}"));
        }
        return Ok(());
    }
    if !id.is_empty() {
        return Err(format!("{stored:?} is not there"));
    }
    // Nothing had to change: then every item is already in that state.
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
    let index = usize::try_from(offset.checked_sub(1)?).ok()?;
    match log.facts.get(index) {
        Some(ServerMessage::Marked(marked)) if marked.id == id => Some(marked),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tidings_client_core::Error;
    use tidings_protocol::ErrorCode;

    use super::*;
    use crate::invariants::testing::{PAGE, Stage, publish_as, room};

    const READ: MarkSet = MarkSet { seen: None, read: Some(true), archived: None };

    fn intended(intent: u64) -> Observation {
        let request = AppRequest::Mark { targets: MarkTargets::All, set: READ };
        Observation::Intended { page: PAGE, intent, request }
    }

    fn answered(intent: u64, result: Result<Option<Stored>, Error>) -> Observation {
        Observation::Answered { page: PAGE, intent, result }
    }

    #[test]
    fn an_intent_without_an_answer_or_with_two_is_found() {
        let stage = Stage::new();
        let mut checker = Answers::default();
        stage.observe(&mut checker, &intended(1)).unwrap();
        checker.settled(&stage.scene()).unwrap_err();
        let refused = Err(Error::new(ErrorCode::NotFound, ""));
        stage.observe(&mut checker, &answered(1, refused.clone())).unwrap();
        checker.settled(&stage.scene()).unwrap();
        stage.observe(&mut checker, &answered(1, refused)).unwrap_err();
    }

    #[test]
    fn a_message_stored_as_another_or_as_somebody_elses_is_found() {
        let mut stage = Stage::new();
        let record_ref = publish_as(&mut stage, "tab", 1, 1);
        let answered = |intent| {
            let (channel, epoch, offset) =
                (record_ref.channel.clone(), record_ref.epoch, record_ref.offset);
            let stored = Stored { channel, epoch, offset, id: record_ref.id.clone() };
            Observation::Answered { page: PAGE, intent, result: Ok(Some(stored)) }
        };
        let says = |intent, message| {
            let request = AppRequest::Say { channel: room(), message };
            Observation::Intended { page: PAGE, intent, request }
        };
        let judged = |user: &str, message| {
            let mut checker = Answers::default();
            stage
                .observe(&mut checker, &Observation::Began { page: PAGE, user: user.into() })
                .unwrap();
            stage.observe(&mut checker, &says(1, message)).unwrap();
            stage.observe(&mut checker, &answered(1))?;
            checker.settled(&stage.scene())
        };
        judged("mina", 1).unwrap();
        judged("mina", 2).unwrap_err();
        judged("tom", 1).unwrap_err();
    }

    #[test]
    fn an_answer_that_something_else_was_stored_is_found() {
        let mut stage = Stage::new();
        let record_ref = stage.publish(0);
        let published = |id: &str| {
            let (channel, epoch, offset) =
                (record_ref.channel.clone(), record_ref.epoch, record_ref.offset);
            Ok(Some(Stored { channel, epoch, offset, id: id.to_owned() }))
        };
        let item = match &stage.history.log(&record_ref.channel).unwrap().facts[0] {
            ServerMessage::Notification(note) => note.id.clone(),
            other => panic!("{other:?}"),
        };
        let mut checker = Answers::default();
        // The answer says that nothing had to change, but the item is unread.
        let targets = MarkTargets::Items(vec![item]);
        let request = AppRequest::Mark { targets, set: READ };
        let asks = Observation::Intended { page: PAGE, intent: 1, request };
        stage.observe(&mut checker, &asks).unwrap();
        stage.observe(&mut checker, &answered(1, published(""))).unwrap_err();
        // A record with that id that is not a mark.
        stage.observe(&mut checker, &intended(2)).unwrap();
        stage.observe(&mut checker, &answered(2, published(&record_ref.id))).unwrap_err();
    }
}
