//! One intent: a mark that the app wants and the server has not yet turned into a fact of the log.

use tidings_protocol::{
    Channel, Epoch,
    client::{self, Epochs},
};

use crate::{
    MarkTargets,
    inbox::{Entry, Fold, Log, Mark},
};

/// Most single items of one mark: what fits a client message with the longest offsets.
pub(crate) const ITEMS_MAX: usize = 500;

/// What a mark says, settled when the app asked for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Body {
    pub(crate) channel: Channel,
    pub(crate) mark: Mark,
    /// Epochs its offsets speak of.
    pub(crate) epochs: [Epoch; 2],
}

/// Why a mark can't be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// Nothing to mark: done already.
    Nothing,
    /// More than [`ITEMS_MAX`] items.
    Size,
    /// No such item in memory.
    Unknown(String),
}

impl Body {
    /// Turns notification ids into epochs and offsets, as they are now: what comes later is not meant.
    pub(crate) fn resolve(
        fold: &Fold,
        targets: MarkTargets,
        set: tidings_protocol::MarkSet,
    ) -> Result<Self, Unresolved> {
        let mark = match targets {
            MarkTargets::All => {
                let [(_, inbox), (_, system)] = fold.cursors();
                Mark::up_to([inbox, system], set)
            }
            MarkTargets::Items(ids) => {
                if ids.len() > ITEMS_MAX {
                    return Err(Unresolved::Size);
                }
                let mut offsets = [Vec::new(), Vec::new()];
                for id in ids {
                    let Some(entry) = fold.find(&id) else { return Err(Unresolved::Unknown(id)) };
                    offsets[entry.log as usize].push(entry.offset);
                }
                Mark::single(offsets, set)
            }
        };
        if !mark.touches(Log::Inbox) && !mark.touches(Log::System) {
            return Err(Unresolved::Nothing);
        }
        Ok(Self { channel: fold.channel.clone(), mark, epochs: fold.epochs() })
    }

    /// As the wire says it.
    pub(crate) fn message(&self, id: u64, lane: &str, seq: u64) -> client::Mark {
        let epoch = |log: Log| self.mark.touches(log).then_some(self.epochs[log as usize]);
        client::Mark {
            id: Some(id),
            client_id: Some(String::from(lane)),
            seq: Some(seq),
            epochs: Epochs { inbox: epoch(Log::Inbox), system: epoch(Log::System) },
            offsets: self.mark.offsets(),
            up_to: self.mark.watermarks(),
            set: self.mark.set,
        }
    }
}

/// An intent that is not in the fold yet, as the list sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending<'a> {
    pub(crate) mark: &'a Mark,
    pub(crate) epochs: [Epoch; 2],
    /// Inbox offset of the answer.
    pub(crate) answer: Option<u64>,
}

impl Pending<'_> {
    pub(crate) fn answered(&self) -> bool {
        self.answer.is_some()
    }

    /// Whether its offsets speak of the log as it is now.
    pub(crate) fn current(&self, fold: &Fold, log: Log) -> bool {
        self.epochs[log as usize] == fold.cursor(log).epoch
    }

    /// Whether it changes this item beyond what the fold knows.
    pub(crate) fn covers(&self, fold: &Fold, entry: &Entry) -> bool {
        self.mark.covers(entry.log, entry.offset)
            && self.current(fold, entry.log)
            && self.answer.is_none_or(|offset| entry.precedes(offset))
    }
}
