//! I10: no user has more connections than allowed, over all nodes. A page's older connection ends
//! when its newer one is admitted; at another node, it ends by that node's next renewal of its
//! lease, even if the bus lost the message.

use std::{collections::BTreeMap, rc::Rc};

use super::{Checker, Scene};
use crate::{
    env::Conn,
    gate::RENEW,
    observation::{Guest, Observation},
};

/// Milliseconds after a failure of the store in which nodes may have lost their leases: each then
/// holds the limit by itself.
const LEASES: u64 = 60_000;

/// The open connections and their nodes.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: BTreeMap<Conn, Admission>,
    failed_at: Option<u64>,
}

#[derive(Debug)]
struct Admission {
    node: usize,
    guest: Rc<Guest>,
    /// When a connection of the same page at another node replaced it.
    replaced_at: Option<u64>,
}

impl Admission {
    /// It was replaced at another node, and its node may not know that yet: the bus loses messages.
    fn is_ghost(&self, now: u64) -> bool {
        self.replaced_at.is_some_and(|at| now <= at + RENEW)
    }
}

impl Checker for Connections {
    fn invariant(&self) -> &'static str {
        "I10"
    }

    fn observe(&mut self, scene: &Scene<'_>, observation: &Observation) -> Result<(), String> {
        match observation {
            Observation::StoreFailed => self.failed_at = Some(scene.now),
            Observation::Ended { conn } => {
                self.open.remove(conn);
            }
            Observation::Admitted { node, conn, guest, most } => {
                // A node without a lease knows neither the order of connections nor their number.
                let doubtful = self.failed_at.is_some_and(|at| scene.now < at + LEASES);
                let of_page = |admission: &&mut Admission| {
                    guest.instance.is_some() && admission.guest.instance == guest.instance
                };
                for admission in self.open.values_mut().filter(of_page) {
                    let fresh = admission.replaced_at.is_none() && admission.node != *node;
                    if !fresh && !admission.is_ghost(scene.now) && !doubtful {
                        let at = admission.node;
                        return Err(format!(
                            "an older connection of {conn}'s page is at node {at}"
                        ));
                    }
                    admission.replaced_at.get_or_insert(scene.now);
                }
                let (node, guest) = (*node, guest.clone());
                let user = guest.user.clone();
                self.open.insert(*conn, Admission { node, guest, replaced_at: None });
                let counts = |admission: &&Admission| {
                    admission.guest.user == user && !admission.is_ghost(scene.now)
                };
                let mine = self.open.values().filter(counts).count();
                if mine > *most && !doubtful {
                    return Err(format!("{user} has {mine} connections"));
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
    use crate::invariants::testing::{PAGE, Stage, guest};

    fn admitted(transport: u64, instance: &str) -> Observation {
        at_node(0, transport, instance)
    }

    fn at_node(node: usize, transport: u64, instance: &str) -> Observation {
        let conn = Conn { page: PAGE, transport };
        Observation::Admitted { node, conn, guest: guest("s", instance), most: 2 }
    }

    #[test]
    fn one_connection_too_many_is_found() {
        let stage = Stage::new();
        let mut checker = Connections::default();
        stage.observe(&mut checker, &admitted(1, "a")).unwrap();
        stage.observe(&mut checker, &admitted(2, "b")).unwrap();
        let ended = Observation::Ended { conn: Conn { page: PAGE, transport: 1 } };
        stage.observe(&mut checker, &ended).unwrap();
        stage.observe(&mut checker, &admitted(3, "c")).unwrap();
        stage.observe(&mut checker, &admitted(4, "d")).unwrap_err();
    }

    #[test]
    fn an_older_connection_of_the_page_that_stays_is_found() {
        let stage = Stage::new();
        let mut checker = Connections::default();
        stage.observe(&mut checker, &admitted(1, "a")).unwrap();
        stage.observe(&mut checker, &admitted(2, "a")).unwrap_err();
    }

    #[test]
    fn an_older_connection_elsewhere_has_to_go_by_the_next_renewal() {
        let mut stage = Stage::new();
        let mut checker = Connections::default();
        stage.observe(&mut checker, &at_node(0, 1, "a")).unwrap();
        stage.observe(&mut checker, &at_node(1, 2, "a")).unwrap();
        stage.observe(&mut checker, &at_node(1, 3, "b")).unwrap();
        stage.now += RENEW + 1;
        stage.observe(&mut checker, &at_node(2, 4, "a")).unwrap_err();
        let ended = Observation::Ended { conn: Conn { page: PAGE, transport: 1 } };
        stage.observe(&mut checker, &ended).unwrap();
        stage.observe(&mut checker, &at_node(2, 4, "a")).unwrap();
    }
}
