//! I9: a ticket admits at most one connection.

use std::collections::BTreeSet;

use super::{Checker, Scene};
use crate::observation::Observation;

/// Tickets that were used.
#[derive(Debug, Default)]
pub(super) struct Tickets(BTreeSet<String>);

impl Checker for Tickets {
    fn invariant(&self) -> &'static str {
        "I9"
    }

    fn observe(&mut self, _: &Scene<'_>, observation: &Observation) -> Result<(), String> {
        match observation {
            Observation::TicketSpent { ticket } if !self.0.insert(ticket.clone()) => {
                Err(format!("{ticket} was taken twice"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::testing::Stage;

    #[test]
    fn a_ticket_that_is_taken_twice_is_found() {
        let stage = Stage::new();
        let mut checker = Tickets::default();
        let spent = |ticket: &str| Observation::TicketSpent { ticket: ticket.to_owned() };
        stage.observe(&mut checker, &spent("a")).unwrap();
        stage.observe(&mut checker, &spent("b")).unwrap();
        stage.observe(&mut checker, &spent("a")).unwrap_err();
    }
}
