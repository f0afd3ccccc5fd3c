//! Where an answer of the store ends: at its count or at its bytes, whichever comes first. The same rule for every backend.

use std::cmp::Reverse;

use tidings_protocol::{Encode as _, Item};

/// An answer that fills up.
#[derive(Clone, Copy, Debug)]
pub struct Fill {
    /// Entries it may still take.
    entries: u32,
    /// Bytes it may still take.
    bytes: usize,
    is_empty: bool,
}

impl Fill {
    /// Room for `limit` entries and `bytes` of them.
    #[must_use]
    pub const fn new(limit: u32, bytes: u32) -> Self {
        Self { entries: limit, bytes: bytes as usize, is_empty: true }
    }

    /// Takes the next entry, of this size, or says that the answer ends before it. The first entry is taken whatever its size, or
    /// nobody would ever get past it.
    pub fn takes(&mut self, size: usize) -> bool {
        let fits = self.entries > 0 && (self.is_empty || size <= self.bytes);
        if fits {
            self.entries -= 1;
            self.bytes = self.bytes.saturating_sub(size);
            self.is_empty = false;
        } else {
            // What comes later does not overtake it.
            self.entries = 0;
        }
        fits
    }
}

/// What an item takes of an answer: its bytes on the wire.
#[must_use]
pub fn size_of_item(item: &Item) -> usize {
    item.to_json().len()
}

/// The newest of a user's items.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Newest {
    /// Newest first by (`at`, channel, offset).
    pub items: Vec<Item>,
    /// There are more of the inbox …
    pub more: bool,
    /// … and of `system:all`.
    pub system_more: bool,
}

impl Newest {
    /// Of what a backend found. It looks at both channels from the newest on, and may end in each one entry after a [`Fill`] of
    /// its own is full: that one says that there is more.
    #[must_use]
    pub fn of(mut items: Vec<Item>, limit: u32, bytes: u32) -> Self {
        items.sort_by_cached_key(|item| Reverse((item.at, item.channel.clone(), item.offset)));
        let mut fill = Fill::new(limit, bytes);
        let taken = items.iter().take_while(|item| fill.takes(size_of_item(item))).count();
        let rest = items.split_off(taken);
        let more = |system| rest.iter().any(|item| item.channel.is_system() == system);
        Self { items, more: more(false), system_more: more(true) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(limit: u32, bytes: u32, sizes: &[usize]) -> usize {
        let mut fill = Fill::new(limit, bytes);
        sizes.iter().filter(|size| fill.takes(**size)).count()
    }

    #[test]
    fn an_answer_ends_at_its_count_or_its_bytes() {
        assert_eq!(taken(2, 100, &[10, 10, 10]), 2);
        assert_eq!(taken(9, 100, &[40, 60, 1]), 2);
        assert_eq!(taken(9, 100, &[40, 61, 1]), 1, "a smaller one does not overtake a larger");
    }

    #[test]
    fn one_entry_is_always_taken_unless_none_was_asked_for() {
        assert_eq!(taken(9, 0, &[1_000, 1]), 1);
        assert_eq!(taken(9, 100, &[0, 101]), 1, "only the first");
        assert_eq!(taken(0, 100, &[1]), 0);
    }
}
