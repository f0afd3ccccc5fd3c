//! Runs many seeds on as many threads as there are cores, and collects the results.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use crate::{invariants::Violation, tally::Tally, workload};

/// One seed in this many is run twice (I17).
const TWICE: u64 = 25;

/// The result of a seed.
#[derive(Clone, Debug)]
pub struct Lived {
    /// The seed.
    pub seed: u64,
    /// Hash of its trace; none if it ended in a panic.
    pub trace: Option<u64>,
    /// Counts of events.
    pub tally: Tally,
    /// The invariant that was broken.
    pub violation: Option<Violation>,
}

/// The result of many seeds.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Number of seeds that were run.
    pub seeds: u64,
    /// Counts of events in all of them.
    pub tally: Tally,
    /// Seeds that broke an invariant, in order.
    pub broken: Vec<(u64, Violation)>,
}

/// Runs one seed. A panic in a core or a driver counts as a broken invariant.
#[must_use]
pub fn one(seed: u64, narrated: bool) -> Lived {
    match panic::catch_unwind(AssertUnwindSafe(|| workload::live(seed, narrated))) {
        Ok(world) => Lived {
            seed,
            trace: Some(world.env.trace.hash()),
            tally: world.env.tally,
            violation: world.violation,
        },
        Err(why) => {
            let text = why.downcast_ref::<String>().map(String::as_str);
            let what = text.or_else(|| why.downcast_ref::<&str>().copied());
            let what = what.unwrap_or("a panic").to_owned();
            let violation = Some(Violation { invariant: "no panic", what });
            Lived { seed, trace: None, tally: Tally::default(), violation }
        }
    }
}

/// Runs one seed, now and then twice: the same seed must give the same trace.
fn one_checked(seed: u64) -> Lived {
    let mut lived = one(seed, false);
    if seed.is_multiple_of(TWICE) && lived.violation.is_none() {
        let again = one(seed, false);
        if again.trace != lived.trace {
            let what = format!("{:?}, then {:?}", lived.trace, again.trace);
            lived.violation = Some(Violation { invariant: "I17", what });
        }
    }
    lived
}

/// Runs the seeds from `start` on. `seen` gets each result and says whether to go on.
pub fn many(
    start: u64,
    seeds: u64,
    threads: usize,
    prepare: impl Fn() + Sync,
    seen: impl Fn(&Outcome) -> bool + Sync,
) -> Outcome {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let outcome = Mutex::new(Outcome::default());
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                prepare();
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= seeds {
                        return;
                    }
                    let lived = one_checked(start + index);
                    let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
                    outcome.seeds += 1;
                    outcome.tally.add(&lived.tally);
                    outcome.broken.extend(lived.violation.map(|violation| (lived.seed, violation)));
                    if !seen(&outcome) {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut outcome = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome.broken.sort_by_key(|(seed, _)| *seed);
    outcome
}
