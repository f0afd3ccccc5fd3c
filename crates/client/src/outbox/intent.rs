//! One intent: something the app wants and the server has not yet turned into a fact of a log.

use std::sync::Arc;

use tidings_protocol::{
    Channel, Encode, Epoch, Json, MarkSet,
    client::{self, Cursor, Epochs},
    limits::MAX_OFFSET,
};

use crate::{
    Error, MarkTargets,
    inbox::{Entry, Fold, Found, Log, Mark},
};

/// Most single items of one mark: what fits a client message with the longest offsets.
pub(crate) const ITEMS_MAX: usize = 500;

/// What an intent says, settled when the app asked for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Body {
    /// The log it becomes a record of.
    pub(crate) channel: Channel,
    pub(crate) deed: Deed,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Deed {
    /// Storage held it and can't tell any more what it was: its place in the lane is given up.
    Lost,
    Mark {
        mark: Mark,
        /// Epochs its offsets speak of.
        epochs: [Epoch; 2],
    },
    Publish(Json),
    /// A mark whose items are not known yet. It keeps its place in the lane, and becomes a [`Deed::Mark`] once they are.
    Wish {
        targets: MarkTargets,
        set: MarkSet,
    },
}

/// Why a mark can't be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// The inbox is not live yet, and that is what was asked for.
    Early,
    /// Nothing to mark: done already.
    Nothing,
    /// More than [`ITEMS_MAX`] items.
    Size,
    /// No such item in memory.
    Unknown(String),
}

impl Body {
    /// Turns notification ids into epochs and offsets, as they are now: what comes later is not meant. `found`: what was looked
    /// up beside what is loaded.
    pub(crate) fn resolve(
        fold: &Fold,
        targets: &MarkTargets,
        set: MarkSet,
        live: bool,
        found: &[Found],
    ) -> Result<Self, Unresolved> {
        let mark = match targets {
            MarkTargets::Everything if !live => return Err(Unresolved::Early),
            MarkTargets::All | MarkTargets::Everything => {
                let [(_, inbox), (_, system)] = fold.cursors();
                Mark::up_to([inbox, system], set)
            }
            MarkTargets::Items(ids) => {
                if ids.len() > ITEMS_MAX {
                    return Err(Unresolved::Size);
                }
                let mut mark = Mark::up_to([0; 2], set);
                for id in ids {
                    let loaded = fold.find(id).map(|entry| (entry.log, entry.offset));
                    let found = || found.iter().find(|found| found.id == *id);
                    let place = loaded.or_else(|| found().map(|found| (found.log, found.offset)));
                    let Some((log, offset)) = place else {
                        return Err(Unresolved::Unknown(id.clone()));
                    };
                    mark.add(log, offset);
                }
                mark
            }
        };
        if !mark.touches(Log::Inbox) && !mark.touches(Log::System) {
            return Err(Unresolved::Nothing);
        }
        let [(inbox, _), (system, _)] = fold.cursors();
        let deed = Deed::Mark { mark, epochs: [inbox, system] };
        Ok(Self { channel: fold.channel.clone(), deed })
    }

    /// Whether it is longer on the wire than any server takes, whatever its lane and numbers will be.
    pub(crate) fn is_over(&self, bytes: usize) -> bool {
        let lane = "-".repeat(tidings_protocol::limits::ID_BYTES);
        self.message(Some(MAX_OFFSET), &lane, MAX_OFFSET, false).len() > bytes
    }

    /// As the wire says it. `void`: only that its place in the lane is given up.
    pub(crate) fn message(&self, id: Option<u64>, lane: &str, seq: u64, void: bool) -> String {
        let client_id = String::from(lane);
        match &self.deed {
            Deed::Mark { mark, epochs } if !void => {
                let epoch = |log: Log| mark.touches(log).then_some(epochs[log as usize]);
                let message = client::Mark {
                    id,
                    client_id: Some(client_id),
                    seq: Some(seq),
                    epochs: Epochs { inbox: epoch(Log::Inbox), system: epoch(Log::System) },
                    offsets: mark.offsets(),
                    up_to: mark.watermarks(),
                    set: mark.set,
                };
                message.to_json()
            }
            Deed::Publish(data) if !void => {
                let message = client::Publish {
                    id,
                    channel: self.channel.clone(),
                    client_id: Some(client_id),
                    seq: Some(seq),
                    data: data.clone(),
                };
                message.to_json()
            }
            _ => client::Void { id, client_id, seq }.to_json(),
        }
    }
}

/// How far an intent came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Not in storage yet, and storage was not asked.
    New,
    /// Storage was asked to keep it, as this request.
    Storing(u64),
    /// Not sent on this connection.
    Unsent,
    /// Sent as this request.
    Sent(u64),
    /// Stored by the server at this place of its log; done once the client's copy of that log gets there.
    Stored(Cursor),
}

/// An intent that is not in the fold yet.
#[derive(Debug)]
pub(crate) struct Intent {
    /// The driver's number, or one of the core's for an intent of another life.
    pub(crate) number: u64,
    /// When it was made, in milliseconds since 1970.
    pub(crate) at: u64,
    pub(crate) lane: Arc<str>,
    pub(crate) seq: u64,
    pub(crate) body: Body,
    pub(crate) progress: Progress,
    /// It can't be sent, and this is its end: a `void` goes in its place.
    pub(crate) doom: Option<Box<Error>>,
}

impl Intent {
    pub(crate) fn stored(&self) -> bool {
        matches!(self.progress, Progress::Stored(_))
    }

    /// What it marks, if it is a mark.
    pub(crate) fn mark(&self) -> Option<&Mark> {
        match &self.body.deed {
            Deed::Mark { mark, .. } => Some(mark),
            Deed::Lost | Deed::Publish(_) | Deed::Wish { .. } => None,
        }
    }

    /// Whether it has to wait until its items are known.
    pub(crate) fn is_wish(&self) -> bool {
        matches!(self.body.deed, Deed::Wish { .. })
    }

    /// Whether it is a mark whose offsets speak of the log as it is now.
    pub(crate) fn current(&self, fold: &Fold, log: Log) -> bool {
        match &self.body.deed {
            Deed::Mark { epochs, .. } => epochs[log as usize] == fold.cursor(log).epoch,
            Deed::Lost | Deed::Publish(_) | Deed::Wish { .. } => false,
        }
    }

    /// Whether it is a mark that changes this item beyond what the fold knows.
    pub(crate) fn covers(&self, fold: &Fold, entry: &Entry) -> bool {
        let news = match self.progress {
            Progress::Stored(place) => entry.precedes(place.offset),
            _ => true,
        };
        let covered = self.mark().is_some_and(|mark| mark.covers(entry.log, entry.offset));
        news && covered && self.current(fold, entry.log)
    }
}
