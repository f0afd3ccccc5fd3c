//! Channels that may exceed retention by now.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use tidings_protocol::Channel;
use tidings_server_core::store::{Retention, StoreError, Written};

/// Most channels that are remembered as written to.
const REMEMBERED: usize = 100_000;

/// The progress of a pass over all channels. One pass follows each start, because the channels
/// written to before it are unknown. Another pass follows a change of retention, or more writes
/// than are remembered.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// The retention of this pass.
    retention: Option<Retention>,
    /// Id of the last channel that was checked.
    after: Option<i64>,
}

impl Round {
    /// The id after which the pass continues. `None`: all channels were checked.
    pub(super) fn after(&mut self, touched: &Touched, retention: &Retention) -> Option<i64> {
        if self.retention.as_ref() != Some(retention) || touched.overflown() {
            self.retention = Some(retention.clone());
            self.after = Some(0);
        }
        self.after
    }

    /// All channels up to this id were checked. `None`: the pass is complete.
    pub(super) fn goes_on(&mut self, after: Option<i64>) {
        self.after = after;
    }
}

/// Channels with new records since their last check. Only these can exceed retention.
#[derive(Debug, Default)]
pub(super) struct Touched(Mutex<Names>);

#[derive(Debug, Default)]
struct Names {
    channels: BTreeSet<Channel>,
    /// More channels than are remembered were written to: all must be checked.
    overflown: bool,
}

impl Touched {
    /// Adds the channels of committed records.
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

    /// Takes some of the channels, to check them now.
    pub(super) fn some(&self, most: usize) -> Vec<Channel> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let some: Vec<_> = names.channels.iter().take(most).cloned().collect();
        for channel in &some {
            names.channels.remove(channel);
        }
        some
    }

    /// Puts a channel back that needs another step.
    pub(super) fn again(&self, channel: Channel) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.channels.insert(channel);
    }

    /// A check failed after its channels were taken, so all channels must be checked.
    pub(super) fn lost(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).overflown = true;
    }

    /// Whether all channels must be checked. The answer is given once.
    fn overflown(&self) -> bool {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut names.overflown)
    }

    /// Whether no channel was written to.
    pub(super) fn is_empty(&self) -> bool {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.channels.is_empty() && !names.overflown
    }
}
