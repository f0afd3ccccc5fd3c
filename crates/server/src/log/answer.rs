//! The first answer to a write, as a row stores it.

use serde::{Deserialize, Serialize};
use tidings_protocol::{Channel, Epoch, ErrorCode};
use tidings_server_core::{log::FirstAnswer, store::Place};

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
            let row = |place: &Place| {
                let Place { channel, epoch, offset, id } = place.clone();
                PlaceRow { channel, epoch, offset, id }
            };
            AnswerRow { places: places.iter().map(row).collect(), refused: None }
        }
    };
    serde_json::to_string(&row)
}

/// The answer of which this is the text.
pub(super) fn decode(text: &str) -> serde_json::Result<FirstAnswer> {
    let row: AnswerRow = serde_json::from_str(text)?;
    Ok(match row.refused {
        Some(name) => {
            FirstAnswer::Refused(ErrorCode::from_name(&name).unwrap_or(ErrorCode::Conflict))
        }
        None => {
            let place =
                |PlaceRow { channel, epoch, offset, id }| Place { channel, epoch, offset, id };
            FirstAnswer::Stored(row.places.into_iter().map(place).collect())
        }
    })
}
