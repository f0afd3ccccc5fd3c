//! I12 for rooms: a page shows and saves the messages that the log has at those offsets, and its
//! user was told of every hole. An own message is shown once: pending, refused, or as the log has
//! it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tidings_client_core::{ChannelStatus, ChannelView, MessageView};
use tidings_protocol::{
    Channel, Decode,
    rights::Right,
    server::{GapReason, Message, Page as History, Posted},
};

use super::{Checker, End, Scene};
use crate::{
    observation::{AppRequest, Observation},
    storage::Saved,
    world::message_of,
};

/// Ranges that apps were told are missing, by room.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    missing: BTreeMap<Channel, Vec<(u64, u64)>>,
    /// Messages that were retried.
    again: BTreeSet<u64>,
}

impl Checker for Rooms {
    fn invariant(&self) -> &'static str {
        "I12"
    }

    fn observe(&mut self, scene: &Scene<'_>, observation: &Observation) -> Result<(), String> {
        match observation {
            Observation::Missing { channel, from, to, why: GapReason::Retention, .. } => {
                self.missing.entry(channel.clone()).or_default().push((*from, *to));
                Ok(())
            }
            Observation::Intended {
                request: AppRequest::Again { message: Some(message) }, ..
            } => {
                self.again.insert(*message);
                Ok(())
            }
            Observation::Shown { page, channel, view, most } => {
                // Own messages may be shown beyond the limit until they are in the log.
                if view.messages.iter().filter(|one| !is_own(one)).count() > *most {
                    return Err(format!("{page} holds more than {most} messages of {channel}"));
                }
                self.once(view).map_err(|what| format!("{page} shows {channel}: {what}"))
            }
            Observation::Saved { page, key, saved } => match key.split_once('\t') {
                Some((user, channel)) => self
                    .saved(scene, channel, saved)
                    .map_err(|what| format!("{page} of {user} saved {channel}: {what}")),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

impl Rooms {
    fn saved(&self, scene: &Scene<'_>, channel: &str, saved: &Saved) -> Result<(), String> {
        // A second line holds the cursor's proof.
        let text = saved.text.lines().next().and_then(|line| line.get(1..));
        let page = History::from_json(text.unwrap_or_default())
            .map_err(|error| format!("no page: {error}: {}", saved.text))?;
        let (epoch, offset) = saved.cursors[0];
        if page.channel.as_str() != channel || (page.epoch, page.offset) != (epoch, offset) {
            return Err(format!("it is another's, or of another place: {}", saved.text));
        }
        if scene.history.epoch(&page.channel) != Some(epoch) {
            // The log has another epoch by now.
            return Ok(());
        }
        let listed = page.messages.unwrap_or_default().into_iter();
        let messages: Vec<Message> = listed.filter_map(Posted::into_message).collect();
        for one in &messages {
            // The cache keeps no lane of other users' messages.
            let plain = |one: &Message| Message { client_id: None, seq: None, ..one.clone() };
            let fact = scene.history.message(&page.channel, one.offset);
            if fact.map(plain) != Some(plain(one)) {
                return Err(format!("{one:?}, the log says {fact:?}"));
            }
        }
        let offsets: Vec<u64> = messages.iter().map(|one| one.offset).collect();
        self.without_holes(&page.channel, &offsets, offset)
    }

    /// No message is shown twice. There is one exception: a message that was retried while storage
    /// hung may stand beside its first try, which is refused or as the disk has it. The page had
    /// sent it, and crashed before its browser had stored that.
    fn once(&self, view: &ChannelView) -> Result<(), String> {
        let mut published = BTreeSet::new();
        let mut refs = BTreeSet::new();
        for one in view.messages.iter() {
            let message = message_of(&one.data)
                .filter(|message| one.offset.is_some() || !self.again.contains(message));
            if message.is_some_and(|message| !published.insert(message)) {
                return Err(format!("{one:?} is there twice"));
            }
            if one.offset.is_some_and(|offset| !refs.insert(offset)) {
                return Err(format!("two messages are at the place of {one:?}"));
            }
        }
        Ok(())
    }

    /// Offsets rise by one up to `to`, except for ranges announced as missing.
    fn without_holes(&self, channel: &Channel, offsets: &[u64], to: u64) -> Result<(), String> {
        let told = self.missing.get(channel).map(Vec::as_slice).unwrap_or_default();
        without_holes(told, offsets, to)
    }
}

fn without_holes(told: &[(u64, u64)], offsets: &[u64], to: u64) -> Result<(), String> {
    if !offsets.is_sorted_by(|one, two| one < two) {
        return Err(format!("{offsets:?} are out of order"));
    }
    let Some(first) = offsets.first() else { return Ok(()) };
    let held: BTreeSet<u64> = offsets.iter().copied().collect();
    let is_told = |offset: &u64| told.iter().any(|(from, to)| (from..=to).contains(&offset));
    match (*first..=to).find(|offset| !held.contains(offset) && !is_told(offset)) {
        Some(hole) => Err(format!("{hole} is missing below {to}, and no gap was reported")),
        None => Ok(()),
    }
}

fn is_own(message: &MessageView) -> bool {
    message.from.as_ref().is_some_and(|from| from.own)
}

/// Describes how a page's rooms differ from what they should be when all is quiet, with the
/// invariant's number.
#[must_use]
pub(super) fn difference(scene: &Scene<'_>, end: &End) -> Option<(&'static str, String)> {
    let End { page, rooms, allowed, missing, .. } = end;
    for (channel, view) in rooms {
        let may =
            |right| allowed.iter().any(|(other, rights)| other == channel && rights.has(right));
        let wanted =
            if may(Right::Subscribe) { ChannelStatus::Live } else { ChannelStatus::Refused };
        if view.status != wanted {
            let what = format!("{channel} is {:?} at {page}: {:?}", view.status, view.error);
            return Some(("I7", what));
        }
        if wanted == ChannelStatus::Live
            && let Err(what) = compare(
                scene,
                channel,
                view,
                may(Right::History),
                missing.get(channel).copied().unwrap_or_default(),
            )
        {
            return Some(("I12", format!("{page} shows {channel}: {what}")));
        }
    }
    None
}

fn compare(
    scene: &Scene<'_>,
    channel: &Channel,
    view: &ChannelView,
    may_read_back: bool,
    missing: u64,
) -> Result<(), String> {
    let top = scene.history.log(channel).map_or(0, |log| log.facts.len() as u64);
    let first = crate::model::head(scene.store, channel).map_or(1, |head| head.first);
    let shown = |one: &&Arc<MessageView>| one.failed.is_none();
    let mut last = None;
    for one in view.messages.iter().filter(shown) {
        let Some(offset) = one.offset else { return Err(format!("{one:?} is pending")) };
        let fact = scene.history.message(channel, offset);
        let same = |fact: &Message| {
            *fact.id == *one.id
                && fact.data == one.data
                && fact.at == one.at
                && fact.from.as_ref().map(|from| (&from.user, &from.info))
                    == one.from.as_ref().map(|from| (&from.user, &from.info))
        };
        if !fact.is_some_and(same) {
            return Err(format!("{one:?}, the log says {fact:?}"));
        }
        last = Some(offset);
    }
    match last {
        // Records before a new right began are announced as missing, and there need be none since.
        Some(last) if last != top && missing < top => {
            Err(format!("it ends at {last}, the log at {top}"))
        }
        None if top >= first && may_read_back && !view.has_more => {
            Err(format!("nothing, and the log goes from {first} to {top}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tidings_client_core::Author;
    use tidings_protocol::{Encode, Epoch};

    use super::*;
    use crate::{
        invariants::testing::{PAGE, Stage, publish_as, room},
        world::words,
    };

    fn view(offset: Option<u64>, message: u64) -> Arc<MessageView> {
        let from = Some(Author { user: "mina".into(), info: None, own: true });
        Arc::new(MessageView {
            key: message,
            id: Arc::from(format!("m{message}")),
            offset,
            at: 1,
            from,
            lane: None,
            data: words(message, 0),
            pending: offset.is_none(),
            failed: None,
        })
    }

    fn shown(messages: Vec<Arc<MessageView>>) -> Observation {
        let view = ChannelView { messages: messages.into(), ..ChannelView::default() };
        Observation::Shown { page: PAGE, channel: room(), view: Box::new(view), most: 2 }
    }

    #[test]
    fn an_own_message_that_stands_beside_its_echo_is_found() {
        let stage = Stage::new();
        let mut checker = Rooms::default();
        stage.observe(&mut checker, &shown(vec![view(Some(1), 1), view(None, 2)])).unwrap();
        stage.observe(&mut checker, &shown(vec![view(Some(1), 1), view(None, 1)])).unwrap_err();
        stage.observe(&mut checker, &shown(vec![view(Some(1), 1), view(Some(1), 2)])).unwrap_err();
    }

    #[test]
    fn a_saved_room_with_a_hole_or_another_message_is_found() {
        let mut stage = Stage::new();
        let epoch =
            (1..=3).map(|one| publish_as(&mut stage, "tab", one, one).epoch).last().unwrap();
        let saves = |stage: &Stage, checker: &mut Rooms, edit: fn(&mut History)| {
            let fact = |offset| stage.history.message(&room(), offset).cloned();
            let messages = (1..=3).filter_map(fact);
            let plain = |one: Message| Message { client_id: None, seq: None, ..one };
            let mut page = History {
                id: None,
                channel: room(),
                epoch,
                offset: 3,
                more: false,
                items: None,
                messages: Some(messages.map(plain).map(Posted::from).collect()),
            };
            edit(&mut page);
            let saved = Saved {
                cursors: [(page.epoch, page.offset); 2],
                text: format!("1{}", page.to_json()),
            };
            let key = format!("mina\t{}", room());
            stage.observe(checker, &Observation::Saved { page: PAGE, key, saved })
        };
        let mut checker = Rooms::default();
        saves(&stage, &mut checker, |_| ()).unwrap();
        saves(&stage, &mut checker, |page| drop(page.messages.as_mut().unwrap().remove(0)))
            .unwrap();
        let hole = |page: &mut History| drop(page.messages.as_mut().unwrap().remove(1));
        saves(&stage, &mut checker, hole).unwrap_err();
        saves(&stage, &mut checker, |page| page.offset = 4).unwrap_err();
        let other = |page: &mut History| match page.messages.as_mut().unwrap().first_mut() {
            Some(Posted::Message(first)) => first.data = words(9, 0),
            other => panic!("{other:?}"),
        };
        saves(&stage, &mut checker, other).unwrap_err();
        // The log has another epoch: the checker can't judge it.
        saves(&stage, &mut checker, |page| page.epoch = Epoch::from_bits(7)).unwrap();
        let why = GapReason::Retention;
        let told =
            Observation::Missing { user: "mina".into(), channel: room(), from: 2, to: 2, why };
        stage.observe(&mut checker, &told).unwrap();
        saves(&stage, &mut checker, hole).unwrap();
    }

    #[test]
    fn an_end_below_the_top_is_found() {
        let mut stage = Stage::new();
        for one in 1..=2 {
            publish_as(&mut stage, "tab", one, one);
        }
        let of = |offset| {
            let fact = stage.history.message(&room(), offset).unwrap();
            let from = fact.from.clone().unwrap();
            let from = Some(Author { user: from.user, info: from.info, own: false });
            let (id, data) = (Arc::from(&*fact.id), fact.data.clone());
            Arc::new(MessageView {
                id,
                from,
                data,
                at: fact.at,
                ..(*view(Some(offset), 1)).clone()
            })
        };
        let judged = |messages: Vec<Arc<MessageView>>| {
            let view = ChannelView { messages: messages.into(), ..ChannelView::default() };
            compare(&stage.scene(), &room(), &view, true, 0)
        };
        judged(vec![of(1), of(2)]).unwrap();
        judged(vec![of(1)]).unwrap_err();
        judged(vec![]).unwrap_err();
        judged(vec![view(Some(2), 9)]).unwrap_err();
    }
}
