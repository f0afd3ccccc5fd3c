//! I14: the queue of a connection and the state of a page stay within their limits at every step.

use super::{Checker, Scene};
use crate::sight::Sight;

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

    fn saw(&mut self, _: &Scene<'_>, sight: &Sight) -> Result<(), String> {
        match sight {
            Sight::Queued { conn, bytes, limits } => {
                // Live records, the half of the mailbox that is promised to answers, and one answer
                // that was made while none was promised.
                let large = limits.mailbox_bytes / 2 + limits.page_bytes as usize;
                let most = limits.mailbox_bytes + large + ANSWERS;
                if *bytes > most {
                    return Err(format!("{bytes} bytes wait for {conn}, more than {most}"));
                }
            }
            Sight::Held { page, intents, intents_max, items, items_max }
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
        let queued = |bytes| Sight::Queued { conn: CONN, bytes, limits: limits.clone() };
        stage.saw(&mut Bounds, &queued(limits.mailbox_bytes)).unwrap();
        stage.saw(&mut Bounds, &queued(3 * limits.mailbox_bytes)).unwrap_err();
    }

    #[test]
    fn a_list_beyond_its_bound_is_found() {
        let stage = Stage::new();
        let held =
            |items| Sight::Held { page: PAGE, intents: 0, intents_max: 10, items, items_max: 50 };
        stage.saw(&mut Bounds, &held(50)).unwrap();
        stage.saw(&mut Bounds, &held(51)).unwrap_err();
    }
}
