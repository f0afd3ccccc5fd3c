//! One lane's file: a log of changes to its rows, one per line.
//!
//! ```text
//! {checksum} {"Put":[seq,"text"]} | {"Drop":seq} | {"Moved":["lane",seq]}
//! ```
//!
//! A torn or damaged line is skipped. The row it held is then a hole in the lane, which the server
//! reports and the core closes. When rows move, `Moved` is written to their new lane before they
//! leave the old one: after a crash in between, they are in exactly one of the two.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::names::checksum;

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Entry {
    Put(u64, String),
    Drop(u64),
    Moved(String, u64),
}

/// A lane whose lock this process holds.
pub(super) struct LaneFile {
    path: PathBuf,
    file: File,
    pub(super) rows: BTreeMap<u64, String>,
}

impl LaneFile {
    /// Locks a lane; creates its file if needed. `None`: another process holds the lock.
    pub(super) fn take(path: PathBuf) -> io::Result<Option<Self>> {
        let mut file =
            File::options().create(true).truncate(false).read(true).write(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut rows = BTreeMap::new();
        for entry in entries(&bytes) {
            match entry {
                Entry::Put(seq, text) => drop(rows.insert(seq, text)),
                Entry::Drop(seq) => drop(rows.remove(&seq)),
                Entry::Moved(..) => {}
            }
        }
        // A torn last line must not swallow the next one.
        if bytes.last().is_some_and(|last| *last != b'\n') {
            file.write_all(b"\n")?;
        }
        Ok(Some(Self { path, file, rows }))
    }

    /// Writes entries and waits until they are on disk.
    pub(super) fn write(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut text = String::new();
        for entry in entries {
            let json = serde_json::to_string(entry)?;
            let sum = checksum(json.as_bytes());
            text.push_str(&format!("{sum:016x} {json}\n"));
        }
        self.file.write_all(text.as_bytes())?;
        for entry in entries {
            match entry {
                Entry::Put(seq, text) => drop(self.rows.insert(*seq, text.clone())),
                Entry::Drop(seq) => drop(self.rows.remove(seq)),
                Entry::Moved(..) => {}
            }
        }
        if self.rows.is_empty() {
            // No entry is needed any more: empties the file, so that it does not grow without end.
            self.file.set_len(0)?;
            self.file.rewind()?;
        }
        self.file.sync_data()
    }

    /// Releases the lock; an empty file is deleted first.
    pub(super) fn release(self) -> io::Result<()> {
        if self.rows.is_empty() {
            fs::remove_file(&self.path)?;
        }
        self.file.unlock()
    }
}

/// Rows that moved from other lanes to this one, even if another process holds it.
pub(super) fn moved(path: &Path) -> io::Result<BTreeSet<(String, u64)>> {
    let bytes = fs::read(path)?;
    let moved = entries(&bytes).filter_map(|entry| match entry {
        Entry::Moved(lane, seq) => Some((lane, seq)),
        Entry::Put(..) | Entry::Drop(_) => None,
    });
    Ok(moved.collect())
}

fn entries(bytes: &[u8]) -> impl Iterator<Item = Entry> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| {
        let (sum, json) = str::from_utf8(line).ok()?.split_once(' ')?;
        let whole = u64::from_str_radix(sum, 16).ok()? == checksum(json.as_bytes());
        whole.then(|| serde_json::from_str(json).ok())?
    })
}
