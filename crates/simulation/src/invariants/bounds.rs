//! I14: the queue of a connection and the state of a page stay within their limits at every step.

use super::{Checker, Scene};
use crate::observation::Observation;

/// Bytes of the small answers (`connected`, `subscribed`, `ack`, `pong`, `error`) to as many
/// requests as a session may have at once.
const ANSWERS: usize = 32 * 1024;

/// Judges each observation by itself.
#[derive(Debug, Default)]
pub(super) struct Bounds;

impl Checker for Bounds {
    fn invariant(&self) -> &'static str {
        "I14"
    }

    fn observe(&mut self, _: &Scene<'_>, observation: &Observation) -> Result<(), String> {
        match observation {
            Observation::Queued { conn, bytes, limits } => {
                // Live records, the half of the mailbox that is promised to answers, and one answer
                // that was made while none was promised.
                let large = limits.mailbox_bytes / 2 + limits.page_bytes as usize;
                let most = limits.mailbox_bytes + large + ANSWERS;
                if *bytes > most {
                    return Err(format!("{bytes} bytes wait for {conn}, more than {most}"));
                }
            }
            Observation::Held { page, intents, intents_max, items, items_max }
                if intents > intents_max || items > items_max =>
            {
                return Err(format!("{page} holds {intents} intents and {items} items"));
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidings_server_core::Limits;

    use super::*;
    use crate::invariants::testing::{CONN, PAGE, Stage};

    #[test]
    fn a_mailbox_beyond_its_bound_is_found() {
        let stage = Stage::new();
        let limits = Arc::new(Limits::default());
        let queued = |bytes| Observation::Queued { conn: CONN, bytes, limits: limits.clone() };
        stage.observe(&mut Bounds, &queued(limits.mailbox_bytes)).unwrap();
        stage.observe(&mut Bounds, &queued(3 * limits.mailbox_bytes)).unwrap_err();
    }

    #[test]
    fn a_list_beyond_its_bound_is_found() {
        let stage = Stage::new();
        let held = |items| Observation::Held {
            page: PAGE,
            intents: 0,
            intents_max: 10,
            items,
            items_max: 50,
        };
        stage.observe(&mut Bounds, &held(50)).unwrap();
        stage.observe(&mut Bounds, &held(51)).unwrap_err();
    }
}
