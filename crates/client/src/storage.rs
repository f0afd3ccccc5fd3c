//! The cache: loaded when the user is named, saved shortly after each change; the first save is
//! immediate.
//!
//! The saved text is the `snapshot` message that the server could have sent, after one character
//! for the version. Loading uses the same code as a snapshot from the server.

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
/// Milliseconds that a connection waits for the cache. IndexedDB can hang; a snapshot from the
/// server costs more, but is certain.
const PATIENCE: u64 = 2_000;
/// Most epochs that are remembered as left: each stands for the loss of a log.
const LEFT_MAX: usize = 8;

/// State of the cache.
#[derive(Debug)]
pub(crate) struct Store {
    /// Whether storage exists and has not failed.
    usable: bool,
    /// A `Load` without an answer, and whether a connection waits for it.
    loading: Option<Loading>,
    /// Whether the fold changed since the last save.
    dirty: bool,
    /// Whether no data of the user is saved. The first save does not wait: the page may end a
    /// moment later, and a browser writes no more then.
    bare: bool,
    /// Epochs that this client left: a save may replace caches of them.
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

    /// Whether caches outlive a restart.
    pub(crate) fn usable(&self) -> bool {
        self.usable
    }

    /// Whether a connection should wait for the cache.
    pub(crate) fn awaited(&self) -> bool {
        self.loading.as_ref().is_some_and(|loading| loading.patient)
    }

    /// The user changed: forgets the state of the old user's cache.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.usable);
    }

    /// A new epoch replaces this one.
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
    /// Asks for the current user's cache. `patient`: it will be shown, and a connection waits for
    /// it.
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

    /// The cache was loaded.
    pub(crate) fn loaded(&mut self, user: &str, saved: Option<&str>) {
        let Some(snapshot) = self.cached(user, saved) else {
            if self.store.dirty {
                self.save_soon();
            }
            return;
        };
        if let Some(fold) = self.inbox.fold() {
            // It comes too late to be shown, but it names the epochs that a save may replace.
            for (log, old) in [(Log::Inbox, snapshot.epoch), (Log::System, snapshot.system.epoch)] {
                if old != fold.cursor(log).epoch {
                    self.store.leave(old);
                }
            }
        } else {
            self.inbox.start(&snapshot, self.config.keep);
        }
    }

    /// The loaded cache, if it was requested. Unreadable text counts as no cache: the server's data
    /// rebuilds it.
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

    /// Storage failed: goes on in memory.
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

    /// Storage took too long: the client connects without the cache. A late answer is still used as
    /// far as possible.
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

    /// Saves all changes since the last save.
    pub(crate) fn save(&mut self) {
        self.timers.cancel(Timer::Save);
        self.save_channels();
        self.save_inbox();
        // Requested after the save, so that it is executed after it.
        self.outbox.finish_shown();
    }

    /// Whether storage lacks shown data that will be saved.
    pub(crate) fn is_unsaved(&self) -> bool {
        self.store.usable && (self.store.dirty || self.has_unsaved_channels())
    }

    fn save_inbox(&mut self) {
        let (Some(user), Some(fold)) = (self.account.user(), self.inbox.fold()) else { return };
        if !self.store.usable || !self.store.dirty {
            return;
        }
        if !fold.is_even() {
            // The next record completes the state and brings the next save.
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
