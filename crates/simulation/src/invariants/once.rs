//! I4: nothing is folded twice into one cursor store's state: what arrived at a page, or lies below the cursor it began with, does
//! not arrive there again, and what arrives of a log arrives in its order.

use std::collections::BTreeMap;

use tidings_protocol::{Channel, Epoch};

use super::{Checker, Scene};
use crate::sight::{Page, Sight};

/// Last offset that a page has, by log.
#[derive(Debug, Default)]
pub(super) struct Once(BTreeMap<(Page, Channel, Epoch), u64>);

impl Checker for Once {
    fn invariant(&self) -> &'static str {
        "I4"
    }

    fn saw(&mut self, scene: &Scene<'_>, sight: &Sight) -> Result<(), String> {
        match sight {
            Sight::Loaded { page, saved: Some(saved) } => {
                let Some(inbox) = inbox_of(&saved.text) else { return Ok(()) };
                for (channel, (epoch, offset)) in
                    [inbox, Channel::system()].into_iter().zip(saved.cursors)
                {
                    self.0.insert((*page, channel, epoch), offset);
                }
            }
            Sight::Arrived { page, key } => {
                let log = (*page, key.channel.clone(), key.epoch);
                if let Some(last) = self.0.insert(log, key.offset)
                    && last >= key.offset
                {
                    return Err(format!("{key:?} arrived at {page}, which has {last} already"));
                }
                let exists = |log: &crate::model::Log| log.facts.len() as u64 >= key.offset;
                if !scene.history.log(&key.channel).is_some_and(exists) {
                    return Err(format!("{key:?} arrived at {page} and is nowhere"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whose cache it is.
fn inbox_of(text: &str) -> Option<Channel> {
    use tidings_protocol::{Decode, server::Snapshot};
    Some(Snapshot::from_json(text.get(1..)?).ok()?.channel)
}

#[cfg(test)]
mod tests {
    use tidings_client_core::ItemKey;

    use super::*;
    use crate::invariants::testing::{PAGE, Stage, inbox};

    #[test]
    fn an_arrival_that_comes_again_or_out_of_order_is_found() {
        let mut stage = Stage::new();
        let epoch = stage.publish(0).epoch;
        stage.publish(1);
        let mut checker = Once::default();
        let arrives = |offset| Sight::Arrived {
            page: PAGE,
            key: ItemKey { channel: inbox(), epoch, offset },
        };
        stage.saw(&mut checker, &arrives(2)).unwrap();
        stage.saw(&mut checker, &arrives(2)).unwrap_err();
        stage.saw(&mut checker, &arrives(1)).unwrap_err();
        stage.saw(&mut checker, &arrives(3)).unwrap_err();
    }
}
