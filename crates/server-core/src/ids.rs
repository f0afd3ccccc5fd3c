//! Ids of records, from a seed given from outside.

/// Makes UUIDv7s. They sort by time, which helps people; logic must use the offset for order.
///
/// The randomness is a 64-bit stream from the seed: enough to make ids unique, not enough to keep
/// secrets.
#[derive(Clone, Debug)]
pub struct Ids(u64);

impl Ids {
    /// A source with its own stream. Each source needs its own random seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next id, made at `wall` milliseconds since 1970.
    pub fn next(&mut self, wall: u64) -> String {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let (a, b) = (self.draw(), self.draw());
        let high = wall << 16 | 0x7000 | a & 0x0fff;
        let low = 0x8000_0000_0000_0000 | b >> 2;
        let mut text = String::with_capacity(36);
        for (index, nibble) in (0..16)
            .map(|index| high >> (60 - 4 * index))
            .chain((0..16).map(|index| low >> (60 - 4 * index)))
            .enumerate()
        {
            if matches!(index, 8 | 12 | 16 | 20) {
                text.push('-');
            }
            text.push(char::from(HEX[(nibble & 15) as usize]));
        }
        text
    }

    /// A number below `bound`, to spread work over time.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound.max(1)
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): eight bytes of state.
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_7_that_states_its_time() {
        let id = Ids::new(7).next(0x0123_4567_89ab);
        assert_eq!(&id[..15], "01234567-89ab-7");
        assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{id}");
        assert_eq!(id.len(), 36);
    }

    #[test]
    fn ids_of_one_moment_differ() {
        let mut ids = Ids::new(1);
        let made: std::collections::BTreeSet<_> = (0..10_000).map(|_| ids.next(5)).collect();
        assert_eq!(made.len(), 10_000);
    }
}
