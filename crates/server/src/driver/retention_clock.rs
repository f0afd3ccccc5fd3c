//! The clock that decides when data is forgotten, for all parts of the server.

use std::sync::{Arc, Mutex, PoisonError};

use tidings_server_core::{
    Now,
    retention_clock::{self, Checkpoint, Doubts, Moment, News},
    store::{Answer, Op, Query, Store, StoreError, Write},
};

use super::clock::Clock;

/// Least time between two writes of the clock's state, in milliseconds. Otherwise an idle server
/// would write each minute.
const WRITE_EVERY: u64 = 300_000;

/// The steady clock of this process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RetentionClock {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    steady: retention_clock::RetentionClock,
    written: Option<Checkpoint>,
}

impl RetentionClock {
    /// Continues from the state in the store. Blocks on the store.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn start(store: &dyn Store, clock: Clock, doubts: Doubts) -> Result<Self, StoreError> {
        let (checkpoint, now) = ask(store, clock)?;
        let (steady, news) = retention_clock::RetentionClock::start(checkpoint, now, doubts);
        log(news);
        let state = Arc::new(Mutex::new(State { steady, written: checkpoint }));
        Ok(Self { clock, state })
    }

    /// The steady time.
    #[must_use]
    pub fn now(&self) -> u64 {
        let mono = self.clock.now().mono;
        self.state.lock().unwrap_or_else(PoisonError::into_inner).steady.at(mono)
    }

    /// Both times as they are now.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment { steady: self.now(), wall: Clock::wall() }
    }

    /// Updates the clock. Returns the moment, and the state to save. Blocks on the store.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn hear(&self, store: &dyn Store) -> Result<(Moment, Option<Write>), StoreError> {
        let (checkpoint, now) = ask(store, self.clock)?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        log(state.steady.hear(now, checkpoint));
        let doubted = state.steady.checkpoint().is_none();
        metrics::gauge!("tidings_clock_doubted").set(f64::from(u8::from(doubted)));
        let to_write = state.steady.checkpoint().filter(|checkpoint| match state.written {
            Some(written) => {
                let jumped = checkpoint.wall.abs_diff(written.wall) >= WRITE_EVERY;
                jumped || checkpoint.steady.abs_diff(written.steady) >= WRITE_EVERY
            }
            None => true,
        });
        if to_write.is_some() {
            state.written = to_write;
        }
        let write = |checkpoint| Write { key: None, lane: None, op: Op::SaveClock(checkpoint) };
        Ok((state.steady.moment(), to_write.map(write)))
    }
}

/// Reads the saved state and both clocks. A store that nodes share has a wall clock that counts for
/// all of them.
fn ask(store: &dyn Store, clock: Clock) -> Result<(Option<Checkpoint>, Now), StoreError> {
    let answer = store.read(&[Query::Clock])?.pop();
    let now = clock.now();
    match answer {
        Some(Ok(Answer::Clock { checkpoint, wall })) => {
            Ok((checkpoint, Now { wall: wall.unwrap_or(now.wall), ..now }))
        }
        Some(Err(error)) => Err(error),
        _ => Err(StoreError::Unavailable("the store keeps no clock".to_owned())),
    }
}

fn log(news: Option<News>) {
    match news {
        None => {}
        Some(News::Stepped { by }) => {
            metrics::counter!("tidings_clock_steps_total").increment(1);
            tracing::warn!(by_ms = by, "the wall clock made a step: nothing is forgotten for it");
        }
        Some(News::Doubted { away }) => {
            tracing::warn!(
                away_ms = away,
                "by the wall clock the server was away for long: the time counts for retention once the clock was steady for retention.clock_trust_ms"
            );
        }
        Some(News::Trusted { away }) => {
            tracing::info!(away_ms = away, "the time away counts for retention");
        }
    }
}
