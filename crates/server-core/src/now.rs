//! The time, as it comes in from outside.

/// The time of the driver's two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds on a clock that never goes back. Used for deadlines.
    pub mono: u64,
    /// Milliseconds since 1970. It may jump. Used for records, expiries and clients.
    pub wall: u64,
}
