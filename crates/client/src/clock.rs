//! The server's time, and whether this machine slept.

use crate::Now;

/// If the two clocks diverge by more milliseconds than this, the machine slept or its clock was
/// set; it is not drift.
const JUMP: i64 = 5_000;

/// Offset between this machine's clocks and the server's.
///
/// When the wall clock jumps ahead of the monotonic clock, either the machine slept or its clock
/// was set. The client can't tell which, and only sleep moves server time. The server tells its
/// time within a heartbeat, on every transport.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    last: Option<Now>,
    /// Server time minus `Now::mono`, as of the server's last message about it.
    offset: Option<i64>,
    /// Milliseconds that this machine seems to have slept since then.
    slept: i64,
}

impl Clock {
    /// Notes the time of an event. `true`: the two local clocks diverged since the last event.
    pub(crate) fn tick(&mut self, now: Now) -> bool {
        let jump = self.last.map_or(0, |last| {
            signed_difference(now.wall, last.wall)
                .saturating_sub(signed_difference(now.mono, last.mono))
        });
        self.last = Some(now);
        if jump > JUMP {
            self.slept = self.slept.saturating_add(jump);
        }
        jump.saturating_abs() > JUMP
    }

    /// Takes the server's time; `round_trip` in milliseconds, if known.
    pub(crate) fn learn(&mut self, now: Now, server: u64, round_trip: u64) {
        let server = server.saturating_add(round_trip / 2);
        self.offset = Some(signed_difference(server, now.mono));
        self.slept = 0;
    }

    /// Server time in milliseconds since 1970. After an unexplained jump, it assumes that the
    /// machine slept.
    pub(crate) fn server_time(&self, now: Now) -> Option<u64> {
        let offset = self.offset?.saturating_add(self.slept);
        Some(now.mono.saturating_add_signed(offset))
    }

    /// Milliseconds that have passed at least since a server time: an unexplained jump makes
    /// nothing older.
    pub(crate) fn age(&self, now: Now, at: u64) -> u64 {
        let offset = self.offset.unwrap_or_default();
        now.mono.saturating_add_signed(offset).saturating_sub(at)
    }
}

fn signed_difference(a: u64, b: u64) -> i64 {
    // Real times are far from the wrap-around.
    a.wrapping_sub(b).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono: u64, wall: u64) -> Now {
        Now { mono, wall }
    }

    #[test]
    fn server_time_runs_on_the_monotonic_clock() {
        let mut clock = Clock::default();
        assert_eq!(clock.server_time(at(0, 0)), None);
        clock.learn(at(1_000, 50), 1_700_000_000_000, 80);
        assert_eq!(clock.server_time(at(3_000, 0)), Some(1_700_000_002_040));
    }

    #[test]
    fn sleep_shows_as_clocks_that_part_and_moves_server_time_until_the_server_says_it() {
        let mut clock = Clock::default();
        assert!(!clock.tick(at(0, 1_000_000)));
        clock.learn(at(0, 1_000_000), 2_000_000, 0);
        assert!(!clock.tick(at(1_000, 1_001_100)));
        assert!(clock.tick(at(1_100, 1_061_200)));
        assert_eq!(clock.server_time(at(1_100, 0)), Some(2_061_100));
        assert_eq!(clock.age(at(1_100, 0), 2_000_100), 1_000, "the clock may have been set");
        clock.learn(at(1_100, 1_061_200), 2_001_100, 0);
        assert_eq!(clock.server_time(at(1_100, 0)), Some(2_001_100), "and was");
    }

    #[test]
    fn a_clock_set_back_is_a_jump_but_does_not_turn_server_time_back() {
        let mut clock = Clock::default();
        clock.tick(at(0, 1_000_000));
        clock.learn(at(0, 1_000_000), 2_000_000, 0);
        assert!(clock.tick(at(1_000, 1_000)));
        assert_eq!(clock.server_time(at(1_000, 0)), Some(2_001_000));
    }
}
