//! Who is connected: limits, replacement by instance, revocation, drain.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tidings_protocol::ErrorCode;
use tidings_server_core::{
    Refused, session_id,
    store::{Revocation, Subject},
};
use tokio::sync::Notify;

use super::line::{Line, Notice};

/// Bounds on connections.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of one user.
    pub per_user: usize,
    /// In all, those that have not said who they are included.
    pub total: usize,
}

/// A connection that wants to be counted in.
#[derive(Debug)]
pub struct Arrival {
    /// Its name on this node, from [`Registry::number`].
    pub number: u64,
    /// Whose.
    pub user: String,
    /// Session id.
    pub session: String,
    /// The page's random name.
    pub instance: Option<String>,
    /// When the credential was issued, in milliseconds since 1970.
    pub issued_at: u64,
}

/// The book of connections.
#[derive(Debug)]
pub struct Registry {
    bounds: Bounds,
    book: Mutex<Book>,
    /// Rings when the last socket goes while draining.
    empty: Notify,
}

#[derive(Debug, Default)]
struct Book {
    users: HashMap<Box<str>, Vec<Entry>>,
    /// Open sockets that are not counted in yet, and those that are.
    open: usize,
    next: u64,
    /// Set once: nobody comes in any more.
    draining: bool,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    session: Box<str>,
    instance: Option<Box<str>>,
    issued_at: u64,
    line: Arc<Line>,
}

/// A place in the total; given back when dropped.
#[derive(Debug)]
pub struct Place {
    registry: Arc<Registry>,
    transport: &'static str,
}

/// A user's place; given back when dropped.
#[derive(Debug)]
pub struct Seat {
    registry: Arc<Registry>,
    user: Box<str>,
    number: u64,
}

