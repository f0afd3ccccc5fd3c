//! How much a user may use.

use super::Kind;

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Units that may be used at once.
    pub burst: u64,
    /// Nanoseconds until one more unit is available.
    pub each_ns: u64,
}

impl Rate {
    /// One unit each `ms` milliseconds.
    #[must_use]
    pub const fn every_ms(burst: u64, ms: u64) -> Self {
        Self { burst, each_ns: ms.saturating_mul(1_000_000) }
    }

    /// So many units a second. 0 means one an hour.
    #[must_use]
    pub const fn per_second(burst: u64, units: u64) -> Self {
        const SECOND: u64 = 1_000_000_000;
        let each_ns = match units {
            0 => 3_600 * SECOND,
            units => SECOND / units,
        };
        Self { burst, each_ns: if each_ns == 0 { 1 } else { each_ns } }
    }

    pub(super) const fn time(self, units: u64) -> u64 {
        self.each_ns.saturating_mul(units)
    }
}

/// A user's rates by kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Client messages, and requests that write. Default 2,000 at once, 100 a second. An outbox
    /// that several tabs filled offline goes out in one burst. One user needs a quarter of an hour
    /// for 100,000 records, the default number of records that a channel keeps.
    pub messages: Rate,
    /// Bytes of these messages. Default 16 MiB at once, 256 KiB a second.
    pub bytes: Rate,
    /// Pages, subscriptions and polls. Default 2,000 at once, 50 a second: enough for sixteen tabs
    /// with a hundred channels each to reconnect in one burst.
    pub reads: Rate,
    /// New sockets and streams. Default 128 at once, 2 a second: enough for sixteen tabs to
    /// reconnect eight times.
    pub opens: Rate,
    /// Tickets. Default 64 at once, 2 a second.
    pub tickets: Rate,
}

impl Rates {
    pub(super) const fn rate(&self, kind: Kind) -> Rate {
        match kind {
            Kind::Messages => self.messages,
            Kind::Bytes => self.bytes,
            Kind::Reads => self.reads,
            Kind::Opens => self.opens,
            Kind::Tickets => self.tickets,
        }
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            messages: Rate::every_ms(2_000, 10),
            bytes: Rate::per_second(16 * 1024 * 1024, 256 * 1024),
            reads: Rate::every_ms(2_000, 20),
            opens: Rate::every_ms(128, 500),
            tickets: Rate::every_ms(64, 500),
        }
    }
}
