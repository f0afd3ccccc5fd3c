//! I2: logs are dense and immutable, with one body for each (epoch, offset) on all nodes.

use std::collections::BTreeMap;

use tidings_protocol::{Channel, Epoch, ServerMessage, server::Page};

use super::{Checker, Scene};
use crate::{model::log, observation::Observation};

/// Every body that was sent, and the epoch that each connection was given for a channel.
#[derive(Debug, Default)]
pub(super) struct Dense {
    bodies: BTreeMap<(Channel, Epoch, u64), String>,
    epochs: BTreeMap<(crate::env::Conn, Channel), Epoch>,
}

impl Checker for Dense {
    fn invariant(&self) -> &'static str {
        "I2"
    }

    fn observe(&mut self, scene: &Scene<'_>, observation: &Observation) -> Result<(), String> {
        let Observation::Left { conn, messages, .. } = observation else { return Ok(()) };
        for one in messages {
            let (channel, offset) = match &one.message {
                ServerMessage::Subscribed(answer) => {
                    self.epochs.insert((*conn, answer.channel.clone()), answer.epoch);
                    continue;
                }
                ServerMessage::Notification(record) => (&record.channel, record.offset),
                ServerMessage::Marked(record) => (&record.channel, record.offset),
                ServerMessage::Trimmed(record) => (&record.channel, record.offset),
                ServerMessage::Message(record) => (&record.channel, record.offset),
                ServerMessage::Page(page) => {
                    paged(scene, page)?;
                    continue;
                }
                _ => continue,
            };
            let Some(epoch) = self.epochs.get(&(*conn, channel.clone())) else { continue };
            let body = self.bodies.entry((channel.clone(), *epoch, offset));
            let first = body.or_insert_with(|| one.text.clone());
            if *first != one.text {
                return Err(format!("offset {offset} was {first} and is {}", one.text));
            }
        }
        Ok(())
    }

    fn settled(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        for (channel, _) in scene.history.logs() {
            let log = log(scene.store, channel);
            let dense = |pair: &[tidings_server_core::store::Record]| {
                pair[0].offset + 1 == pair[1].offset && pair[0].epoch == pair[1].epoch
            };
            if !log.windows(2).all(dense) {
                return Err(format!("{channel} has a hole"));
            }
            for record in log {
                let key = (channel.clone(), record.epoch, record.offset);
                if self.bodies.get(&key).is_some_and(|told| told.as_bytes() != &record.frame[..]) {
                    return Err(format!(
                        "{channel} {} differs from the delivered record",
                        record.offset
                    ));
                }
            }
        }
        Ok(())
    }
}

/// A page lists the messages that the log has.
fn paged(scene: &Scene<'_>, page: &Page) -> Result<(), String> {
    if scene.history.epoch(&page.channel) != Some(page.epoch) {
        return Ok(());
    }
    for one in page.messages.iter().flatten() {
        let listed = one.clone().into_message();
        let offset = listed.as_ref().map_or(0, |one| one.offset);
        let fact = scene.history.message(&page.channel, offset);
        if listed.is_none() || fact != listed.as_ref() {
            return Err(format!("a page lists {one:?}, the log has {fact:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::testing::{Stage, left, notification, publish_as, room, subscribed};

    #[test]
    fn a_page_that_differs_from_the_log_is_found() {
        use tidings_protocol::Encode;
        let mut stage = Stage::new();
        let epoch = publish_as(&mut stage, "tab", 1, 1).epoch;
        let message = stage.history.message(&room(), 1).unwrap().clone();
        let page = |id: &str| {
            let messages =
                vec![tidings_protocol::server::Message { id: id.into(), ..message.clone() }];
            Page {
                id: None,
                channel: room(),
                epoch,
                offset: 1,
                more: false,
                items: None,
                messages: Some(messages.into_iter().map(Into::into).collect()),
            }
            .to_json()
        };
        let mut checker = Dense::default();
        stage.observe(&mut checker, &left(&[&page(&message.id)])).unwrap();
        stage.observe(&mut checker, &left(&[&page("another")])).unwrap_err();
    }

    #[test]
    fn another_body_at_the_same_offset_is_found() {
        let stage = Stage::new();
        let mut checker = Dense::default();
        let begin = subscribed(Epoch::from_bits(7), 0);
        let record = notification("inbox:mina", 1, "a");
        stage.observe(&mut checker, &left(&[&begin, &record])).unwrap();
        stage.observe(&mut checker, &left(&[&record])).unwrap();
        let other = notification("inbox:mina", 1, "b");
        stage.observe(&mut checker, &left(&[&other])).unwrap_err();
    }

    #[test]
    fn a_log_that_differs_from_what_was_told_is_found() {
        let mut stage = Stage::new();
        let record_ref = stage.publish(0);
        let mut checker = Dense::default();
        let begin = subscribed(record_ref.epoch, 0);
        let other = notification("inbox:mina", 1, "not what is stored");
        stage.observe(&mut checker, &left(&[&begin, &other])).unwrap();
        checker.settled(&stage.scene()).unwrap_err();
    }
}
