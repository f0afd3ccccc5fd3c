//! Whether the log can be written: what one place finds out, every other knows.

use std::{
    io,
    sync::{Mutex, OnceLock, PoisonError},
};

use tidings_server_core::store::StoreError;

use super::folder::Files;

/// What stands in the way of writing, if anything does.
#[derive(Debug)]
pub(super) struct Condition {
    files: Files,
    /// Why nothing may be written any more. After a failed fsync the kernel may have dropped the pages it could not write, so a second one
    /// that succeeds proves nothing: only a restart, which reads the log again, goes on.
    failed: OnceLock<String>,
    /// The disk was full at the last write.
    full: Mutex<Option<String>>,
    /// The proof file could not be written the last time.
    unproven: Mutex<Option<String>>,
}

impl Condition {
    pub(super) fn new(files: Files) -> Self {
        let (full, unproven) = (Mutex::new(None), Mutex::new(None));
        Self { files, failed: OnceLock::new(), full, unproven }
    }

    /// Nothing is written any more.
    pub(super) fn fail(&self, why: &str) {
        if self.failed.set(why.to_owned()).is_ok() {
            tracing::error!(why, "the log stopped writing: repair the cause, then restart");
        }
    }

    /// The disk had no room, or has some again.
    pub(super) fn filled(&self, why: Option<String>) {
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        match (&why, &*full) {
            (Some(why), None) => {
                tracing::error!(%why, "the disk is full: nothing is stored until it has room")
            }
            (None, Some(_)) => tracing::info!("the disk has room again"),
            _ => {}
        }
        *full = why;
    }

    /// The proof file was written, or could not be.
    pub(super) fn proved(&self, result: io::Result<()>) {
        let why = result.err().map(|error| error.to_string());
        let mut unproven = self.unproven.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(why), None) = (&why, &*unproven) {
            tracing::error!(%why, "the proof file can't be written: nothing is stored until it can");
        }
        *unproven = why;
    }

    pub(super) fn is_full(&self) -> bool {
        self.full.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Whether a commit may be tried: a full disk is found out by trying.
    pub(super) fn may_write(&self) -> Result<(), StoreError> {
        self.sound()?;
        self.proven()
    }

    /// Whether what is written stays: looks at the files. A look costs microseconds, a commit's sync milliseconds.
    pub(super) fn look(&self) -> Result<(), StoreError> {
        if let Some(why) = self.files.missing() {
            self.fail(&why);
        }
        self.sound()
    }

    /// What was found so far; never waits.
    pub(super) fn health(&self) -> Result<(), StoreError> {
        self.may_write()?;
        match &*self.full.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(why) => Err(StoreError::Unavailable(format!("the disk is full: {why}"))),
            None => Ok(()),
        }
    }

    fn sound(&self) -> Result<(), StoreError> {
        match self.failed.get() {
            Some(why) => Err(StoreError::Unavailable(format!("the log stopped writing: {why}"))),
            None => Ok(()),
        }
    }

    fn proven(&self) -> Result<(), StoreError> {
        match &*self.unproven.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(why) => {
                let why = format!("the proof file can't be written: {why}");
                Err(StoreError::Unavailable(why))
            }
            None => Ok(()),
        }
    }
}
