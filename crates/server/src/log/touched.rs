//! Which channels may hold too much by now.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use tidings_protocol::Channel;
use tidings_server_core::store::{Retention, StoreError, Written};

/// Channels remembered to have been written to.
const REMEMBERED: usize = 100_000;

/// Where a look at all channels is: once after each start, because nobody knows what was written before it, and when more is to go than
/// before.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// What it looks for.
    retention: Option<Retention>,
    /// Id of the last channel looked at.
    after: Option<i64>,
}

impl Round {
    /// Where to go on; `None`: all were looked at.
    pub(super) fn after(&mut self, touched: &Touched, retention: &Retention) -> Option<i64> {
        if self.retention.as_ref() != Some(retention) || touched.overflown() {
            self.retention = Some(retention.clone());
            self.after = Some(0);
        }
        self.after
    }

    /// Everything up to here was looked at; `None`: everything.
    pub(super) fn goes_on(&mut self, after: Option<i64>) {
        self.after = after;
    }
}

/// Channels that were written to since they were looked at: only they can hold too much.
#[derive(Debug, Default)]
pub(super) struct Touched(Mutex<Names>);

#[derive(Debug, Default)]
struct Names {
    channels: BTreeSet<Channel>,
    /// More than are remembered: all are to be looked at.
    overflown: bool,
}

impl Touched {
    /// These were committed.
    pub(super) fn note(&self, answers: &[Result<Written, StoreError>]) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for answer in answers {
            let Ok(Written::Records { records, .. }) = answer else { continue };
            for record in records {
                if names.channels.len() >= REMEMBERED {
                    names.overflown = true;
                    return;
                }
                if !names.channels.contains(&record.channel) {
                    names.channels.insert(record.channel.clone());
                }
            }
        }
    }

    /// Some of them, which are to be looked at now.
    pub(super) fn some(&self, most: usize) -> Vec<Channel> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let some: Vec<_> = names.channels.iter().take(most).cloned().collect();
        for channel in &some {
            names.channels.remove(channel);
        }
        some
    }

    /// There is more to do in this one.
    pub(super) fn again(&self, channel: Channel) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.channels.insert(channel);
    }

    /// What was taken was not looked at after all: then all are to be.
    pub(super) fn lost(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).overflown = true;
    }

    /// All are to be looked at; told once.
    fn overflown(&self) -> bool {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut names.overflown)
    }

    /// Nothing was written.
    pub(super) fn is_empty(&self) -> bool {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.channels.is_empty() && !names.overflown
    }
}
