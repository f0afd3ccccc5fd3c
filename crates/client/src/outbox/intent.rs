//! One intent: an action of the app that is not yet in a log.

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

/// Most single items of one mark: as many as fit into a client message with the longest offsets.
pub(crate) const ITEMS_MAX: usize = 500;

/// The content of an intent, fixed when the app made it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Body {
    /// The log that will get its record.
    pub(crate) channel: Channel,
    pub(crate) operation: Operation,
}

/// The kind of an intent, with its data.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operation {
    /// Storage can no longer tell its content: its `seq` is given up.
    Lost,
    Mark {
        mark: Mark,
        /// Epochs of its offsets.
        epochs: [Epoch; 2],
    },
    Publish(Json),
    /// A mark whose items are not known yet. It keeps its `seq`, and becomes an [`Operation::Mark`]
    /// once they are known.
    UnresolvedMark {
        targets: MarkTargets,
        set: MarkSet,
    },
}

/// Why the items of a mark can't be determined.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// The inbox is not live yet, and the mark needs it.
    Early,
    /// There is nothing to mark: the mark is done.
    Nothing,
    /// It covers more than [`ITEMS_MAX`] items.
    Size,
    /// An item is not in memory.
    Unknown(String),
}

impl Body {
    /// Turns notification ids into the current epochs and offsets; later items are not covered.
    /// `found`: items that were looked up, besides the loaded ones.
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
                    let index = loaded.or_else(|| found().map(|found| (found.log, found.offset)));
                    let Some((log, offset)) = index else {
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
        let operation = Operation::Mark { mark, epochs: [inbox, system] };
        Ok(Self { channel: fold.channel.clone(), operation })
    }

    /// Whether its message is longer than any server accepts, whatever its lane and numbers.
    pub(crate) fn is_over(&self, bytes: usize) -> bool {
        let lane = "-".repeat(tidings_protocol::limits::ID_BYTES);
        self.message(Some(MAX_OFFSET), &lane, MAX_OFFSET, false).len() > bytes
    }

    /// Its message. `void`: the message that only gives up its `seq`.
    pub(crate) fn message(&self, id: Option<u64>, lane: &str, seq: u64, void: bool) -> String {
        let client_id = String::from(lane);
        match &self.operation {
            Operation::Mark { mark, epochs } if !void => {
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
            Operation::Publish(data) if !void => {
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

/// The progress of an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It is not in storage, and storage was not asked.
    New,
    /// Storage was asked to store it, by this request.
    Storing(u64),
    /// It was not sent on this connection.
    Unsent,
    /// It was sent as this request.
    Sent(u64),
    /// The server has stored it at this offset of its log. It is done when the client's copy of the
    /// log gets there.
    Stored(Cursor),
}

/// An intent that is not in the fold yet.
#[derive(Debug)]
pub(crate) struct Intent {
    /// The driver's number, or one of the core's for an intent of another client instance.
    pub(crate) number: u64,
    /// When it was made, in milliseconds since 1970.
    pub(crate) at: u64,
    pub(crate) lane: Arc<str>,
    pub(crate) seq: u64,
    pub(crate) body: Body,
    pub(crate) progress: Progress,
    /// The error that keeps it from being sent: a `void` is sent in its place.
    pub(crate) doom: Option<Box<Error>>,
}

impl Intent {
    pub(crate) fn stored(&self) -> bool {
        matches!(self.progress, Progress::Stored(_))
    }

    /// Its mark, if it is one.
    pub(crate) fn mark(&self) -> Option<&Mark> {
        match &self.body.operation {
            Operation::Mark { mark, .. } => Some(mark),
            Operation::Lost | Operation::Publish(_) | Operation::UnresolvedMark { .. } => None,
        }
    }

    /// Whether it must wait until its items are known.
    pub(crate) fn is_unresolved(&self) -> bool {
        matches!(self.body.operation, Operation::UnresolvedMark { .. })
    }

    /// Whether it is a mark with offsets of the log's current epoch.
    pub(crate) fn current(&self, fold: &Fold, log: Log) -> bool {
        match &self.body.operation {
            Operation::Mark { epochs, .. } => epochs[log as usize] == fold.cursor(log).epoch,
            Operation::Lost | Operation::Publish(_) | Operation::UnresolvedMark { .. } => false,
        }
    }

    /// Whether it is a mark that changes this item beyond the fold's state.
    pub(crate) fn covers(&self, fold: &Fold, entry: &Entry) -> bool {
        let news = match self.progress {
            Progress::Stored(position) => entry.precedes(position.offset),
            _ => true,
        };
        let covered = self.mark().is_some_and(|mark| mark.covers(entry.log, entry.offset));
        news && covered && self.current(fold, entry.log)
    }
}
