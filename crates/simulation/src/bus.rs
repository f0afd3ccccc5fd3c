//! The bus between nodes. It carries hints and guarantees nothing.

use tidings_server_core::{hub::Hint, leases::ConnectionId};

use crate::{
    env::{Due, Env, Process},
    tally::Count,
};

/// A message from one node to all others.
#[derive(Clone, Debug)]
pub enum News {
    /// A log has new records.
    Hint(Hint),
    /// A credential was revoked.
    Revocation,
    /// A newer connection of the same page replaced this one.
    Replaced(ConnectionId),
}

/// Plays Redis.
#[derive(Debug, Default)]
pub struct Bus {
    /// Counts how often the bus lost everything.
    generation: u32,
    /// Arrival time of the last message to a node, to count messages that overtake it.
    last: u64,
}

impl Bus {
    /// Sends a message to each of these nodes.
    pub fn publish(&mut self, env: &mut Env, news: &News, to: impl Iterator<Item = Process>) {
        for of in to {
            if env.strikes(env.faults.hint_lost, Count::HintLost) {
                continue;
            }
            let copies =
                if env.strikes(env.faults.hint_doubled, Count::HintDoubled) { 2 } else { 1 };
            for _ in 0..copies {
                let wait = env.rng.between(1, env.faults.hint_delay);
                let at = env.now.mono + wait;
                env.tally.more(Count::HintLate, u64::from(at < self.last));
                self.last = self.last.max(at);
                let generation = self.generation;
                env.after(wait, Due::Hinted { of, generation, news: news.clone() });
            }
        }
    }

    /// Loses every message that is under way.
    pub fn flush(&mut self, env: &mut Env) {
        env.tally.count(Count::BusFlush);
        self.generation += 1;
    }

    /// Whether a message of this generation still arrives.
    #[must_use]
    pub const fn carries(&self, generation: u32) -> bool {
        generation == self.generation
    }
}
