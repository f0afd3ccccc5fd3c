//! Whether the log can be written. Each part of the store reports here, and all parts see it.

use std::{
    io,
    sync::{Mutex, OnceLock, PoisonError},
};

use tidings_server_core::store::StoreError;

use super::folder::Files;

/// The obstacles to writing.
#[derive(Debug)]
pub(super) struct Condition {
    files: Files,
    /// The reason why no write is possible any more. After a failed fsync the kernel may have
    /// dropped the pages that it could not write. A second fsync that succeeds proves nothing. Only
    /// a restart helps, which reads the log again.
    failed: OnceLock<String>,
    /// The disk was full at the last write.
    full: Mutex<Option<String>>,
    /// The last write of the proof file failed.
    unproven: Mutex<Option<String>>,
}

impl Condition {
    pub(super) fn new(files: Files) -> Self {
        let (full, unproven) = (Mutex::new(None), Mutex::new(None));
        Self { files, failed: OnceLock::new(), full, unproven }
    }

    /// Stops all writing for good.
    pub(super) fn fail(&self, why: &str) {
        if self.failed.set(why.to_owned()).is_ok() {
            tracing::error!(why, "the log stopped writing: repair the cause, then restart");
        }
    }

    /// The disk is full, or has room again.
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

    /// Notes the result of writing the proof file.
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

    /// Whether a commit may be tried. A full disk does not prevent it: only a try shows that there
    /// is room again.
    pub(super) fn may_write(&self) -> Result<(), StoreError> {
        self.sound()?;
        self.proven()
    }

    /// Whether written data stays: checks that the files are the same. A check costs microseconds,
    /// the sync of a commit milliseconds.
    pub(super) fn look(&self) -> Result<(), StoreError> {
        if let Some(why) = self.files.missing() {
            self.fail(&why);
        }
        self.sound()
    }

    /// The obstacles found so far. Never waits.
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
