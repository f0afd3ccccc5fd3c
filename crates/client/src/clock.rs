//! What time it is on the server, and whether this machine slept.

use crate::Now;

/// Clocks that part by more than this, in milliseconds, mean sleep or a set clock, not drift.
const JUMP: i64 = 5_000;

/// Offset between this machine's clocks and the server's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    last: Option<Now>,
    /// Server time minus `Now::mono`.
    offset: Option<i64>,
}

impl Clock {
    /// Notes the time of an event. `true`: the two local clocks parted since the last one.
    pub(crate) fn tick(&mut self, now: Now) -> bool {
        let jump = self.last.map_or(0, |last| {
            signed_difference(now.wall, last.wall)
                .saturating_sub(signed_difference(now.mono, last.mono))
        });
        self.last = Some(now);
        if jump > JUMP {
            // The monotonic clock stood still while the machine slept; the server's did not.
            self.offset = self.offset.map(|offset| offset.saturating_add(jump));
        }
        jump.saturating_abs() > JUMP
    }

    /// Learns from an answer; `round_trip` in milliseconds, where known.
    pub(crate) fn learn(&mut self, now: Now, server: u64, round_trip: u64) {
        let server = server.saturating_add(round_trip / 2);
        self.offset = Some(signed_difference(server, now.mono));
    }

    /// Server time in milliseconds since 1970.
    pub(crate) fn server_time(&self, now: Now) -> Option<u64> {
        self.offset.map(|offset| now.mono.saturating_add_signed(offset))
    }
}

fn signed_difference(a: u64, b: u64) -> i64 {
    // Times are far from where this would wrap.
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
    fn sleep_shows_as_clocks_that_part_and_moves_server_time() {
        let mut clock = Clock::default();
        assert!(!clock.tick(at(0, 1_000_000)));
        clock.learn(at(0, 1_000_000), 2_000_000, 0);
        assert!(!clock.tick(at(1_000, 1_001_100)));
        assert!(clock.tick(at(1_100, 1_061_200)));
        assert_eq!(clock.server_time(at(1_100, 0)), Some(2_061_100));
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