impl Registry {
    /// An empty book.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, book: Mutex::default(), empty: Notify::new() }
    }

    /// Takes a place for a connection, before anything is known of it but its transport.
    ///
    /// # Errors
    /// `connections` when the server is full, `restart` when it is going away.
    pub fn enter(self: &Arc<Self>, transport: &'static str) -> Result<Place, Refused> {
        let mut book = self.lock();
        if book.draining {
            return Err(ErrorCode::Restart.into());
        }
        if book.open >= self.bounds.total {
            return Err(Refused::new(ErrorCode::Connections, "the server is full"));
        }
        book.open += 1;
        metrics::gauge!("tidings_connections", "transport" => transport).increment(1.0);
        metrics::counter!("tidings_opened_total", "transport" => transport).increment(1);
        Ok(Place { registry: Arc::clone(self), transport })
    }

    /// A name for a connection, which no other of this node has or had.
    pub fn number(&self) -> u64 {
        let mut book = self.lock();
        book.next += 1;
        book.next
    }

    /// Counts a connection in, in one step with ending an older one of the same instance.
    ///
    /// # Errors
    /// `connections` when the user has too many, `restart` when the server is going away.
    pub fn admit(self: &Arc<Self>, arrival: Arrival, line: &Arc<Line>) -> Result<Seat, Refused> {
        let mut book = self.lock();
        if book.draining {
            return Err(ErrorCode::Restart.into());
        }
        let number = arrival.number;
        let user: Box<str> = arrival.user.into();
        let entries = book.users.entry(user.clone()).or_default();
        let instance = arrival.instance.map(String::into_boxed_str);
        if instance.is_some()
            && let Some(older) = entries.iter().position(|entry| entry.instance == instance)
        {
            entries.swap_remove(older).line.notify(Notice::Replaced);
        }
        if entries.len() >= self.bounds.per_user {
            return Err(Refused::new(
                ErrorCode::Connections,
                format!(
                    "this user has {} connections, which is `limits.connections_per_user`: close others, or raise it.",
                    entries.len()
                ),
            ));
        }
        // Most users have one: a Vec's first growth would make room for four.
        entries.reserve_exact(1);
        entries.push(Entry {
            number,
            session: arrival.session.into(),
            instance,
            issued_at: arrival.issued_at,
            line: Arc::clone(line),
        });
        Ok(Seat { registry: Arc::clone(self), user, number })
    }

    /// A connection goes on under another credential: revocations hit it by that from now on.
    pub fn renew(&self, seat: &Seat, session: &str, issued_at: u64) {
        let mut book = self.lock();
        let mut entries = book.users.get_mut(&seat.user).into_iter().flatten();
        if let Some(entry) = entries.find(|entry| entry.number == seat.number) {
            entry.session = session.into();
            entry.issued_at = issued_at;
        }
    }

    /// A page connected to another node: its older connection here ends. Answers whether it is here.
    pub fn replace(&self, number: u64) -> bool {
        self.tell(number, || Notice::Replaced)
    }

    /// A connection can't be counted any more: it ends, and may try elsewhere or again. Answers whether it is here.
    pub fn end(&self, number: u64) -> bool {
        self.tell(number, || Notice::Stopping)
    }

    fn tell(&self, number: u64, notice: impl Fn() -> Notice) -> bool {
        let book = self.lock();
        let hit = book.users.values().flatten().find(|entry| entry.number == number);
        if let Some(entry) = hit {
            entry.line.notify(notice());
        }
        hit.is_some()
    }

    /// Everybody who is counted in: user, number and instance.
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

    /// Ends the connections a revocation hits, which names a user, a session or a family of
    /// sessions: of a user those with older credentials, of a session all, whatever the clocks say.
    pub fn revoke(&self, revocation: &Revocation) {
        let book = self.lock();
        let older = |entry: &&Entry| entry.issued_at < revocation.at;
        let end = |entry: &Entry| entry.line.notify(Notice::Revoked);
        let everybody = || book.users.values().flatten();
        match &revocation.subject {
            Subject::User(user) => {
                book.users.get(user.as_str()).into_iter().flatten().filter(older).for_each(end);
            }
            Subject::Session(session) => {
                let is_of = |entry: &&Entry| session_id::is_ended_by(&entry.session, session);
                everybody().filter(is_of).for_each(end)
            }
            // Named by the family of its sessions before it comes here.
            Subject::Jti(_) => {}
        }
    }

    /// Lets nobody in any more and tells everybody to reconnect elsewhere within the window.
    pub fn drain(&self, within_ms: u64) {
        let mut book = self.lock();
        book.draining = true;
        for entry in book.users.values().flatten() {
            entry.line.notify(Notice::Draining { within_ms });
        }
    }

    /// Ends everybody who is still here.
    pub fn stop(&self) {
        let mut book = self.lock();
        book.draining = true;
        for entry in book.users.values().flatten() {
            entry.line.notify(Notice::Stopping);
        }
    }

    /// Nobody comes in any more.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.lock().draining
    }

    /// Waits until no socket is open. Call it after [`Registry::drain`].
    pub async fn emptied(&self) {
        while self.open() > 0 {
            self.empty.notified().await;
        }
    }

    /// Open sockets.
    #[must_use]
    pub fn open(&self) -> usize {
        self.lock().open
    }

    /// The book is consistent between statements, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// The connection's name on this node.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Whose it is.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut book = self.registry.lock();
        book.open -= 1;
        metrics::gauge!("tidings_connections", "transport" => self.transport).decrement(1.0);
        if book.open == 0 && book.draining {
            self.registry.empty.notify_one();
        }
    }
}

impl Drop for Seat {
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

    fn admitted(registry: &Arc<Registry>, session: &str, issued_at: u64) -> (Arc<Line>, Seat) {
        let line = Arc::new(Line::new(1_000));
        let (user, session) = ("mina".to_owned(), session.to_owned());
        let number = registry.number();
        let arrival = Arrival { number, user, session, instance: None, issued_at };
        let seat = registry.admit(arrival, &line);
        (line, seat.unwrap())
    }

    fn ended(line: &Line) -> bool {
        line.take_notices().iter().any(|notice| matches!(notice, Notice::Revoked))
    }

    #[test]
    fn a_user_loses_what_was_issued_before_and_a_session_ends_whatever_the_clocks_say() {
        let registry = Arc::new(Registry::new(Bounds { per_user: 9, total: 9 }));
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
        let registry = Arc::new(Registry::new(Bounds { per_user: 9, total: 9 }));
        let (line, seat) = admitted(&registry, "s1", 99);
        registry.renew(&seat, "s2", 120);
        let session = |name: &str| Subject::Session(name.into());
        for (subject, hit) in
            [(Subject::User("mina".into()), false), (session("s1"), false), (session("s2"), true)]
        {
            registry.revoke(&Revocation { subject: subject.clone(), at: 110, until: 1_000 });
            assert_eq!(ended(&line), hit, "{subject:?}");
        }
    }
}
