//! The cache: loaded when a user is named, saved a moment after changes, and the first at once.
//!
//! What is saved is the `snapshot` message the server might have sent, behind one character for the version. Loading
//! goes through the same code as a snapshot from the server.

use tidings_protocol::{
    Decode, Encode, Epoch, ErrorCode,
    planted::{self, Planted},
    server::Snapshot,
};

use crate::{Command, Error, context::Context, inbox::Log, timers::Timer};

/// Version of the saved text.
pub(crate) const VERSION: char = '1';
/// Milliseconds between a change and the save: a burst of records is one write.
const DEBOUNCE: u64 = 250;
/// Milliseconds a connection waits for the cache. IndexedDB can hang; a snapshot from the server is dearer, but comes.
const PATIENCE: u64 = 2_000;
/// Most epochs remembered as left: each is the loss of a log.
const LEFT_MAX: usize = 8;

/// Where the cache stands.
#[derive(Debug)]
pub(crate) struct Store {
    /// Storage exists and has not failed.
    usable: bool,
    /// A `Load` that has no answer yet, and whether a connection waits for it.
    loading: Option<Loading>,
    /// The fold changed since the last save.
    dirty: bool,
    /// Nothing of the user is saved. The first save waits for nothing: the page may be gone a moment later, and in the moment of
    /// its end a browser writes no more.
    bare: bool,
    /// Epochs this client left: a save may replace what was saved under them.
    left: Vec<Epoch>,
}

#[derive(Debug)]
struct Loading {
    user: String,
    patient: bool,
}

impl Store {
    pub(crate) fn new(usable: bool) -> Self {
        Self { usable, loading: None, dirty: false, bare: false, left: Vec::new() }
    }

    /// Caches are kept over restarts.
    pub(crate) fn usable(&self) -> bool {
        self.usable
    }

    /// A connection should wait for the cache.
    pub(crate) fn awaited(&self) -> bool {
        self.loading.as_ref().is_some_and(|loading| loading.patient)
    }

    /// Another user: what was for the old one is forgotten.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.usable);
    }

    /// The log of this epoch is replaced.
    pub(crate) fn leave(&mut self, epoch: Epoch) {
        if !self.left.contains(&epoch) {
            self.left.push(epoch);
            if self.left.len() > LEFT_MAX {
                self.left.remove(0);
            }
        }
    }
}

impl Context {
    /// Asks for the current user's cache. `patient`: it is to be shown, and a connection waits for it.
    pub(crate) fn load(&mut self, patient: bool) {
        if let Some(user) = self.account.user().map(String::from)
            && self.store.usable
        {
            self.store.loading = Some(Loading { user: user.clone(), patient });
            if patient {
                self.set(Timer::Load, PATIENCE);
            }
            self.ask(Command::Load { user });
        }
    }

    /// The cache came.
    pub(crate) fn loaded(&mut self, user: &str, saved: Option<&str>) {
        let Some(snapshot) = self.cached(user, saved) else {
            if self.store.dirty {
                self.save_soon();
            }
            return;
        };
        if let Some(fold) = self.inbox.fold() {
            // Too late to show, but it tells which epochs were saved before those that the server just named.
            for (log, old) in [(Log::Inbox, snapshot.epoch), (Log::System, snapshot.system.epoch)] {
                if old != fold.cursor(log).epoch {
                    self.store.leave(old);
                }
            }
        } else {
            self.inbox.start(&snapshot, self.config.keep);
        }
    }

    /// The cache that came, if it was asked for. Unreadable text counts as none: it is rebuilt from the server.
    pub(crate) fn cached(&mut self, user: &str, saved: Option<&str>) -> Option<Snapshot> {
        if self.store.loading.as_ref().is_none_or(|loading| loading.user != user) {
            return None;
        }
        self.store.loading = None;
        self.timers.cancel(Timer::Load);
        self.store.bare = saved.is_none();
        let snapshot = saved.and_then(parse)?;
        (snapshot.channel.inbox_user() == Some(user)).then_some(snapshot)
    }

    /// Storage is gone: go on in memory.
    pub(crate) fn storage_failed(&mut self, reason: &str) {
        if self.store.usable {
            self.report(Error::new(ErrorCode::Storage, reason));
        }
        self.store.usable = false;
        self.store.loading = None;
        self.timers.cancel(Timer::Load);
        self.timers.cancel(Timer::Save);
        self.caches_overdue();
        self.forgo_lanes();
    }

    /// Storage took too long: connect without it. A late answer is still taken as far as it is useful.
    pub(crate) fn load_overdue(&mut self) {
        if let Some(loading) = &mut self.store.loading {
            loading.patient = false;
        }
    }

    /// The fold changed.
    pub(crate) fn save_soon(&mut self) {
        if self.store.usable {
            self.store.dirty = true;
            self.bring_forward(Timer::Save, if self.store.bare { 0 } else { DEBOUNCE });
        }
    }

    /// A channel changed.
    pub(crate) fn save_channels_soon(&mut self) {
        if self.store.usable {
            self.bring_forward(Timer::Save, DEBOUNCE);
        }
    }

    /// Saves what changed since the last time.
    pub(crate) fn save(&mut self) {
        self.timers.cancel(Timer::Save);
        self.save_channels();
        self.save_inbox();
        // Asked for after this, so that it is done after this.
        self.outbox.finish_shown();
    }

    /// Whether storage lacks something that is shown, and will get it.
    pub(crate) fn is_unsaved(&self) -> bool {
        self.store.usable && (self.store.dirty || self.has_unsaved_channels())
    }

    fn save_inbox(&mut self) {
        let (Some(user), Some(fold)) = (self.account.user(), self.inbox.fold()) else { return };
        if !self.store.usable || !self.store.dirty {
            return;
        }
        if !fold.is_even() {
            // The record that evens it out brings the next save.
            return;
        }
        let mut snapshot = fold.to_snapshot(self.config.keep as usize);
        let (user, cursors) = (String::from(user), fold.cursors());
        self.store.dirty = false;
        self.store.bare = false;
        if planted::on(Planted::CursorBeforeCache) && !snapshot.items.is_empty() {
            let newest = snapshot.items.remove(0);
            self.write(user.clone(), cursors, &snapshot);
            snapshot.items.insert(0, newest);
        }
        self.write(user, cursors, &snapshot);
    }

    fn write(&mut self, user: String, cursors: [(Epoch, u64); 2], snapshot: &Snapshot) {
        let mut text = String::from(VERSION);
        snapshot.encode(&mut text);
        self.ask(Command::Save { user, cursors, over: self.store.left.clone(), text });
    }
}

fn parse(saved: &str) -> Option<Snapshot> {
    Snapshot::from_json(saved.strip_prefix(VERSION)?).ok()
}
