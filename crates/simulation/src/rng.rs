//! Random numbers from one seed.

/// SplitMix64: the same seed gives the same world.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A stream of numbers for a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }

    /// A number of `low..=high`.
    pub const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.bits() % (high - low + 1)
    }

    /// True in `per_10_000` of ten thousand cases.
    pub const fn hits(&mut self, per_10_000: u32) -> bool {
        self.bits() % 10_000 < per_10_000 as u64
    }

    /// An index below `len`, which is not 0.
    pub const fn index(&mut self, len: usize) -> usize {
        (self.bits() % len as u64) as usize
    }

    /// A chance out of ten thousand: zero in half of all cases, else up to `most`.
    pub const fn chance(&mut self, most: u32) -> u32 {
        if self.hits(5_000) { self.between(1, most as u64) as u32 } else { 0 }
    }
}
