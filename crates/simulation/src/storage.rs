//! A browser profile's storage: what tabs share and a crash leaves.

use std::collections::BTreeMap;

use tidings_protocol::Epoch;

/// What is held for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// (epoch, offset) of the inbox and of `system:all`.
    pub cursors: [(Epoch, u64); 2],
    /// The saved text.
    pub text: String,
}

/// What a page asks to have written.
#[derive(Clone, Debug)]
pub struct Save {
    /// Whose.
    pub user: String,
    /// What.
    pub saved: Saved,
    /// Epochs the page left.
    pub over: Vec<Epoch>,
}

/// IndexedDB of one profile, as far as clients use it.
#[derive(Clone, Debug, Default)]
pub struct Storage(BTreeMap<String, Saved>);

impl Storage {
    /// What is held for a user.
    #[must_use]
    pub fn load(&self, user: &str) -> Option<&Saved> {
        self.0.get(user)
    }

    /// One transaction: only over nothing, over lower offsets of the same epochs, or over epochs the page left. Answers
    /// whether it was written.
    pub fn save(&mut self, save: &Save) -> bool {
        let may = self.0.get(&save.user).is_none_or(|held| {
            held.cursors.iter().zip(save.saved.cursors).all(|((epoch, offset), (new, to))| {
                save.over.contains(epoch) || (*epoch == new && *offset <= to)
            })
        });
        if may {
            self.0.insert(save.user.clone(), save.saved.clone());
        }
        may
    }

    /// Forgets a user.
    pub fn wipe(&mut self, user: &str) {
        self.0.remove(user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn save(epoch: u64, offset: u64, over: &[u64]) -> Save {
        let cursor = (Epoch::from_bits(epoch), offset);
        let saved = Saved { cursors: [cursor, cursor], text: String::new() };
        Save {
            user: "mina".into(),
            saved,
            over: over.iter().map(|bits| Epoch::from_bits(*bits)).collect(),
        }
    }

    #[test]
    fn a_slower_tab_does_not_turn_the_cache_back() {
        let mut storage = Storage::default();
        assert!(storage.save(&save(1, 5, &[])));
        assert!(!storage.save(&save(1, 4, &[])));
        assert!(storage.save(&save(1, 6, &[])));
        assert!(!storage.save(&save(2, 9, &[])), "an epoch that nobody left");
        assert!(storage.save(&save(2, 1, &[1])));
    }
}
