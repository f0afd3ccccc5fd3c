//! Where an answer of the store ends: at its count or at its bytes, whichever comes first. Every
//! backend applies the same rule.

use std::cmp::Reverse;

use tidings_protocol::{Encode as _, Item};

/// The room that is left in an answer.
#[derive(Clone, Copy, Debug)]
pub struct Fill {
    /// Entries that still fit.
    entries: u32,
    /// Bytes that still fit.
    bytes: usize,
    is_empty: bool,
}

impl Fill {
    /// Room for `limit` entries and `bytes` bytes.
    #[must_use]
    pub const fn new(limit: u32, bytes: u32) -> Self {
        Self { entries: limit, bytes: bytes as usize, is_empty: true }
    }

    /// Takes the next entry, of this size, or returns false: the answer ends before it. The first
    /// entry is taken whatever its size; otherwise no reader would get past it.
    pub fn takes(&mut self, size: usize) -> bool {
        let fits = self.entries > 0 && (self.is_empty || size <= self.bytes);
        if fits {
            self.entries -= 1;
            self.bytes = self.bytes.saturating_sub(size);
            self.is_empty = false;
        } else {
            // A later, smaller entry must not overtake this one.
            self.entries = 0;
        }
        fits
    }
}

/// An item's size in an answer: its bytes on the wire.
#[must_use]
pub fn size_of_item(item: &Item) -> usize {
    item.to_json().len()
}

/// The newest of a user's items.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Newest {
    /// Newest first by (`at`, channel, offset).
    pub items: Vec<Item>,
    /// The inbox has more items …
    pub more: bool,
    /// … and `system:all` has more.
    pub system_more: bool,
}

impl Newest {
    /// Makes the answer from the items that a backend found. The backend reads both channels from
    /// the newest item on. In each it may stop one entry after its own [`Fill`] is full; that entry
    /// shows that there are more.
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
