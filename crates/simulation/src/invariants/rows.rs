//! Rows of outboxes: reads as much of them as it takes to recognise an intent in any page and lane.

use std::collections::BTreeMap;

use tidings_client_core::Change;
use tidings_protocol::{ClientMessage, Encode, Retry, ServerMessage};

use crate::{
    observation::{Guest, OutboundMessage},
    storage::RowKey,
    world::message_of,
};

/// The contents of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Identifies the intent in any lane: when it was made, and its content.
    pub(super) operation: String,
    /// The number of the message, if the intent publishes one.
    pub(super) message: Option<u64>,
    /// Whether it was refused for good.
    pub(super) refused: bool,
}

/// Reads a row: its version and time, the message to send, and the refusal, if there is one.
pub(super) fn read(text: &str) -> Option<Row> {
    let mut lines = text.split('\n');
    let (head, sent) = (lines.next()?, lines.next()?);
    let (operation, message) = match ClientMessage::decode(sent).ok()? {
        ClientMessage::Publish(mut sent) => {
            (sent.client_id, sent.seq) = (None, None);
            let message = message_of(&sent.data);
            // A retry is another intent for the app, with the same text.
            (
                if message.is_some() {
                    sent.to_json()
                } else {
                    format!("{head} {}", sent.to_json())
                },
                message,
            )
        }
        ClientMessage::Mark(mut sent) => {
            (sent.client_id, sent.seq) = (None, None);
            (format!("{head} {}", sent.to_json()), None)
        }
        _ => return None,
    };
    Some(Row { operation, message, refused: lines.next().is_some() })
}

/// Every row that was ever stored, by lane and `seq`, and every final answer of a server.
#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: BTreeMap<RowKey, Row>,
    /// A row may reach the disk after its intent has its answer.
    answers: BTreeMap<RowKey, Answer>,
}

/// A server's answer to an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// There is a record.
    Record,
    /// There is no record: nothing had to change, or the `seq` was given up.
    Nothing,
    /// It was refused for good.
    Refused,
}

impl Rows {
    /// Notes the rows that are on the disk now.
    pub(super) fn persist(&mut self, user: &str, changes: &[Change]) -> Vec<(RowKey, Row)> {
        let mut new = Vec::new();
        for change in changes {
            let Change::Put { lane, seq, text } = change else { continue };
            let Some(row) = read(text) else { continue };
            let row_key = (user.to_owned(), lane.clone(), *seq);
            self.rows.insert(row_key.clone(), row.clone());
            new.push((row_key, row));
        }
        new
    }

    pub(super) fn at(&self, row_key: &RowKey) -> Option<&Row> {
        self.rows.get(row_key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&RowKey, &Row)> {
        self.rows.iter()
    }

    /// Notes a final answer that was sent.
    pub(super) fn left(&mut self, guest: &Guest, published: &OutboundMessage) {
        let (lane, seq, answer) = match &published.message {
            ServerMessage::Ack(ack) => {
                let answer = if ack.record_id.is_some() { Answer::Record } else { Answer::Nothing };
                (&ack.client_id, ack.seq, answer)
            }
            ServerMessage::Error(error)
                if error.retry == Retry::Never && error.expected.is_none() =>
            {
                (&error.client_id, error.seq, Answer::Refused)
            }
            _ => return,
        };
        if let (Some(lane), Some(seq)) = (lane, seq) {
            let first = self.answers.entry((guest.user.clone(), lane.clone(), seq));
            // A `seq` that was given up may be known by its first answer or by a later refusal.
            first.or_insert(answer);
        }
    }

    pub(super) fn answer(&self, row_key: &RowKey) -> Option<Answer> {
        self.answers.get(row_key).copied()
    }

    /// Messages that were refused in some lane, or whose `seq` was given up.
    pub(super) fn refused(&self) -> impl Iterator<Item = u64> {
        let refused = |(row_key, row): (&RowKey, &Row)| {
            row.message.filter(|_| self.answer(row_key).is_some_and(|one| one != Answer::Record))
        };
        self.rows.iter().filter_map(refused)
    }
}
