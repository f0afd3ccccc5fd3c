//! I11: a log's epoch changes exactly when acknowledged records may be lost: when the operator
//! restored the store.

use std::collections::{BTreeMap, BTreeSet};

use tidings_protocol::{Channel, Epoch, ServerMessage};
use tidings_server_core::store::NO_LOG;

use super::{Checker, Scene};
use crate::observation::Observation;

/// The current epochs, and earlier ones that may not come back.
#[derive(Debug, Default)]
pub(super) struct Epochs {
    now: BTreeMap<Channel, Epoch>,
    left: BTreeSet<(Channel, Epoch)>,
}

impl Epochs {
    fn told(&mut self, channel: &Channel, epoch: Epoch) -> Result<(), String> {
        if epoch == NO_LOG {
            return Ok(());
        }
        if self.left.contains(&(channel.clone(), epoch)) {
            return Err(format!("{channel} was delivered by {epoch}, a replaced epoch"));
        }
        let known = self.now.entry(channel.clone()).or_insert(epoch);
        if *known != epoch {
            return Err(format!("{channel} went from {known} to {epoch} and nothing was lost"));
        }
        Ok(())
    }
}

impl Checker for Epochs {
    fn invariant(&self) -> &'static str {
        "I11"
    }

    fn observe(&mut self, _: &Scene<'_>, observation: &Observation) -> Result<(), String> {
        match observation {
            Observation::Restored => self.left.extend(std::mem::take(&mut self.now)),
            Observation::Left { messages, .. } => {
                for one in messages {
                    match &one.message {
                        ServerMessage::Subscribed(answer) => {
                            self.told(&answer.channel, answer.epoch)?;
                        }
                        ServerMessage::Snapshot(snapshot) => {
                            self.told(&snapshot.channel, snapshot.epoch)?;
                            self.told(&Channel::system(), snapshot.system.epoch)?;
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::testing::{Stage, left, subscribed};

    #[test]
    fn an_epoch_that_changes_without_a_loss_or_stays_after_one_is_found() {
        let stage = Stage::new();
        let [one, two] = [1, 3].map(|bits| left(&[&subscribed(Epoch::from_bits(bits), 0)]));
        let mut checker = Epochs::default();
        stage.observe(&mut checker, &one).unwrap();
        stage.observe(&mut checker, &two).unwrap_err();
        stage.observe(&mut checker, &Observation::Restored).unwrap();
        stage.observe(&mut checker, &two).unwrap();
        stage.observe(&mut checker, &one).unwrap_err();
    }
}
