//! I4: no record is folded twice into one cursor store's state. A record that arrived at a page, or
//! lies below the cursor the page began with, does not arrive there again. Records of one log
//! arrive in its order.

use std::collections::BTreeMap;

use tidings_protocol::{Channel, Epoch};

use super::{Checker, Scene};
use crate::observation::{Observation, Page};

/// Last offset that a page has, by log.
#[derive(Debug, Default)]
pub(super) struct Once {
    pairs: BTreeMap<(Page, Channel, Epoch), u64>,
    rooms: BTreeMap<(Page, Channel), u64>,
}

impl Checker for Once {
    fn invariant(&self) -> &'static str {
        "I4"
    }

    fn observe(&mut self, scene: &Scene<'_>, observation: &Observation) -> Result<(), String> {
        match observation {
            Observation::Loaded { page, key, saved: Some(saved) } if key.contains('\t') => {
                let channel = key.split_once('\t').and_then(|(_, name)| Channel::parse(name).ok());
                if let Some(channel) = channel {
                    // If the cache comes too late, the page goes on from where it is.
                    self.rooms.entry((*page, channel)).or_insert(saved.cursors[0].1);
                }
            }
            Observation::Loaded { page, saved: Some(saved), .. } => {
                let Some(inbox) = inbox_of(&saved.text) else { return Ok(()) };
                for (channel, (epoch, offset)) in
                    [inbox, Channel::system()].into_iter().zip(saved.cursors)
                {
                    self.pairs.insert((*page, channel, epoch), offset);
                }
            }
            Observation::Arrived { page, key } => {
                let log = (*page, key.channel.clone(), key.epoch);
                if let Some(last) = self.pairs.insert(log, key.offset)
                    && last >= key.offset
                {
                    return Err(format!("{key:?} arrived at {page}, which has {last} already"));
                }
                let exists = |log: &crate::model::Log| log.facts.len() as u64 >= key.offset;
                if !scene.history.log(&key.channel).is_some_and(exists) {
                    return Err(format!("{key:?} arrived at {page} and is nowhere"));
                }
            }
            Observation::Told { page, channel, message } => {
                let offset = message.offset.unwrap_or_default();
                let last = self.rooms.insert((*page, channel.clone()), offset);
                if let Some(last) = last.filter(|last| *last >= offset) {
                    return Err(format!("{page} heard {message:?} of {channel} after {last}"));
                }
                if scene.history.message(channel, offset).is_none_or(|fact| *fact.id != *message.id)
                {
                    return Err(format!("{page} heard {message:?} of {channel}, which is nowhere"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The channel of a cached inbox.
fn inbox_of(text: &str) -> Option<Channel> {
    use tidings_protocol::{Decode, server::Snapshot};
    Some(Snapshot::from_json(text.get(1..)?).ok()?.channel)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidings_client_core::{ItemKey, MessageView};

    use super::*;
    use crate::{
        invariants::testing::{PAGE, Stage, inbox, publish_as, room},
        world::words,
    };

    #[test]
    fn a_message_that_comes_again_or_out_of_order_is_found() {
        let mut stage = Stage::new();
        let refs = [1, 2].map(|one| publish_as(&mut stage, "tab", one, one));
        let mut checker = Once::default();
        let tells = |offset: u64| {
            let id = refs.get(offset as usize - 1).map_or("", |record_ref| &record_ref.id);
            let message = MessageView {
                key: offset,
                id: Arc::from(id),
                offset: Some(offset),
                at: 1,
                from: None,
                lane: None,
                data: words(offset, 0),
                pending: false,
                failed: None,
            };
            Observation::Told { page: PAGE, channel: room(), message: Arc::new(message) }
        };
        stage.observe(&mut checker, &tells(2)).unwrap();
        stage.observe(&mut checker, &tells(2)).unwrap_err();
        stage.observe(&mut checker, &tells(1)).unwrap_err();
        stage.observe(&mut checker, &tells(3)).unwrap_err();
    }

    #[test]
    fn an_arrival_that_comes_again_or_out_of_order_is_found() {
        let mut stage = Stage::new();
        let epoch = stage.publish(0).epoch;
        stage.publish(1);
        let mut checker = Once::default();
        let arrives = |offset| Observation::Arrived {
            page: PAGE,
            key: ItemKey { channel: inbox(), epoch, offset },
        };
        stage.observe(&mut checker, &arrives(2)).unwrap();
        stage.observe(&mut checker, &arrives(2)).unwrap_err();
        stage.observe(&mut checker, &arrives(1)).unwrap_err();
        stage.observe(&mut checker, &arrives(3)).unwrap_err();
    }
}
