//! I3: on each connection the offsets of a channel rise by one from the start of the subscription.
//! `gap`, `skip` or a new `subscribed` announces offsets that are left out. This is judged where
//! frames leave the server, so that holes which the client repairs are found too; I4 and I12 judge
//! the app's end.

use std::collections::BTreeMap;

use tidings_protocol::{Channel, ServerMessage};

use super::{Checker, Scene};
use crate::{env::Conn, observation::Observation};

/// Last offset that was sent, by connection and channel.
#[derive(Debug, Default)]
pub(super) struct InOrder(BTreeMap<(Conn, Channel), u64>);

impl InOrder {
    fn record(&mut self, conn: Conn, channel: &Channel, offset: u64) -> Result<(), String> {
        let Some(last) = self.0.get_mut(&(conn, channel.clone())) else {
            return Err(format!("{channel} {offset} was sent to {conn} without a subscription"));
        };
        if offset != *last + 1 {
            return Err(format!("{channel} {offset} was sent to {conn} after {last}"));
        }
        *last = offset;
        Ok(())
    }
}

impl Checker for InOrder {
    fn invariant(&self) -> &'static str {
        "I3"
    }

    fn observe(&mut self, _: &Scene<'_>, observation: &Observation) -> Result<(), String> {
        let Observation::Left { conn, messages, .. } = observation else { return Ok(()) };
        for one in messages {
            match &one.message {
                ServerMessage::Subscribed(answer) => {
                    self.0.insert((*conn, answer.channel.clone()), answer.offset);
                }
                ServerMessage::Unsubscribed(ended) => {
                    self.0.remove(&(*conn, ended.channel.clone()));
                }
                ServerMessage::Skip(skip) => {
                    self.record(*conn, &skip.channel, skip.from)?;
                    self.0.insert((*conn, skip.channel.clone()), skip.to);
                }
                ServerMessage::Notification(record) => {
                    self.record(*conn, &record.channel, record.offset)?;
                }
                ServerMessage::Marked(record) => {
                    self.record(*conn, &record.channel, record.offset)?
                }
                ServerMessage::Trimmed(record) => {
                    self.record(*conn, &record.channel, record.offset)?;
                }
                ServerMessage::Message(record) => {
                    self.record(*conn, &record.channel, record.offset)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tidings_protocol::Epoch;

    use super::*;
    use crate::invariants::testing::{Stage, left, notification, subscribed};

    #[test]
    fn a_record_left_out_or_sent_twice_is_found() {
        let stage = Stage::new();
        let mut checker = InOrder::default();
        let begin = subscribed(Epoch::from_bits(7), 3);
        let record = |offset| notification("inbox:mina", offset, "");
        stage.observe(&mut checker, &left(&[&begin, &record(4), &record(5)])).unwrap();
        stage.observe(&mut checker, &left(&[&record(7)])).unwrap_err();
        stage.observe(&mut checker, &left(&[&record(5)])).unwrap_err();
        stage.observe(&mut checker, &left(&[&notification("system:all", 1, "")])).unwrap_err();
    }
}
