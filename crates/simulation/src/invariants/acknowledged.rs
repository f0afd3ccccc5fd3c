//! I1: an acknowledged record is in the log after any crash, once, at the offset of the
//! acknowledgement.

use tidings_server_core::store::Place;

use super::{Checker, Scene};
use crate::{
    model::{head, log},
    observation::Observation,
};

/// Every record that was acknowledged to a publisher or an app.
#[derive(Debug, Default)]
pub(super) struct Acknowledged(Vec<Place>);

impl Checker for Acknowledged {
    fn invariant(&self) -> &'static str {
        "I1"
    }

    fn observe(&mut self, _: &Scene<'_>, observation: &Observation) -> Result<(), String> {
        match observation {
            Observation::Acknowledged { places, .. } => self.0.extend(places.iter().cloned()),
            Observation::Answered { result: Ok(Some(stored)), .. } if !stored.id.is_empty() => {
                let (channel, epoch) = (stored.channel.clone(), stored.epoch);
                self.0.push(Place { channel, epoch, offset: stored.offset, id: stored.id.clone() });
            }
            _ => {}
        }
        Ok(())
    }

    fn settled(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        for place in &self.0 {
            let Some(head) = head(scene.store, &place.channel) else {
                return Err(format!("{} is gone, with {place:?}", place.channel));
            };
            // The operator restored the store, or retention removed the record: clients are told of
            // both.
            if head.epoch != place.epoch || place.offset < head.first {
                continue;
            }
            let log = log(scene.store, &place.channel);
            let found = log.iter().filter(|record| record.id == place.id);
            let found: Vec<u64> = found.map(|record| record.offset).collect();
            if found != [place.offset] {
                return Err(format!("{place:?} was acknowledged and is at {found:?}"));
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
    fn an_acknowledged_record_that_is_not_there_is_found() {
        let mut stage = Stage::new();
        let place = stage.publish(0);
        let mut checker = Acknowledged::default();
        let told = |places| Observation::Acknowledged { publish: 0, places };
        stage.observe(&mut checker, &told(vec![place.clone()])).unwrap();
        checker.settled(&stage.scene()).unwrap();
        stage.observe(&mut checker, &told(vec![Place { offset: 2, ..place }])).unwrap();
        checker.settled(&stage.scene()).unwrap_err();
    }
}
