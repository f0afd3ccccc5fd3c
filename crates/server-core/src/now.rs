//! The time, as it comes in from outside.

/// The time as the driver's two clocks tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds on a clock that never goes back; deadlines are measured with it.
    pub mono: u64,
    /// Milliseconds since 1970; it may jump. Records, expiries and clients see it.
    pub wall: u64,
}
