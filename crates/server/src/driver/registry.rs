//! The table of connections: limits, replacement by instance, revocation, drain.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tidings_protocol::ErrorCode;
use tidings_server_core::{
    Principal, Refused,
    crowd::{Crowd, Leaver},
    fair::{self, Full},
    session_id,
    store::{Revocation, Subject},
};
use tokio::sync::Notify;

use super::connection_handle::{ConnectionHandle, Notice};
use crate::shares::{Bound, Shares};

/// Retry time if the server is full, in milliseconds.
const FULL_RETRY_MS: u64 = 5_000;

/// Bounds on connections.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections of one user.
    pub per_user: usize,
    /// Connections of all users.
    pub total: usize,
    /// Unauthenticated connections: of one address, and in all. The longest silent one makes room.
    pub strangers: fair::Bounds,
}

/// A connection that asks to be admitted.
#[derive(Debug)]
pub struct Arrival {
    /// Its number on this node, from [`Registry::number`].
    pub number: u64,
    /// The user.
    pub user: String,
    /// Session id.
    pub session: String,
    /// The page's random name.
    pub instance: Option<String>,
    /// When the credential was issued, in milliseconds since 1970.
    pub issued_at: u64,
}

/// The table of connections.
#[derive(Debug)]
pub struct Registry {
    bounds: Bounds,
    book: Mutex<Book>,
    shares: Shares,
    /// Notified when the last connection closes during a drain.
    empty: Notify,
}

#[derive(Debug)]
struct Book {
    users: HashMap<Box<str>, Vec<Entry>>,
    /// Connections that are not admitted yet.
    strangers: Crowd<Principal>,
    /// The handles of these connections, by which they are told to close; `None` until they have
    /// one.
    handles: HashMap<u64, Option<Arc<ConnectionHandle>>>,
    /// The number of admitted connections.
    members: usize,
    /// The number of all connections, including those about to end.
    open: usize,
    next: u64,
    /// Set once: new connections are refused.
    draining: bool,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    session: Box<str>,
    instance: Option<Box<str>>,
    issued_at: u64,
    handle: Arc<ConnectionHandle>,
}

/// A connection's permit: unauthenticated at first, a member once admitted. Given back when
/// dropped.
#[derive(Debug)]
pub struct ConnectionPermit {
    registry: Arc<Registry>,
    transport: &'static str,
    number: u64,
    is_member: bool,
}

/// A user's connection in the registry. Removed when dropped.
#[derive(Debug)]
pub struct ConnectionLease {
    registry: Arc<Registry>,
    user: Box<str>,
    number: u64,
}

impl Registry {
    /// An empty table. Full shares are reported to `shares`.
    #[must_use]
    pub fn new(bounds: Bounds, shares: Shares) -> Self {
        let book = Book {
            users: HashMap::new(),
            strangers: Crowd::new(bounds.strangers),
            handles: HashMap::new(),
            members: 0,
            open: 0,
            next: 0,
            draining: false,
        };
        Self { bounds, book: Mutex::new(book), shares, empty: Notify::new() }
    }

    /// Registers a connection of which only transport and address are known. It does not count for
    /// any user yet.
    ///
    /// # Errors
    /// `restart` if the server is draining.
    pub fn enter(
        self: &Arc<Self>,
        transport: &'static str,
        address: Option<IpAddr>,
    ) -> Result<ConnectionPermit, Refused> {
        let mut book = self.lock();
        if book.draining {
            return Err(ErrorCode::Restart.into());
        }
        book.open += 1;
        book.next += 1;
        let number = book.next;
        let leaver = book.strangers.enter(number, Principal::address(address));
        book.handles.insert(number, None);
        // Without a handle, the connection notices as soon as it has one, because it is no longer
        // in the table.
        let handle =
            leaver.as_ref().and_then(|leaver| book.handles.remove(&leaver.number)).flatten();
        drop(book);
        if let Some(Leaver { key, full, .. }) = leaver {
            self.shares.hit(Bound::Strangers, full, &key);
        }
        if let Some(handle) = handle {
            handle.notify(Notice::NoRoom);
        }
        metrics::gauge!("tidings_connections", "transport" => transport).increment(1.0);
        metrics::counter!("tidings_opened_total", "transport" => transport).increment(1);
        Ok(ConnectionPermit { registry: Arc::clone(self), transport, number, is_member: false })
    }

