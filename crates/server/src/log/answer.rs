//! An answer as a row keeps it, for the repeat that gets it again.

use serde::{Deserialize, Serialize};
use tidings_protocol::{Channel, Epoch, ErrorCode};
use tidings_server_core::{
    service,
    store::{Place, Refusal, Written},
};

/// Answers remembered per lane; a client repeats at most what it may have under way.
pub(super) const KEPT_OF_A_LANE: u64 = 1_000;

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    places: Vec<KeptPlace>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptPlace {
    channel: Channel,
    epoch: Epoch,
    offset: u64,
    id: String,
}

/// What became of a write, as text.
pub(super) fn keep(written: &Written) -> serde_json::Result<String> {
    let kept = match written {
        Written::Refused(refusal) => {
            Kept { places: Vec::new(), refused: Some(refusal.code.as_str().to_owned()) }
        }
        other => {
            let places = service::outcome(other).map(|outcome| outcome.places).unwrap_or_default();
            let keep =
                |Place { channel, epoch, offset, id }| KeptPlace { channel, epoch, offset, id };
            Kept { places: places.into_iter().map(keep).collect(), refused: None }
        }
    };
    serde_json::to_string(&kept)
}

/// What a repeat is answered.
pub(super) fn replay(text: &str) -> serde_json::Result<Written> {
    let kept: Kept = serde_json::from_str(text)?;
    Ok(match kept.refused {
        Some(name) => refused(ErrorCode::from_name(&name).unwrap_or(ErrorCode::Conflict), None),
        None => {
            let place =
                |KeptPlace { channel, epoch, offset, id }| Place { channel, epoch, offset, id };
            Written::Replayed(kept.places.into_iter().map(place).collect())
        }
    })
}

pub(super) const fn refused(code: ErrorCode, expected: Option<u64>) -> Written {
    Written::Refused(Refusal { code, expected })
}
