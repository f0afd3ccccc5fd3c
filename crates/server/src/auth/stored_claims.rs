//! Rights and info that would make a session token too long for a stream's `id`. They are stored
//! under their hash, once for all users with the same ones.

use std::{
    collections::HashMap,
    sync::{MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tidings_protocol::{ErrorCode, Json, rights::Rights};
use tidings_server_core::{
    Identity, Principal, Refused,
    store::{Answer, Op, Query, Write},
};

use super::{Auth, session_token::Opened};
use crate::driver::{Clock, writer::Writer};

/// Longer rights are stored. With the cursors of twenty channels and the longest user id, an `id`
/// then has at most 2 KiB.
const RIGHTS_BYTES: usize = 256;
/// The limit for rights and info together.
const BOTH_BYTES: usize = 400;
/// Ends are rounded up to a multiple of this, so that the same rights are written once a day, not
/// at each connect.
const STEP_MS: u64 = 24 * 3_600_000;
/// Texts cached; further ones are read from the store again.
const REMEMBERED: usize = 10_000;

/// A text to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredClaims {
    pub(super) hash: [u8; 32],
    text: String,
    until: u64,
}

#[derive(Serialize, Deserialize)]
struct Text {
    #[serde(rename = "r")]
    rights: Rights,
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    info: Option<Json>,
}

impl StoredClaims {
    /// The rights and info that do not fit into the token. `None`: all of them fit.
    pub(super) fn of(identity: &Identity, expires_at: u64) -> Option<Self> {
        let rights = serde_json::to_string(&identity.rights).ok()?.len();
        let info = identity.info.as_ref().map_or(0, Json::len);
        if rights <= RIGHTS_BYTES && rights + info <= BOTH_BYTES {
            return None;
        }
        let text = Text { rights: identity.rights.clone(), info: identity.info.clone() };
        let text = serde_json::to_string(&text).ok()?;
        let until = expires_at.div_ceil(STEP_MS).saturating_add(1).saturating_mul(STEP_MS);
        Some(Self { hash: Sha256::digest(&text).into(), text, until })
    }

    pub(super) fn write(&self) -> Write {
        let (hash, text) = (self.hash, self.text.clone().into());
        Write { key: None, lane: None, op: Op::StoreClaims { hash, text, until: self.until } }
    }
}

/// Completes an identity by its stored text.
///
/// # Errors
/// `internal` if the text is unreadable, which means that the store was modified.
fn complete(identity: Identity, text: &[u8]) -> Result<Identity, Refused> {
    let text: Text =
        serde_json::from_slice(text).map_err(|_| Refused::from(ErrorCode::Internal))?;
    Ok(Identity { rights: text.rights, info: text.info, ..identity })
}

impl Auth {
    /// The user of a session token.
    pub(super) async fn session(&self, token: &str) -> Result<Identity, Refused> {
        let (identity, hash) = match self.sessions.open(token, Clock::wall())? {
            Opened::Whole(identity) => return Ok(identity),
            Opened::Elsewhere(identity, hash) => (identity, hash),
        };
        if let Some(text) = self.remembered().get(&hash) {
            return complete(identity, text.as_bytes());
        }
        let whose = Principal::user(&identity.user);
        let Answer::Claims(text) = self.readers.read(whose, Query::Claims { hash }).await? else {
            return Err(ErrorCode::Internal.into());
        };
        let text = text.ok_or_else(|| {
            Refused::new(
                ErrorCode::Unauthorized,
                "the session token's rights are no longer kept: get a new ticket.",
            )
        })?;
        self.remembered().add(hash, 0, &String::from_utf8_lossy(&text));
        complete(identity, &text)
    }

    /// Makes rights durable before a token names them. `false`: that failed, and the client needs a
    /// ticket to reconnect.
    pub(super) async fn store(&self, user: &str, stored: &StoredClaims) -> bool {
        if self.remembered().has(stored) {
            return true;
        }
        let Some(writer) = self.writer.get() else { return false };
        match writer.commit(Principal::user(user), stored.write()).await {
            Ok(_) => {
                self.remembered().written(stored);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the rights of a session could not be kept");
                false
            }
        }
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the writer for rights that are too long for session tokens.
    pub fn store_by(&self, writer: Writer) {
        // Set once, at start.
        let _again = self.writer.set(writer);
    }
}

/// Texts that are known to be in the store.
#[derive(Debug, Default)]
pub(super) struct Remembered(HashMap<[u8; 32], (u64, Box<str>)>);

impl Remembered {
    /// Whether a text is already stored for long enough.
    pub(super) fn has(&self, stored: &StoredClaims) -> bool {
        self.0.get(&stored.hash).is_some_and(|(until, _)| *until >= stored.until)
    }

    pub(super) fn get(&self, hash: &[u8; 32]) -> Option<&str> {
        self.0.get(hash).map(|(_, text)| &**text)
    }

    /// Adds a text that was written or read. Of a text that was read, the end is unknown.
    pub(super) fn add(&mut self, hash: [u8; 32], until: u64, text: &str) {
        if self.0.len() >= REMEMBERED && !self.0.contains_key(&hash) {
            self.0.clear();
        }
        let known = self.0.entry(hash).or_insert_with(|| (until, text.into()));
        known.0 = known.0.max(until);
    }

    pub(super) fn written(&mut self, stored: &StoredClaims) {
        self.add(stored.hash, stored.until, &stored.text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(grants: usize) -> Identity {
        let grant = r#"{"pattern":"room:somewhere","allow":["subscribe"]}"#;
        Identity {
            user: "mina".into(),
            info: None,
            rights: serde_json::from_str(&format!("[{}]", vec![grant; grants].join(","))).unwrap(),
            session: "s".into(),
            session_token: String::new(),
            issued_at: 0,
            expires_at: None,
        }
    }

    #[test]
    fn short_rights_stay_and_long_ones_come_back_whole() {
        assert_eq!(StoredClaims::of(&identity(3), 5), None);
        let long = identity(40);
        let stored = StoredClaims::of(&long, 5).unwrap();
        assert!(stored.until > 5 && stored.until.is_multiple_of(STEP_MS));
        assert_eq!(complete(identity(0), stored.text.as_bytes()).unwrap(), long);
        let wordy = Identity { info: Some(Json::string(&"x".repeat(500))), ..identity(1) };
        assert!(StoredClaims::of(&wordy, 5).is_some());
    }

    #[test]
    fn a_text_is_written_again_only_for_a_later_end() {
        let mut remembered = Remembered::default();
        let stored = StoredClaims::of(&identity(40), 5).unwrap();
        assert!(!remembered.has(&stored));
        remembered.written(&stored);
        assert!(remembered.has(&stored));
        assert!(remembered.has(&StoredClaims::of(&identity(40), 6).unwrap()));
        assert!(!remembered.has(&StoredClaims::of(&identity(40), 3 * STEP_MS).unwrap()));
        // The end of a text that was read is unknown.
        let mut other = Remembered::default();
        other.add(stored.hash, 0, &stored.text);
        assert!(!other.has(&stored) && other.get(&stored.hash).is_some());
    }
}
