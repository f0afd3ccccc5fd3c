//! Fallback and upgrade: which transport the client uses.
//!
//! ```text
//!   ws ──does not open, or is cut again and again──► sse ──does not open, or is held back──► poll ──► ws …
//!    ▲                                                │                                        │
//!    └───────────a probe gets through─────────────────┴────────────────────────────────────────┘
//! ```
//!
//! A server that is down looks like a network that lets nothing through. So there is no last
//! transport: after the worst the client tries the best again. A transport that once worked gets a
//! second attempt before the fallback. If idle connections are cut, the client first shortens its
//! heartbeat, and falls back only if that does not help.

use crate::{Config, TransportKind, rng::Rng};

/// Shortest heartbeat in milliseconds.
const HEARTBEAT_MIN: u64 = 1_000;
/// A connection that was silent for fewer milliseconds was not cut because it was idle.
const IDLE_MIN: u64 = 1_000;
/// A connection that lasted this many milliseconds does not count among those that are cut
/// repeatedly.
const LIVED: u64 = 60_000;
/// Silent connections cut in a row until the client falls back.
const CUTS_MAX: u32 = 4;
/// Most doublings of the wait before an upgrade.
const DOUBLINGS_MAX: u32 = 5;

/// The transport in use, and what the client knows of the network. [`Fallback::reset`] is for a
/// change of network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fallback {
    /// Index in `Config::transports`.
    level: u8,
    /// Failed attempts in a row on this transport.
    missed: u8,
    /// Transports that have worked, one bit each.
    proven: u8,
    /// Connections cut in silence, in a row.
    cuts: u32,
    /// Failed upgrades in a row.
    upgrades: u32,
    /// Milliseconds of silence before the last cut.
    idle: u64,
    /// Monotonic time at which the connection was accepted.
    accepted: u64,
    /// Longest silence that the network is known to allow, in milliseconds.
    pub(crate) heartbeat: u64,
}

impl Default for Fallback {
    fn default() -> Self {
        Self {
            level: 0,
            missed: 0,
            proven: 0,
            cuts: 0,
            upgrades: 0,
            idle: 0,
            accepted: 0,
            heartbeat: u64::MAX,
        }
    }
}

impl Fallback {
    /// The transport to use.
    pub(crate) fn kind(&self, config: &Config) -> TransportKind {
        kind_of(self.level, config)
    }

    /// Whether this is the best transport.
    pub(crate) fn is_best(&self) -> bool {
        self.level == 0
    }

    /// A connection was accepted at this time.
    pub(crate) fn accepted(&mut self, now: u64) {
        self.accepted = now;
        self.proven |= 1 << self.level;
    }

    /// An attempt did not reach a server.
    pub(crate) fn missed(&mut self, config: &Config) {
        self.missed += 1;
        let chances = if self.proven & (1 << self.level) == 0 { 1 } else { 2 };
        if self.missed >= chances {
            self.fall_back(config);
        }
    }

    /// A connection ended without a reason. `last_received`: when it last brought data.
    pub(crate) fn cut(&mut self, now: u64, last_received: u64, config: &Config) {
        let lived = now.saturating_sub(self.accepted);
        let idle = lived.min(now.saturating_sub(last_received));
        if lived < IDLE_MIN {
            // It was too short to be cut for idleness: it was let in and then dropped.
            self.missed(config);
            return;
        }
        self.missed = 0;
        // A connection that lasted ends the series of cuts.
        if lived >= LIVED {
            self.cuts = 0;
        }
        if idle < IDLE_MIN {
            return;
        }
        self.cuts += 1;
        // One cut may be an accident; two after the same silence are a rule of the network.
        if idle.abs_diff(self.idle) <= (idle / 5).max(500) {
            let borne = (idle * 3 / 5).max(HEARTBEAT_MIN);
            self.heartbeat = self.heartbeat.min(borne);
        }
        self.idle = idle;
        if self.cuts >= CUTS_MAX {
            self.fall_back(config);
        }
    }

    /// The transport opens, but brings no data.
    pub(crate) fn fall_back(&mut self, config: &Config) {
        self.missed = 0;
        self.cuts = 0;
        self.level += 1;
        if usize::from(self.level) >= config.transports.len() {
            self.level = 0;
        }
    }

    /// The network changed: knowledge about the old one is void.
    pub(crate) fn reset(&mut self) {
        *self = Self { accepted: self.accepted, ..Self::default() };
    }

    /// A connection works on this transport.
    pub(crate) fn set_to(&mut self, kind: TransportKind, config: &Config) {
        if let Some(level) = config.transports.iter().position(|other| *other == kind) {
            self.level = level as u8;
        }
    }

    /// Milliseconds until the next upgrade is tried; `None`: there is no better transport.
    pub(crate) fn upgrade_in(&self, config: &Config, rng: &mut Rng) -> Option<u64> {
        if self.is_best() {
            return None;
        }
        let wait = config.upgrade_after << self.upgrades.min(DOUBLINGS_MAX);
        // It worked before, so probably only the server was down.
        let wait = if self.proven & 1 == 0 { wait } else { wait / 6 };
        Some(wait.saturating_add(rng.up_to(wait / 4)))
    }

