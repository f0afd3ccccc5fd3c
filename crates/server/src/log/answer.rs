//! The first answer to a write, as a row stores it.

use serde::{Deserialize, Serialize};
use tidings_protocol::{Channel, Epoch, ErrorCode};
use tidings_server_core::{log::FirstAnswer, store::RecordRef};

#[derive(Debug, Default, Serialize, Deserialize)]
struct AnswerRow {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    places: Vec<PlaceRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PlaceRow {
    channel: Channel,
    epoch: Epoch,
    offset: u64,
    id: String,
}

/// The answer as text.
pub(super) fn encode(answer: &FirstAnswer) -> serde_json::Result<String> {
    let row = match answer {
        FirstAnswer::Refused(code) => {
            AnswerRow { refused: Some(code.as_str().to_owned()), ..AnswerRow::default() }
        }
        FirstAnswer::Stored(places) => {
            let row = |record_ref: &RecordRef| {
                let RecordRef { channel, epoch, offset, id } = record_ref.clone();
                PlaceRow { channel, epoch, offset, id }
            };
            AnswerRow { places: places.iter().map(row).collect(), refused: None }
        }
    };
    serde_json::to_string(&row)
}

/// Reads an answer from its text.
pub(super) fn decode(text: &str) -> serde_json::Result<FirstAnswer> {
    let row: AnswerRow = serde_json::from_str(text)?;
    Ok(match row.refused {
        Some(name) => {
            FirstAnswer::Refused(ErrorCode::from_name(&name).unwrap_or(ErrorCode::Conflict))
        }
        None => {
            let record_ref =
                |PlaceRow { channel, epoch, offset, id }| RecordRef { channel, epoch, offset, id };
            FirstAnswer::Stored(row.places.into_iter().map(record_ref).collect())
        }
    })
}
