//! What a notification says.

use serde::{Deserialize, de::DeserializeOwned};
use tidings_client_core::ItemView;

/// The body of a notification, with the app's own `data` as `D`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(bound = "D: DeserializeOwned")]
pub struct Body<D = Option<serde_json::Value>> {
    /// One line.
    pub title: String,
    /// A few more.
    pub message: Option<String>,
    /// Where it leads: http(s) or relative, as the server checked.
    pub url: Option<String>,
    /// What the app's backend put in besides; make `D` an `Option` where it may be absent.
    pub data: D,
}

impl<D: DeserializeOwned> Body<D> {
    /// Parses the body of an item.
    ///
    /// # Errors
    /// When `data` does not have the shape of `D`: the backend may be deployed ahead of this app.
    pub fn of(item: &ItemView) -> Result<Self, serde_json::Error> {
        serde_json::from_str(item.data.as_str())
    }
}
