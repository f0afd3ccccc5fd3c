//! Backends' keys.

use std::{
    fmt::{self, Debug, Formatter},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

/// API keys by the hash of their text: a leaked configuration reveals no key.
#[derive(Clone, Default)]
pub struct ApiKeys(Vec<(Arc<str>, [u8; 32])>);

impl ApiKeys {
    /// Adds a key by its SHA-256. `name` is shown in logs, and separates the idempotency keys of
    /// two backends.
    pub fn add_hash(&mut self, name: &str, hash: [u8; 32]) {
        self.0.push((name.into(), hash));
    }

    /// Adds a key by its text.
    pub fn add(&mut self, name: &str, key: &str) {
        self.add_hash(name, hash(key));
    }

    /// Whether there are no keys, so that no backend can call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of keys.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The name of a key. Every known key is compared, each in constant time, so that the duration
    /// reveals nothing.
    pub(super) fn name_of(&self, key: &str) -> Option<Arc<str>> {
        let offered = hash(key);
        let mut found = None;
        for (name, known) in &self.0 {
            let same: Choice = known.ct_eq(&offered);
            if bool::from(same) {
                found = Some(Arc::clone(name));
            }
        }
        found
    }
}

impl Debug for ApiKeys {
    /// Shows names only.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_hash() {
        let mut keys = ApiKeys::default();
        keys.add("shop", "k1");
        keys.add("blog", "k2");
        assert_eq!(keys.name_of("k2").as_deref(), Some("blog"));
        for other in ["k3", "", "k1 "] {
            assert_eq!(keys.name_of(other), None, "{other:?}");
        }
        assert_eq!(format!("{keys:?}"), r#"["shop", "blog"]"#);
    }
}
