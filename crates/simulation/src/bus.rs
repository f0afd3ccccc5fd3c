//! The bus between nodes: carries hints, and promises nothing.

use tidings_server_core::{hub::Hint, seats::Seat};

use crate::{
    env::{Due, Env, Process},
    tally::Count,
};

/// What one node tells all others.
#[derive(Clone, Debug)]
pub enum News {
    /// A log went on.
    Hint(Hint),
    /// Somebody was revoked.
    Revocation,
    /// A connection lost its place to a newer one of its page.
    Replaced(Seat),
}

/// Redis, say.
#[derive(Debug, Default)]
pub struct Bus {
    /// Counts the times it lost everything.
    generation: u32,
    /// When the last message to a node arrives, to see which overtake it.
    last: u64,
}

impl Bus {
    /// Carries something to these nodes, each for itself.
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

    /// Everything on its way is lost.
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