    /// A number for a connection, unique on this node.
    pub fn number(&self) -> u64 {
        let mut book = self.lock();
        book.next += 1;
        book.next
    }

    /// Admits a connection, and ends an older one of the same instance in the same step.
    ///
    /// # Errors
    /// `connections` if the user has too many, `busy` if all users together have, `restart` if the
    /// server is draining.
    pub fn admit(
        self: &Arc<Self>,
        arrival: Arrival,
        handle: &Arc<ConnectionHandle>,
        permit: Option<&mut ConnectionPermit>,
    ) -> Result<ConnectionLease, Refused> {
        let mut book = self.lock();
        if book.draining {
            return Err(ErrorCode::Restart.into());
        }
        let number = arrival.number;
        let user: Box<str> = arrival.user.into();
        let instance = arrival.instance.map(String::into_boxed_str);
        let of_user = book.users.get(&user).map_or(&[][..], Vec::as_slice);
        let is_same = |entry: &Entry| instance.is_some() && entry.instance == instance;
        let older = of_user.iter().position(is_same);
        // A connection that replaces an older one needs no further room, because the older one is
        // about to end.
        let permit = permit.filter(|permit| !permit.is_member);
        if permit.is_some() && older.is_none() && book.members >= self.bounds.total {
            drop(book);
            self.shares.hit(Bound::Connections, Full::All, &Principal::user(&user));
            return Err(Refused {
                retry_after_ms: Some(FULL_RETRY_MS),
                ..Refused::new(ErrorCode::Busy, "the server has all connections it may have")
            });
        }
        let here = of_user.len() - usize::from(older.is_some());
        if here >= self.bounds.per_user {
            return Err(Refused::new(
                ErrorCode::Connections,
                format!(
                    "this user has {here} connections, which is `limits.connections_per_user`: close others, or raise it."
                ),
            ));
        }
        if let Some(permit) = permit {
            book.leave(permit.number);
            book.members += 1;
            permit.is_member = true;
        }
        let entries = book.users.entry(user.clone()).or_default();
        if let Some(older) = older {
            entries.swap_remove(older).handle.notify(Notice::Replaced);
        }
        // Most users have one connection: `Vec` would first reserve room for four.
        entries.reserve_exact(1);
        entries.push(Entry {
            number,
            session: arrival.session.into(),
            instance,
            issued_at: arrival.issued_at,
            handle: Arc::clone(handle),
        });
        Ok(ConnectionLease { registry: Arc::clone(self), user, number })
    }

    /// The connection has another credential: later revocations apply to that one.
    pub fn renew(&self, lease: &ConnectionLease, session: &str, issued_at: u64) {
        let mut book = self.lock();
        let mut entries = book.users.get_mut(&lease.user).into_iter().flatten();
        if let Some(entry) = entries.find(|entry| entry.number == lease.number) {
            entry.session = session.into();
            entry.issued_at = issued_at;
        }
    }

    /// Ends the older connection of a page that connected to another node. Returns whether it is
    /// here.
    pub fn replace(&self, number: u64) -> bool {
        self.notify(number, || Notice::Replaced)
    }

    /// Ends a connection that can't be counted any more; its client may reconnect here or
    /// elsewhere. Returns whether it is here.
    pub fn end(&self, number: u64) -> bool {
        self.notify(number, || Notice::Stopping)
    }

    fn notify(&self, number: u64, notice: impl Fn() -> Notice) -> bool {
        let book = self.lock();
        let hit = book.users.values().flatten().find(|entry| entry.number == number);
        if let Some(entry) = hit {
            entry.handle.notify(notice());
        }
        hit.is_some()
    }

    /// All admitted connections: user, number and instance.
    #[must_use]
    pub fn everybody(&self) -> Vec<(String, u64, Option<String>)> {
        let book = self.lock();
        let all = book.users.iter().flat_map(|(user, entries)| {
            entries.iter().map(|entry| {
                (String::from(&**user), entry.number, entry.instance.as_deref().map(str::to_owned))
            })
        });
        all.collect()
    }

