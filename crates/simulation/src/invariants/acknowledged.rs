//! I1: an acknowledged record is in the log after any crash, once, at the offset of the
//! acknowledgement.

use tidings_server_core::store::RecordRef;

use super::{Checker, Scene};
use crate::{
    model::{head, log},
    observation::Observation,
};

/// Every record that was acknowledged to a publisher or an app.
#[derive(Debug, Default)]
pub(super) struct Acknowledged(Vec<RecordRef>);

impl Checker for Acknowledged {
    fn invariant(&self) -> &'static str {
        "I1"
    }

    fn observe(&mut self, _: &Scene<'_>, observation: &Observation) -> Result<(), String> {
        match observation {
            Observation::Acknowledged { refs, .. } => self.0.extend(refs.iter().cloned()),
            Observation::Answered { result: Ok(Some(stored)), .. } if !stored.id.is_empty() => {
                let (channel, epoch) = (stored.channel.clone(), stored.epoch);
                self.0.push(RecordRef {
                    channel,
                    epoch,
                    offset: stored.offset,
                    id: stored.id.clone(),
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn settled(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        for record_ref in &self.0 {
            let Some(head) = head(scene.store, &record_ref.channel) else {
                return Err(format!("{} is gone, with {record_ref:?}", record_ref.channel));
            };
            // The operator restored the store, or retention removed the record: clients are told of
            // both.
            if head.epoch != record_ref.epoch || record_ref.offset < head.first {
                continue;
            }
            let log = log(scene.store, &record_ref.channel);
            let found = log.iter().filter(|record| record.id == record_ref.id);
            let found: Vec<u64> = found.map(|record| record.offset).collect();
            if found != [record_ref.offset] {
                return Err(format!("{record_ref:?} was acknowledged and is at {found:?}"));
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
        let record_ref = stage.publish(0);
        let mut checker = Acknowledged::default();
        let told = |refs| Observation::Acknowledged { publish: 0, refs };
        stage.observe(&mut checker, &told(vec![record_ref.clone()])).unwrap();
        checker.settled(&stage.scene()).unwrap();
        stage.observe(&mut checker, &told(vec![RecordRef { offset: 2, ..record_ref }])).unwrap();
        checker.settled(&stage.scene()).unwrap_err();
    }
}
