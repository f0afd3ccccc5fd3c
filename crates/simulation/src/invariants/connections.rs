//! I10: no user has more connections than allowed, over all nodes, and a page's older connection at a node ends when its newer one
//! comes.

use std::{collections::BTreeMap, rc::Rc};

use super::{Checker, Scene};
use crate::{
    env::Conn,
    sight::{Guest, Sight},
};

/// Milliseconds after a failure of the store in which nodes may have lost their leases: the limit is theirs alone then.
const LEASES: u64 = 60_000;

/// Who is in, and where; the last connection of each page.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: BTreeMap<Conn, (usize, Rc<Guest>)>,
    newest: BTreeMap<String, Conn>,
    failed_at: Option<u64>,
}

impl Checker for Connections {
    fn invariant(&self) -> &'static str {
        "I10"
    }

    fn saw(&mut self, scene: &Scene<'_>, sight: &Sight) -> Result<(), String> {
        match sight {
            Sight::StoreFailed => self.failed_at = Some(scene.now),
            Sight::Ended { conn } => {
                self.open.remove(conn);
            }
            Sight::Admitted { node, conn, guest, most } => {
                // A node without a lease can't tell who came first, nor how many there are.
                let doubtful = self.failed_at.is_some_and(|at| scene.now < at + LEASES);
                let instance = guest.instance.clone().unwrap_or_default();
                // What is older still may be a ghost at a node that the bus did not tell of its end.
                if let Some(last) = self.newest.insert(instance, *conn)
                    && self.open.get(&last).is_some_and(|(at, _)| at == node)
                    && !doubtful
                {
                    return Err(format!("{last} and {conn} are at node {node}, of one page"));
                }
                self.open.insert(*conn, (*node, guest.clone()));
                let mine = self.open.values().filter(|(_, other)| other.user == guest.user);
                let mut pages: Vec<_> = mine.map(|(_, other)| &other.instance).collect();
                pages.sort_unstable();
                pages.dedup();
                if pages.len() > *most && !doubtful {
                    return Err(format!("{} has {} connections", guest.user, pages.len()));
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

    fn admitted(transport: u64, instance: &str) -> Sight {
        let conn = Conn { page: PAGE, transport };
        Sight::Admitted { node: 0, conn, guest: guest("s", instance), most: 2 }
    }

    #[test]
    fn one_connection_too_many_is_found() {
        let stage = Stage::new();
        let mut checker = Connections::default();
        stage.saw(&mut checker, &admitted(1, "a")).unwrap();
        stage.saw(&mut checker, &admitted(2, "b")).unwrap();
        let ended = Sight::Ended { conn: Conn { page: PAGE, transport: 1 } };
        stage.saw(&mut checker, &ended).unwrap();
        stage.saw(&mut checker, &admitted(3, "c")).unwrap();
        stage.saw(&mut checker, &admitted(4, "d")).unwrap_err();
    }

    #[test]
    fn an_older_connection_of_the_page_that_stays_is_found() {
        let stage = Stage::new();
        let mut checker = Connections::default();
        stage.saw(&mut checker, &admitted(1, "a")).unwrap();
        stage.saw(&mut checker, &admitted(2, "a")).unwrap_err();
    }
}
