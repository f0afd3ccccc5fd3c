//! I5: at most one record per idempotency key and target, and per (client_id, seq), and a repeat is answered as the first time.

use std::collections::{BTreeMap, BTreeSet};

use tidings_protocol::ServerMessage;
use tidings_server_core::store::Place;

use super::{Checker, Scene};
use crate::sight::Sight;

/// First answers, by publish.
#[derive(Debug, Default)]
pub(super) struct Idempotent(BTreeMap<usize, Vec<Place>>);

impl Checker for Idempotent {
    fn invariant(&self) -> &'static str {
        "I5"
    }

    fn saw(&mut self, _: &Scene<'_>, sight: &Sight) -> Result<(), String> {
        if let Sight::Acknowledged { publish, places } = sight {
            let first = self.0.entry(*publish).or_insert_with(|| places.clone());
            if first != places {
                return Err(format!("publish {publish} was answered {first:?}, then {places:?}"));
            }
        }
        Ok(())
    }

    fn settled(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        for (channel, log) in scene.history.logs() {
            let mut titles = BTreeSet::new();
            let mut lanes = BTreeSet::new();
            for fact in &log.facts {
                let first = match fact {
                    ServerMessage::Notification(note) => {
                        titles.insert(crate::world::publish_of(&note.data))
                    }
                    ServerMessage::Marked(marked) if marked.client_id.is_some() => {
                        lanes.insert((marked.client_id.clone(), marked.seq))
                    }
                    _ => true,
                };
                if !first {
                    return Err(format!("{channel} has twice what was asked for once: {fact:?}"));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::testing::Stage;

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
    fn another_answer_to_a_repeat_is_found() {
        let mut stage = Stage::new();
        let [one, two] = [stage.publish(0), stage.publish(1)];
        let mut checker = Idempotent::default();
        let told = |place: &Place| Sight::Acknowledged { publish: 0, places: vec![place.clone()] };
        stage.saw(&mut checker, &told(&one)).unwrap();
        stage.saw(&mut checker, &told(&one)).unwrap();
        stage.saw(&mut checker, &told(&two)).unwrap_err();
    }
}