    /// Ends the connections that a revocation hits. It names a user, a session or a family of
    /// sessions: of a user, connections with older credentials end; of a session, all end, whatever
    /// the clocks say.
    pub fn revoke(&self, revocation: &Revocation) {
        let book = self.lock();
        let older = |entry: &&Entry| entry.issued_at < revocation.at;
        let end = |entry: &Entry| entry.handle.notify(Notice::Revoked);
        let everybody = || book.users.values().flatten();
        match &revocation.subject {
            Subject::User(user) => {
                book.users.get(user.as_str()).into_iter().flatten().filter(older).for_each(end);
            }
            Subject::Session(session) => {
                let is_of = |entry: &&Entry| session_id::is_ended_by(&entry.session, session);
                everybody().filter(is_of).for_each(end)
            }
            // Already replaced by the family of its sessions.
            Subject::Jti(_) => {}
        }
    }

    /// Refuses new connections, and tells all clients to reconnect elsewhere within the window.
    pub fn drain(&self, within_ms: u64) {
        let mut book = self.lock();
        book.draining = true;
        for entry in book.users.values().flatten() {
            entry.handle.notify(Notice::Draining { within_ms });
        }
    }

    /// Ends all remaining connections.
    pub fn stop(&self) {
        let mut book = self.lock();
        book.draining = true;
        for entry in book.users.values().flatten() {
            entry.handle.notify(Notice::Stopping);
        }
    }

    /// Whether new connections are refused.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.lock().draining
    }

    /// Waits until all connections are closed. Call it after [`Registry::drain`].
    pub async fn emptied(&self) {
        while self.open() > 0 {
            self.empty.notified().await;
        }
    }

    /// The number of open connections.
    #[must_use]
    pub fn open(&self) -> usize {
        self.lock().open
    }

    /// The table is consistent between statements, so a panic elsewhere does no harm.
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionLease {
    /// The connection's number on this node.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The user.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }
}

impl Book {
    fn leave(&mut self, number: u64) {
        self.strangers.leave(number);
        self.handles.remove(&number);
    }
}

impl ConnectionPermit {
    /// Sets the handle by which the connection is told to make room. If it already has to, it is
    /// told now.
    pub fn attach(&self, handle: &Arc<ConnectionHandle>) {
        let mut book = self.registry.lock();
        match book.handles.get_mut(&self.number) {
            Some(of_place) => *of_place = Some(Arc::clone(handle)),
            None if self.is_member => {}
            None => handle.notify(Notice::NoRoom),
        }
    }

    /// The connection sent a credential: others have been silent longer.
    pub fn spoke(&self) {
        self.registry.lock().strangers.spoke(self.number);
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut book = self.registry.lock();
        book.open -= 1;
        match self.is_member {
            true => book.members -= 1,
            false => book.leave(self.number),
        }
        metrics::gauge!("tidings_connections", "transport" => self.transport).decrement(1.0);
        if book.open == 0 && book.draining {
            self.registry.empty.notify_one();
        }
    }
}

