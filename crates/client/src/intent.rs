//! One intent: a mark that the app wants and the server has not yet turned into a fact of the log.

use tidings_protocol::{
    Channel, Epoch,
    client::{self, Cursor, Epochs},
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
pub(crate) enum Unresolved<'a> {
    /// Nothing to mark: done already.
    Nothing,
    /// More than [`ITEMS_MAX`] items.
    Size,
    /// No such item in memory.
    Unknown(&'a str),
}

impl Body {
    /// Turns notification ids into epochs and offsets, as they are now: what comes later is not meant.
    pub(crate) fn resolve<'a>(
        fold: &Fold,
        targets: &'a MarkTargets,
        set: tidings_protocol::MarkSet,
    ) -> Result<Self, Unresolved<'a>> {
        let mark = match targets {
            MarkTargets::All => {
                let [(_, inbox), (_, system)] = fold.cursors();
                Mark::up_to([inbox, system], set)
            }
            MarkTargets::Items(ids) => {
                if ids.len() > ITEMS_MAX {
                    return Err(Unresolved::Size);
                }
                let mut mark = Mark::up_to([0; 2], set);
                for id in ids {
                    let Some(entry) = fold.find(id) else {
                        return Err(Unresolved::Unknown(id));
                    };
                    mark.add(entry.log, entry.offset);
                }
                mark
            }
        };
        if !mark.touches(Log::Inbox) && !mark.touches(Log::System) {
            return Err(Unresolved::Nothing);
        }
        let [(inbox, _), (system, _)] = fold.cursors();
        Ok(Self { channel: fold.channel.clone(), mark, epochs: [inbox, system] })
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

/// How far an intent came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Not sent on this connection.
    Unsent,
    /// Sent as this request.
    Sent(u64),
    /// Stored at this place of the inbox; done once the fold gets there.
    Stored(Cursor),
}

/// An intent that is not in the fold yet.
#[derive(Debug)]
pub(crate) struct Intent {
    /// The driver's number.
    pub(crate) number: u64,
    pub(crate) seq: u64,
    pub(crate) body: Body,
    pub(crate) progress: Progress,
}

impl Intent {
    pub(crate) fn stored(&self) -> bool {
        matches!(self.progress, Progress::Stored(_))
    }

    /// Whether its offsets speak of the log as it is now.
    pub(crate) fn current(&self, fold: &Fold, log: Log) -> bool {
        self.body.epochs[log as usize] == fold.cursor(log).epoch
    }

    /// Whether it changes this item beyond what the fold knows.
    pub(crate) fn covers(&self, fold: &Fold, entry: &Entry) -> bool {
        let news = match self.progress {
            Progress::Stored(place) => entry.precedes(place.offset),
            Progress::Unsent | Progress::Sent(_) => true,
        };
        news && self.body.mark.covers(entry.log, entry.offset) && self.current(fold, entry.log)
    }
}