    /// The transport to try: the best one, and the others in turn.
    pub(crate) fn higher(&self, config: &Config) -> (u8, TransportKind) {
        let level = (self.upgrades % u32::from(self.level.max(1))) as u8;
        (level, kind_of(level, config))
    }

    /// A better transport works, and is used from now on.
    pub(crate) fn upgraded(&mut self, level: u8) {
        *self = Self { level, missed: 0, cuts: 0, upgrades: 0, ..*self };
    }

    /// A better transport did not work.
    pub(crate) fn upgrade_failed(&mut self) {
        self.upgrades += 1;
    }
}

fn kind_of(level: u8, config: &Config) -> TransportKind {
    config.transports.get(usize::from(level)).copied().unwrap_or(TransportKind::Ws)
}

#[cfg(test)]
mod tests {
    use super::*;

    use TransportKind::{Poll, Sse, Ws};

    fn config() -> Config {
        let mut config = Config::new(1, "page".into(), "lane".into());
        config.transports = vec![Ws, Sse, Poll];
        config
    }

    #[test]
    fn what_never_got_through_is_left_at_once_and_what_did_at_the_second_miss() {
        let config = config();
        let mut fallback = Fallback::default();
        let mut kinds = Vec::new();
        for _ in 0..5 {
            kinds.push(fallback.kind(&config));
            fallback.missed(&config);
        }
        assert_eq!(kinds, [Ws, Sse, Poll, Ws, Sse]);

        let mut fallback = Fallback::default();
        fallback.accepted(0);
        let mut kinds = Vec::new();
        for _ in 0..6 {
            kinds.push(fallback.kind(&config));
            fallback.missed(&config);
        }
        assert_eq!(kinds, [Ws, Ws, Sse, Poll, Ws, Ws]);
    }

    #[test]
    fn one_transport_is_never_left() {
        let mut config = config();
        config.transports = vec![Ws];
        let mut fallback = Fallback::default();
        for _ in 0..9 {
            fallback.missed(&config);
            assert_eq!(fallback.kind(&config), Ws);
        }
        assert_eq!(fallback.upgrade_in(&config, &mut Rng::new(1)), None);
    }

    #[test]
    fn the_second_cut_after_the_same_silence_shortens_the_heartbeat() {
        let config = config();
        let mut fallback = Fallback::default();
        fallback.accepted(0);
        fallback.cut(20_000, 15_000, &config);
        assert_eq!(fallback.heartbeat, u64::MAX, "one is an accident");
        fallback.accepted(30_000);
        fallback.cut(35_400, 30_200, &config);
        assert_eq!(fallback.heartbeat, 3_120);
        assert_eq!(fallback.kind(&config), Ws);
        // The shorter heartbeat did not help.
        fallback.accepted(40_000);
        fallback.cut(42_000, 40_100, &config);
        fallback.accepted(50_000);
        fallback.cut(52_000, 50_100, &config);
        assert_eq!((fallback.heartbeat, fallback.kind(&config)), (1_140, Sse));
    }

    #[test]
    fn accidents_far_apart_mean_nothing() {
        let config = config();
        let mut fallback = Fallback::default();
        let mut now = 0;
        for idle in [2_000, 9_000, 3_000, 20_000, 5_000, 11_000] {
            fallback.accepted(now);
            now += 100_000;
            fallback.cut(now, now - idle, &config);
        }
        assert_eq!((fallback.heartbeat, fallback.kind(&config)), (u64::MAX, Ws));
    }

    #[test]
    fn who_is_let_in_and_thrown_out_at_once_was_not_let_in() {
        let config = config();
        let mut fallback = Fallback::default();
        for (now, after) in [(0, Ws), (1_000, Sse), (2_000, Sse), (3_000, Poll)] {
            fallback.accepted(now);
            fallback.cut(now + 50, now + 40, &config);
            assert_eq!(fallback.kind(&config), after, "{now}");
        }
    }

    #[test]
    fn upgrades_take_turns_and_come_ever_later() {
        let config = config();
        let mut fallback = Fallback::default();
        let mut rng = Rng::new(3);
        fallback.missed(&config);
        fallback.missed(&config);
        assert_eq!(fallback.kind(&config), Poll);
        let mut tried = Vec::new();
        for doubling in [1, 2, 4, 8, 16, 32, 32] {
            let wait = fallback.upgrade_in(&config, &mut rng).unwrap();
            let least = config.upgrade_after * doubling;
            assert!((least..=least * 5 / 4).contains(&wait), "{wait}");
            tried.push(fallback.higher(&config).1);
            fallback.upgrade_failed();
        }
        assert_eq!(tried, [Ws, Sse, Ws, Sse, Ws, Sse, Ws]);
        fallback.upgraded(1);
        assert_eq!(fallback.kind(&config), Sse);
        assert_eq!(fallback.higher(&config).1, Ws);
        fallback.reset();
        assert_eq!(fallback.kind(&config), Ws);
    }
}
