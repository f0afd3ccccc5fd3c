//! The table of TCP connections by owner. The owner is an address until a request shows a valid
//! credential, then a user. The core decides which connection makes room ([`Crowd`]); this table
//! finds and closes it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tidings_server_core::{
    Principal,
    crowd::{Crowd, Leaver, Room},
    fair::{self, Fair, Turned},
};

use super::link::{Peer, Shared};
use crate::shares::{Bound, Shares};

/// Bounds on TCP connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Unauthenticated connections: of one address, and in all.
    pub strangers: fair::Bounds,
    /// Connections of one user.
    pub per_user: usize,
}

/// The table of TCP connections, without those of trusted proxies and backends.
#[derive(Debug)]
pub(super) struct Lobby {
    inside: Mutex<Inside>,
    shares: Shares,
}

#[derive(Debug)]
struct Inside {
    strangers: Crowd<Principal>,
    users: Crowd<Principal>,
    links: HashMap<u64, Weak<Shared>>,
    next: u64,
}

/// When the file of a closed connection is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gave {
    /// The file is free.
    Now,
    /// The file is free when the evicted connection has ended.
    Soon,
}

/// A connection's entry in the table.
#[derive(Debug)]
pub(super) struct Entry {
    lobby: Arc<Lobby>,
    number: u64,
}

impl Lobby {
    pub(super) fn new(bounds: Bounds, shares: Shares) -> Arc<Self> {
        let users = fair::Bounds { each: bounds.per_user, total: usize::MAX };
        let inside = Inside {
            strangers: Crowd::new(bounds.strangers),
            users: Crowd::new(users),
            links: HashMap::new(),
            next: 0,
        };
        Arc::new(Self { inside: Mutex::new(inside), shares })
    }

    /// Adds an unauthenticated connection.
    pub(super) fn enter(self: &Arc<Self>, whose: Principal, peer: &Peer) {
        let mut inside = self.lock();
        inside.next += 1;
        let number = inside.next;
        inside.links.insert(number, peer.downgrade());
        peer.enter(Entry { lobby: Arc::clone(self), number });
        let leaver = inside.strangers.enter(number, whose);
        self.send_away(inside, Bound::Strangers, leaver);
    }

    /// All TCP connections are in use. Returns whether an unauthenticated one makes room.
    pub(super) fn make_room(&self) -> bool {
        let mut inside = self.lock();
        let leaver = inside.strangers.make_room();
        let makes_room = leaver.is_some();
        self.send_away(inside, Bound::Links, leaver);
        makes_room
    }

    /// Connections hold all files they may. Closes a queued connection, which frees its file at
    /// once, or evicts an unauthenticated one.
    pub(super) fn give_a_file<T>(&self, waiting: &mut Fair<Principal, T>) -> Option<Gave> {
        let mut inside = self.lock();
        match inside.strangers.make_room_with(waiting)? {
            Room::Left(leaver) => {
                self.send_away(inside, Bound::Files, Some(leaver));
                Some(Gave::Soon)
            }
            Room::Shed(Turned { key, full, .. }) => {
                self.shares.hit(Bound::Files, full, &key);
                Some(Gave::Now)
            }
        }
    }

    fn send_away(
        &self,
        mut inside: MutexGuard<'_, Inside>,
        bound: Bound,
        leaver: Option<Leaver<Principal>>,
    ) {
        let Some(Leaver { number, key, full }) = leaver else { return };
        let link = inside.links.remove(&number).and_then(|link| link.upgrade());
        drop(inside);
        if let Some(link) = link {
            link.evict();
        }
        self.shares.hit(bound, full, &key);
    }

    /// The table is consistent between statements, so a panic elsewhere does no harm.
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// A request begins on the connection.
    pub(super) fn spoke(&self) {
        let mut inside = self.lobby.lock();
        inside.strangers.spoke(self.number);
        inside.users.spoke(self.number);
    }

    /// A request on the connection had a valid credential. The connection belongs to this owner
    /// until a request shows another owner's credential.
    pub(super) fn known(&self, whose: &Principal) {
        let mut inside = self.lobby.lock();
        inside.strangers.leave(self.number);
        // The connection was already evicted.
        if !inside.links.contains_key(&self.number) {
            return;
        }
        match whose {
            Principal::User(_) => {
                let leaver = inside.users.enter(self.number, whose.clone());
                self.lobby.send_away(inside, Bound::UserLinks, leaver);
            }
            // A backend's connection acts for many users, so it has no bound here.
            Principal::Server | Principal::ApiKey(_) => drop(inside.users.leave(self.number)),
            Principal::Address(_) => {}
        }
    }

    /// The connection carries a socket or stream, which has its own bound: other connections of the
    /// user must not close it.
    pub(super) fn admitted(&self) {
        let mut inside = self.lobby.lock();
        inside.strangers.leave(self.number);
        inside.users.leave(self.number);
    }

    /// The connection has ended.
    pub(super) fn leave(&self) {
        let mut inside = self.lobby.lock();
        inside.strangers.leave(self.number);
        inside.users.leave(self.number);
        inside.links.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_is_nobodys_gives_its_file_and_one_of_a_user_does_not() {
        let strangers = fair::Bounds { each: 9, total: 9 };
        let lobby = Lobby::new(Bounds { strangers, per_user: 9 }, Shares::default());
        let peers = [Peer::default(), Peer::default()];
        for peer in &peers {
            lobby.enter(Principal::address(None), peer);
        }
        peers[0].known(&Principal::user("mina"));
        let mut waiting = Fair::new(9, |whose: &Principal| whose.links(9));
        assert_eq!(lobby.give_a_file(&mut waiting), Some(Gave::Soon));
        assert_eq!(peers.each_ref().map(Peer::is_evicted), [false, true]);
        assert_eq!(lobby.give_a_file(&mut waiting), None, "nobody is left who could");
        for link in 0..2 {
            waiting.push(Principal::address(None), link);
        }
        assert_eq!(lobby.give_a_file(&mut waiting), Some(Gave::Now));
        assert_eq!(lobby.give_a_file(&mut waiting), None, "a link that waits alone has its turn");
    }
}
