//! I6: one publisher's order is kept per channel. Publishes that wait for each other's answers are
//! stored in that order, a lane's intents in the order of their `seq`, and an app's messages in a
//! room in the order of its calls, over lanes and crashes.

use std::collections::{BTreeMap, BTreeSet};

use tidings_protocol::{Channel, Epoch, ServerMessage};

use super::{Checker, Scene, rows::Rows};
use crate::{
    observation::{AppRequest, Observation, Page},
    world::message_of,
};

/// The highest acknowledged offset of each log.
#[derive(Debug, Default)]
pub(super) struct Publishers {
    tops: BTreeMap<(Channel, Epoch), u64>,
    /// The tops that a publish's sender knew when it first sent it.
    known: BTreeMap<usize, BTreeMap<(Channel, Epoch), u64>>,
    /// The page and intent that published a message. Later intents have higher numbers.
    published: BTreeMap<u64, (Page, u64)>,
    rows: Rows,
    /// Messages that were refused: a retry gives them another position.
    refused: BTreeSet<u64>,
}

impl Checker for Publishers {
    fn invariant(&self) -> &'static str {
        "I6"
    }

    fn observe(&mut self, _: &Scene<'_>, observation: &Observation) -> Result<(), String> {
        match observation {
            Observation::Sent { publish } => {
                self.known.insert(*publish, self.tops.clone());
            }
            Observation::Acknowledged { publish, refs } => {
                let known = self.known.remove(publish).unwrap_or_default();
                for record_ref in refs {
                    let log = (record_ref.channel.clone(), record_ref.epoch);
                    if let Some(before) = known.get(&log)
                        && *before >= record_ref.offset
                    {
                        return Err(format!(
                            "{record_ref:?} was sent after {before} was acknowledged"
                        ));
                    }
                    let top = self.tops.entry(log).or_insert(0);
                    *top = record_ref.offset.max(*top);
                }
            }
            Observation::Intended { page, intent, request: AppRequest::Say { message, .. } } => {
                self.published.insert(*message, (*page, *intent));
            }
            Observation::Answered { page, intent, result: Err(_) } => {
                let asked = (*page, *intent);
                let of = self.published.iter().find(|(_, other)| **other == asked);
                self.refused.extend(of.map(|(message, _)| *message));
            }
            Observation::Persisted { user, changes } => drop(self.rows.persist(user, changes)),
            Observation::Left { guest, messages: published, .. } => {
                published.iter().for_each(|one| self.rows.left(guest, one));
            }
            _ => {}
        }
        Ok(())
    }

    fn settled(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        let mut refused: BTreeSet<u64> = self.rows.refused().collect();
        refused.extend(&self.refused);
        for (channel, log) in scene.history.logs() {
            let (mut lanes, mut pages) = (BTreeMap::new(), BTreeMap::new());
            for fact in &log.facts {
                let (lane, seq) = match fact {
                    ServerMessage::Marked(marked) => (&marked.client_id, marked.seq),
                    ServerMessage::Message(message) => {
                        if let Some(number) = message_of(&message.data)
                            && let Some((page, _)) = self.published.get(&number)
                            && !refused.contains(&number)
                            && let Some(last) = pages.insert(*page, number)
                            && last > number
                        {
                            return Err(format!("{page} said {number} before {last} in {channel}"));
                        }
                        (&message.client_id, message.seq)
                    }
                    _ => continue,
                };
                let (Some(lane), Some(seq)) = (lane, seq) else { continue };
                if lanes.insert(lane.clone(), seq).is_some_and(|last| last >= seq) {
                    return Err(format!("lane {lane} is out of order in {channel} at {seq}"));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tidings_protocol::{MarkSet, Offsets};
    use tidings_server_core::{
        Ids,
        service::{self, MarkIntent},
    };

    use super::*;
    use crate::invariants::testing::{PAGE, Stage, inbox, publish_as, room};

    #[test]
    fn what_an_app_said_later_and_stands_earlier_is_found() {
        let mut stage = Stage::new();
        let mut checker = Publishers::default();
        for (intent, message) in [(1, 1), (2, 2)] {
            let request = AppRequest::Say { channel: room(), message };
            stage
                .observe(&mut checker, &Observation::Intended { page: PAGE, intent, request })
                .unwrap();
        }
        publish_as(&mut stage, "one", 1, 2);
        publish_as(&mut stage, "two", 1, 1);
        checker.settled(&stage.scene()).unwrap_err();
        let error = tidings_client_core::Error::new(tidings_protocol::ErrorCode::Forbidden, "");
        let refused = Observation::Answered { page: PAGE, intent: 1, result: Err(error) };
        stage.observe(&mut checker, &refused).unwrap();
        checker.settled(&stage.scene()).unwrap();
    }

    #[test]
    fn a_later_publish_at_a_lower_offset_is_found() {
        let mut stage = Stage::new();
        let [one, two] = [stage.publish(0), stage.publish(1)];
        let mut checker = Publishers::default();
        let told = |publish, record_ref: &tidings_server_core::store::RecordRef| {
            Observation::Acknowledged { publish, refs: vec![record_ref.clone()] }
        };
        stage.observe(&mut checker, &Observation::Sent { publish: 0 }).unwrap();
        stage.observe(&mut checker, &told(0, &two)).unwrap();
        stage.observe(&mut checker, &Observation::Sent { publish: 1 }).unwrap();
        stage.observe(&mut checker, &told(1, &one)).unwrap_err();
    }

    #[test]
    fn a_lane_out_of_order_is_found() {
        let mut stage = Stage::new();
        let mark = |seq, read| {
            let lane = service::lane("mina", Some("tab".into()), Some(seq), 10).unwrap();
            let offsets = Some(Offsets { inbox: Some(vec![1]), system: None });
            let set = MarkSet { read: Some(read), ..MarkSet::default() };
            let intent = MarkIntent { epochs: Default::default(), offsets, up_to: None, set };
            service::mark("mina", intent, lane, 1, &mut Ids::new(seq)).unwrap()
        };
        let [one, two] = [mark(1, true), mark(2, false)];
        stage.publish(0);
        stage.write(one);
        stage.write(two);
        Publishers::default().settled(&stage.scene()).unwrap();
        stage.history.facts_mut(&inbox()).reverse();
        Publishers::default().settled(&stage.scene()).unwrap_err();
    }
}