impl Drop for ConnectionLease {
    fn drop(&mut self) {
        let mut book = self.registry.lock();
        if let Some(entries) = book.users.get_mut(&self.user) {
            entries.retain(|entry| entry.number != self.number);
            if entries.is_empty() {
                book.users.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(total: usize, strangers: usize) -> Arc<Registry> {
        let strangers = fair::Bounds { each: strangers, total: strangers };
        let bounds = Bounds { per_user: 9, total, strangers };
        Arc::new(Registry::new(bounds, Shares::default()))
    }

    fn enter(registry: &Arc<Registry>) -> (ConnectionPermit, Arc<ConnectionHandle>) {
        let permit = registry.enter("ws", None).unwrap();
        let handle = Arc::new(ConnectionHandle::new(1_000));
        permit.attach(&handle);
        (permit, handle)
    }

    fn count_in(
        registry: &Arc<Registry>,
        (permit, handle): &mut (ConnectionPermit, Arc<ConnectionHandle>),
    ) -> Result<ConnectionLease, Refused> {
        let (user, session) = ("mina".to_owned(), "s".to_owned());
        let number = registry.number();
        let arrival = Arrival { number, user, session, instance: None, issued_at: 1 };
        registry.admit(arrival, handle, Some(permit))
    }

    fn has_to_go(handle: &ConnectionHandle) -> bool {
        handle.take_notices().iter().any(|notice| matches!(notice, Notice::NoRoom))
    }

    #[test]
    fn strangers_take_no_place_of_a_member() {
        let registry = registry(2, 3);
        let strangers: Vec<_> = (0..5).map(|_| enter(&registry)).collect();
        let gone: Vec<_> = strangers.iter().map(|(_, handle)| has_to_go(handle)).collect();
        assert_eq!(gone, [true, true, false, false, false]);
        let mut members = [enter(&registry), enter(&registry)];
        let leases: Vec<_> =
            members.iter_mut().map(|member| count_in(&registry, member).unwrap()).collect();
        let mut third = enter(&registry);
        assert_eq!(count_in(&registry, &mut third).unwrap_err().code, ErrorCode::Busy);
        drop(leases);
        drop(members);
        count_in(&registry, &mut third).unwrap();
        assert!(!has_to_go(&third.1));
        drop((strangers, third));
        let book = registry.lock();
        assert_eq!(
            (book.open, book.members, book.strangers.len(), book.handles.len()),
            (0, 0, 0, 0)
        );
    }

    #[test]
    fn who_has_to_go_before_it_can_be_told_is_told_then() {
        let registry = registry(9, 1);
        let first = registry.enter("ws", None).unwrap();
        let _second = registry.enter("ws", None).unwrap();
        let handle = Arc::new(ConnectionHandle::new(1_000));
        first.attach(&handle);
        assert!(has_to_go(&handle));
    }

    #[test]
    fn who_has_said_something_stays_longer() {
        let registry = registry(9, 2);
        let (first, second) = (enter(&registry), enter(&registry));
        first.0.spoke();
        let _third = enter(&registry);
        assert_eq!((has_to_go(&first.1), has_to_go(&second.1)), (false, true));
    }

    fn admitted(
        registry: &Arc<Registry>,
        session: &str,
        issued_at: u64,
    ) -> (Arc<ConnectionHandle>, ConnectionLease) {
        let handle = Arc::new(ConnectionHandle::new(1_000));
        let (user, session) = ("mina".to_owned(), session.to_owned());
        let number = registry.number();
        let arrival = Arrival { number, user, session, instance: None, issued_at };
        let lease = registry.admit(arrival, &handle, None);
        (handle, lease.unwrap())
    }

    fn ended(handle: &ConnectionHandle) -> bool {
        handle.take_notices().iter().any(|notice| matches!(notice, Notice::Revoked))
    }

    #[test]
    fn a_user_loses_what_was_issued_before_and_a_session_ends_whatever_the_clocks_say() {
        let registry = registry(9, 9);
        let (older, _older) = admitted(&registry, "s1", 99);
        let (newer, _newer) = admitted(&registry, "s2", 100);
        let at = |subject| Revocation { subject, at: 100, until: 1_000 };
        registry.revoke(&at(Subject::User("mina".into())));
        assert_eq!((ended(&older), ended(&newer)), (true, false));
        registry.revoke(&at(Subject::User("tom".into())));
        registry.revoke(&at(Subject::Session("s2".into())));
        assert_eq!((ended(&older), ended(&newer)), (false, true));
    }

    #[test]
    fn a_connection_that_was_renewed_is_hit_by_its_new_session_and_no_longer_by_the_old() {
        let registry = registry(9, 9);
        let (handle, lease) = admitted(&registry, "s1", 99);
        registry.renew(&lease, "s2", 120);
        let session = |name: &str| Subject::Session(name.into());
        for (subject, hit) in
            [(Subject::User("mina".into()), false), (session("s1"), false), (session("s2"), true)]
        {
            registry.revoke(&Revocation { subject: subject.clone(), at: 110, until: 1_000 });
            assert_eq!(ended(&handle), hit, "{subject:?}");
        }
    }
}
