//! The body of a notification.

use serde::{Deserialize, de::DeserializeOwned};
use tidings_client_core::ItemView;

/// The body of a notification, with the app's own `data` as `D`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(bound = "D: DeserializeOwned")]
pub struct Body<D = Option<serde_json::Value>> {
    /// One line of text.
    pub title: String,
    /// A few more lines.
    pub message: Option<String>,
    /// The page it links to: http(s) or relative, as the server checked.
    pub url: Option<String>,
    /// Other data of the app's backend. Make `D` an `Option` if it may be absent.
    pub data: D,
}

impl<D: DeserializeOwned> Body<D> {
    /// Parses the body of an item.
    ///
    /// # Errors
    /// If `data` does not have the shape of `D`: the backend may be deployed ahead of this app.
    pub fn of(item: &ItemView) -> Result<Self, serde_json::Error> {
        serde_json::from_str(item.data.as_str())
    }
}
