//! A browser profile's storage and locks, which its tabs share, and their state after a crash of a
//! tab or of the whole browser.
//!
//! Plays IndexedDB and Web Locks as `npm/src/storage.ts` and `npm/src/lazy/lanes.ts` use them.
//! Caches are written without waiting for the disk, rows of the outbox wait for it, and a page's
//! locks end with the page.

use std::collections::{BTreeMap, BTreeSet};

use tidings_client_core::{Change, Lane};
use tidings_protocol::Epoch;

use crate::observation::Page;

/// Most writes that the disk may be behind: the operating system writes by itself sooner or later.
const UNSYNCED: usize = 8;

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// (epoch, offset) of the inbox and of `system:all`; a room has the same pair twice.
    pub cursors: [(Epoch, u64); 2],
    /// The saved text.
    pub text: String,
}

/// A write that a page asks for.
#[derive(Clone, Debug)]
pub struct Save {
    /// A user, or a user, tab and channel.
    pub key: String,
    /// The value.
    pub saved: Saved,
    /// Epochs that the page has left.
    pub over: Vec<Epoch>,
    /// The run of the browser in which the page asked.
    pub life: u32,
}

/// The position of a row: user, lane and `seq`.
pub type RowKey = (String, String, u64);

/// The storage of one profile.
#[derive(Clone, Debug, Default)]
pub struct Storage {
    shelf: Shelf,
    /// The part that is on disk.
    synced: Shelf,
    /// Writes that are not on disk yet, in order.
    unsynced: Vec<(String, Option<Saved>)>,
    locks: BTreeMap<String, Page>,
    life: u32,
}

#[derive(Clone, Debug, Default)]
struct Shelf {
    caches: BTreeMap<String, Saved>,
    rows: BTreeMap<RowKey, String>,
}

impl Shelf {
    fn put(&mut self, key: &str, saved: Option<&Saved>) {
        match saved {
            Some(saved) => drop(self.caches.insert(key.to_owned(), saved.clone())),
            None => drop(self.caches.remove(key)),
        }
    }
}

impl Storage {
    /// The value of a key.
    #[must_use]
    pub fn load(&self, key: &str) -> Option<&Saved> {
        self.shelf.caches.get(key)
    }

    /// Saves in one transaction: over no value, over lower offsets of the same epochs, or over
    /// epochs that the page has left. Returns whether it was written.
    pub fn save(&mut self, save: &Save) -> bool {
        let may = self.load(&save.key).is_none_or(|held| {
            held.cursors.iter().zip(save.saved.cursors).all(|((epoch, offset), (new, to))| {
                save.over.contains(epoch) || (*epoch == new && *offset <= to)
            })
        });
        if may {
            self.write(&save.key, Some(save.saved.clone()));
        }
        may
    }

    /// Forgets a cache that can't be read.
    pub fn forget(&mut self, key: &str) {
        self.write(key, None);
    }

    /// Forgets a user's data.
    pub fn wipe(&mut self, user: &str) {
        let below = format!("{user}\t");
        self.shelf.caches.retain(|key, _| key != user && !key.starts_with(&below));
        self.shelf.rows.retain(|(owner, ..), _| owner != user);
        self.sync();
    }

    fn write(&mut self, key: &str, saved: Option<Saved>) {
        self.shelf.put(key, saved.as_ref());
        self.unsynced.push((key.to_owned(), saved));
        if self.unsynced.len() > UNSYNCED {
            let (key, saved) = self.unsynced.remove(0);
            self.synced.put(&key, saved.as_ref());
        }
    }

    fn sync(&mut self) {
        self.synced = self.shelf.clone();
        self.unsynced.clear();
    }

    /// Writes a page's changes of rows in one transaction; they are on disk when this returns.
    ///
    /// # Errors
    /// Another page holds the lock of a lane that is written to.
    pub fn persist(&mut self, page: Page, user: &str, changes: &[Change]) -> Result<(), String> {
        for change in changes {
            if let Change::Put { lane, .. } = change
                && !self.hold(page, lane)
            {
                return Err("another page holds this lane".to_owned());
            }
        }
        for change in changes {
            match change.clone() {
                Change::Put { lane, seq, text } => {
                    self.shelf.rows.insert((user.to_owned(), lane, seq), text);
                }
                Change::Drop { lane, seq } => {
                    self.shelf.rows.remove(&(user.to_owned(), lane, seq));
                }
            }
        }
        self.sync();
        Ok(())
    }

