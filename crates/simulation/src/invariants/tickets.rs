//! I9: a ticket admits at most one connection.

use std::collections::BTreeSet;

use super::{Checker, Scene};
use crate::sight::Sight;

/// Tickets that were used.
#[derive(Debug, Default)]
pub(super) struct Tickets(BTreeSet<String>);

impl Checker for Tickets {
    fn invariant(&self) -> &'static str {
        "I9"
    }

    fn saw(&mut self, _: &Scene<'_>, sight: &Sight) -> Result<(), String> {
        match sight {
            Sight::TicketSpent { ticket } if !self.0.insert(ticket.clone()) => {
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
        let spent = |ticket: &str| Sight::TicketSpent { ticket: ticket.to_owned() };
        stage.saw(&mut checker, &spent("a")).unwrap();
        stage.saw(&mut checker, &spent("b")).unwrap();
        stage.saw(&mut checker, &spent("a")).unwrap_err();
    }
}
