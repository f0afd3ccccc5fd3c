//! I5: at most one record for each idempotency key and target, and for each (client_id, seq). A
//! repeat gets the answer of the first request.

use std::collections::{BTreeMap, BTreeSet};

use tidings_protocol::ServerMessage;
use tidings_server_core::store::RecordRef;

use super::{Checker, Scene};
use crate::{
    observation::Observation,
    world::{message_of, publish_of},
};

/// First answers, by publish.
#[derive(Debug, Default)]
pub(super) struct Idempotent(BTreeMap<usize, Vec<RecordRef>>);

impl Checker for Idempotent {
    fn invariant(&self) -> &'static str {
        "I5"
    }

    fn observe(&mut self, _: &Scene<'_>, observation: &Observation) -> Result<(), String> {
        if let Observation::Acknowledged { publish, refs } = observation {
            let first = self.0.entry(*publish).or_insert_with(|| refs.clone());
            if first != refs {
                return Err(format!("publish {publish} was answered {first:?}, then {refs:?}"));
            }
        }
        Ok(())
    }

    fn settled(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        let (mut lanes, mut published) = (BTreeSet::new(), BTreeSet::new());
        for (channel, log) in scene.history.logs() {
            let mut titles = BTreeSet::new();
            for fact in &log.facts {
                let first = match fact {
                    ServerMessage::Notification(note) => titles.insert(publish_of(&note.data)),
                    ServerMessage::Marked(marked) if marked.client_id.is_some() => {
                        lanes.insert((marked.client_id.clone(), marked.seq))
                    }
                    // A message is stored once, however often its lane changed.
                    ServerMessage::Message(message) => match message_of(&message.data) {
                        Some(number) => {
                            let lane_seq = (message.client_id.clone(), message.seq);
                            published.insert(number) && lanes.insert(lane_seq)
                        }
                        None => titles.insert(publish_of(&message.data)),
                    },
                    _ => true,
                };
                if !first {
                    return Err(format!("{channel} has one publish twice: {fact:?}"));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::testing::{Stage, publish_as};

    #[test]
    fn a_publish_stored_twice_is_found() {
        let mut stage = Stage::new();
        stage.publish(0);
        stage.publish(1);
        Idempotent::default().settled(&stage.scene()).unwrap();
        stage.publish(1);
        Idempotent::default().settled(&stage.scene()).unwrap_err();
    }

    #[test]
    fn a_message_stored_over_two_lanes_is_found() {
        let mut stage = Stage::new();
        publish_as(&mut stage, "one", 1, 1);
        publish_as(&mut stage, "one", 2, 2);
        Idempotent::default().settled(&stage.scene()).unwrap();
        publish_as(&mut stage, "two", 1, 2);
        Idempotent::default().settled(&stage.scene()).unwrap_err();
    }

    #[test]
    fn another_answer_to_a_repeat_is_found() {
        let mut stage = Stage::new();
        let [one, two] = [stage.publish(0), stage.publish(1)];
        let mut checker = Idempotent::default();
        let told = |record_ref: &RecordRef| Observation::Acknowledged {
            publish: 0,
            refs: vec![record_ref.clone()],
        };
        stage.observe(&mut checker, &told(&one)).unwrap();
        stage.observe(&mut checker, &told(&one)).unwrap();
        stage.observe(&mut checker, &told(&two)).unwrap_err();
    }
}