    /// Locks the lanes of a user that have rows and no holder for this page, and returns them.
    pub fn claim(&mut self, page: Page, user: &str) -> Vec<Lane> {
        let lanes: BTreeSet<String> = (self.shelf.rows.keys())
            .filter(|(owner, lane, _)| owner == user && !self.locks.contains_key(lane))
            .map(|(_, lane, _)| lane.clone())
            .collect();
        let claim = |name: String| {
            self.locks.insert(name.clone(), page);
            let rows = self.shelf.rows.iter();
            let rows = rows.filter(|((owner, lane, _), _)| owner == user && *lane == name);
            Lane { rows: rows.map(|((.., seq), text)| (*seq, text.clone())).collect(), name }
        };
        lanes.into_iter().map(claim).collect()
    }

    fn hold(&mut self, page: Page, lane: &str) -> bool {
        *self.locks.entry(lane.to_owned()).or_insert(page) == page
    }

    /// Releases a page's lock of a lane.
    pub fn release(&mut self, page: Page, lane: &str) {
        if self.holder(lane) == Some(page) {
            self.locks.remove(lane);
        }
    }

    /// The page that holds the lock of a lane.
    #[must_use]
    pub fn holder(&self, lane: &str) -> Option<Page> {
        self.locks.get(lane).copied()
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = (&RowKey, &str)> {
        self.shelf.rows.iter().map(|(index, text)| (index, text.as_str()))
    }

    /// A page ended: the browser releases its locks.
    pub fn died(&mut self, page: Page) {
        self.locks.retain(|_, holder| *holder != page);
    }

    /// Counts the runs of the browser: requests of an earlier run are not executed.
    #[must_use]
    pub const fn life(&self) -> u32 {
        self.life
    }

    /// Number of writes that are not on disk yet.
    #[must_use]
    pub const fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// The machine loses power: of the unsynced writes, the first `kept` are on disk.
    pub fn lose_power(&mut self, kept: usize) {
        for (key, saved) in self.unsynced.drain(..).take(kept) {
            self.synced.put(&key, saved.as_ref());
        }
        self.shelf = self.synced.clone();
        self.locks.clear();
        self.life += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Page = Page { device: 0, life: 0 };
    const TWO: Page = Page { device: 1, life: 0 };

    fn save(epoch: u64, offset: u64, over: &[u64]) -> Save {
        let cursor = (Epoch::from_bits(epoch), offset);
        let saved = Saved { cursors: [cursor, cursor], text: String::new() };
        let over = over.iter().map(|bits| Epoch::from_bits(*bits)).collect();
        Save { key: "mina".into(), saved, over, life: 0 }
    }

    fn put(lane: &str, seq: u64) -> Change {
        Change::Put { lane: lane.into(), seq, text: format!("{lane} {seq}") }
    }

    fn seqs(lanes: &[Lane]) -> Vec<(&str, Vec<u64>)> {
        let seqs = |lane: &Lane| lane.rows.iter().map(|(seq, _)| *seq).collect();
        lanes.iter().map(|lane| (lane.name.as_str(), seqs(lane))).collect()
    }

    #[test]
    fn a_slower_tab_does_not_turn_the_cache_back() {
        let mut storage = Storage::default();
        assert!(storage.save(&save(1, 5, &[])));
        assert!(!storage.save(&save(1, 4, &[])));
        assert!(storage.save(&save(1, 6, &[])));
        assert!(!storage.save(&save(2, 9, &[])), "an epoch that nobody left");
        assert!(storage.save(&save(2, 1, &[1])));
    }

    #[test]
    fn a_lane_is_claimed_once_its_page_is_dead() {
        let mut storage = Storage::default();
        storage.persist(ONE, "mina", &[put("a", 2), put("a", 10)]).unwrap();
        assert_eq!(storage.claim(TWO, "mina"), []);
        storage.persist(TWO, "mina", &[put("a", 3)]).unwrap_err();
        storage.died(ONE);
        assert_eq!(storage.claim(TWO, "tom"), []);
        assert_eq!(seqs(&storage.claim(TWO, "mina")), [("a", vec![2, 10])]);
        storage.persist(TWO, "mina", &[Change::Drop { lane: "a".into(), seq: 2 }]).unwrap();
        storage.release(TWO, "a");
        assert_eq!(seqs(&storage.claim(ONE, "mina")), [("a", vec![10])]);
    }

    #[test]
    fn a_cut_of_power_takes_caches_that_were_not_synced_and_no_rows() {
        let mut storage = Storage::default();
        storage.save(&save(1, 1, &[]));
        storage.persist(ONE, "mina", &[put("a", 1)]).unwrap();
        storage.save(&save(1, 2, &[]));
        storage.save(&save(1, 3, &[]));
        storage.lose_power(1);
        assert_eq!(storage.load("mina").unwrap().cursors[0].1, 2);
        assert_eq!(storage.rows().count(), 1);
        assert_eq!(storage.holder("a"), None);
    }
}
