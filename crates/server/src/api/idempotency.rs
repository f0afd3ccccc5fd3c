//! `Idempotency-Key`: a repeat gets the first answer. Answers are in the store; this module tracks
//! requests that still run.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use http::HeaderMap;
use sha2::{Digest, Sha256};
use tidings_protocol::{ErrorCode, address::check_text, limits::IDEMPOTENCY_KEY_BYTES};
use tidings_server_core::{Refused, store::IdempotencyKey};

use super::IDEMPOTENCY_KEY;
use crate::error::ApiError;

/// Keys whose first request is not answered yet.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<HashSet<(String, String)>>);

/// Marks a key as running; dropped with its request.
#[derive(Debug)]
pub(super) struct Running {
    all: Arc<InFlight>,
    key: (String, String),
}

impl InFlight {
    /// The request's key, if it has one, held until the guard is dropped.
    pub(super) fn take(
        self: &Arc<Self>,
        headers: &HeaderMap,
        credential: String,
        path: &str,
        body: &[u8],
    ) -> Result<Option<(IdempotencyKey, Running)>, ApiError> {
        let Some(header) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
        let key = header.to_str().ok().filter(|key| check_text(key, IDEMPOTENCY_KEY_BYTES).is_ok());
        let key = key.ok_or_else(|| {
            let detail = "`Idempotency-Key` has 1 to 128 visible ASCII characters";
            ApiError::new(ErrorCode::BadRequest, detail)
        })?;
        let name = (credential.clone(), key.to_owned());
        if !self.lock().insert(name.clone()) {
            let refused = Refused::from(ErrorCode::IdempotencyInFlight);
            return Err(ApiError(Refused { retry_after_ms: Some(1_000), ..refused }));
        }
        let running = Running { all: Arc::clone(self), key: name };
        let mut hash = Sha256::new();
        hash.update(path);
        hash.update([0]);
        hash.update(body);
        let fingerprint = hash.finalize().into();
        Ok(Some((IdempotencyKey { credential, key: key.to_owned(), fingerprint }, running)))
    }

    /// The set is consistent between calls, so a panic elsewhere does no harm.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<(String, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.all.lock().remove(&self.key);
    }
}
