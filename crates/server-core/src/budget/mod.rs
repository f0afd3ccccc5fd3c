//! What one user may use of a node, over all connections, visits, polls and REST requests together.
//!
//! A session's guard holds what concerns one connection: its own rate, its strikes, its patience with
//! nonsense. An [`Account`] holds what concerns its user. Nothing here reads a clock: the monotonic time
//! comes in, and the same calls give the same answers.
//!
//! | file | what |
//! |---|---|
//! | `cost.rs` | what is counted, and what a message or request costs |
//! | `rates.rs` | how much of each a user may use: a burst, and a rate |

mod cost;
mod rates;

pub(crate) use cost::{AT_ONCE, keeps_alive};
pub use cost::{Cost, KINDS, Kind};
pub use rates::{Rate, Rates};

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use tidings_protocol::ErrorCode;

use crate::{Limits, Refused};

/// Nanoseconds of a millisecond: debts are small fractions of one.
const NS: u64 = 1_000_000;
/// Bursts that other nodes' use may put an account into debt by, besides the burst itself: what each of eight nodes lets
/// through at once is paid off whole.
const DEBT: u64 = 7;
/// Other nodes are told of a user who used this part of a burst.
const PART: u64 = 64;
/// Until a request at once too many may come again, in milliseconds.
const VISITS_RETRY_MS: u64 = 1_000;

/// What one user has used. Shared by everything of the user on a node; all changes are atomic.
///
/// Each kind is a token bucket in one number (GCRA): when the use so far is paid off.
#[derive(Debug, Default)]
pub struct Account {
    /// In monotonic nanoseconds.
    paid_until: [AtomicU64; KINDS],
    /// Units that the other nodes were not told of.
    untold: [AtomicU64; KINDS],
    /// Refusals that the log was not told of.
    refused: [AtomicU64; KINDS],
    /// Requests with messages that are here.
    visits: AtomicUsize,
}

/// A request with messages that is here; it leaves when dropped.
#[derive(Debug)]
pub struct Visit(Arc<Account>);

/// A kind that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedUp {
    /// Of what.
    pub kind: Kind,
    /// When as much is there again as is usually asked for at once, in milliseconds.
    pub retry_after_ms: u64,
}

impl Account {
    /// Takes all of it, or nothing. `now` is monotonic.
    ///
    /// # Errors
    /// The first kind that is used up.
    pub fn take(&self, now: u64, cost: Cost, limits: &Limits) -> Result<(), UsedUp> {
        let now = now.saturating_mul(NS);
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            let (units, rate) = (cost.of(kind), limits.user.rate(kind));
            if let Err(wait) = self.take_kind(kind, now, units, rate) {
                for taken in Kind::ALL.into_iter().take(place) {
                    let back = limits.user.rate(taken).time(cost.of(taken));
                    self.paid_until[taken.place()].fetch_sub(back, Ordering::Relaxed);
                }
                self.refused[kind.place()].fetch_add(1, Ordering::Relaxed);
                return Err(UsedUp { kind, retry_after_ms: wait.div_ceil(NS).max(1) });
            }
        }
        self.note(cost);
        Ok(())
    }

    /// Counts what is never refused here, because a connection ends without it and its own guard bounds it: pings, pongs,
    /// new credentials. It puts nobody into debt.
    pub fn count(&self, now: u64, cost: Cost, limits: &Limits) {
        self.add(now, cost, limits, 0);
        self.note(cost);
    }

    /// Another node let this much through.
    pub fn used_elsewhere(&self, now: u64, cost: Cost, limits: &Limits) {
        self.add(now, cost, limits, DEBT);
    }

    /// Lets one more request with messages in.
    ///
    /// # Errors
    /// `flood` where too many are here.
    pub fn visit(self: &Arc<Self>, limits: &Limits) -> Result<Visit, Refused> {
        let one_more = |here: usize| (here < limits.user_visits).then_some(here + 1);
        match self.visits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more) {
            Ok(_) => Ok(Visit(Arc::clone(self))),
            Err(here) => Err(Refused {
                retry_after_ms: Some(VISITS_RETRY_MS),
                ..Refused::new(
                    ErrorCode::Flood,
                    format!("{here} requests of this user are here already (`user_visits`)"),
                )
            }),
        }
    }

    /// What the other nodes are to be told, once it is more than a small part of a budget; then it counts as told.
    #[must_use]
    pub fn take_untold(&self, limits: &Limits) -> Option<Cost> {
        let units = |kind: Kind| self.untold[kind.place()].load(Ordering::Relaxed);
        let is_much =
            Kind::ALL.into_iter().any(|kind| units(kind) > limits.user.rate(kind).burst / PART);
        is_much.then(|| Cost::new(self.untold.each_ref().map(|one| one.swap(0, Ordering::Relaxed))))
    }

    /// Refusals since the last call, by kind.
    #[must_use]
    pub fn take_refused(&self) -> [u64; KINDS] {
        self.refused.each_ref().map(|one| one.swap(0, Ordering::Relaxed))
    }

    /// Nothing is held against the user any more: a new account would do as well. `now` is monotonic.
    #[must_use]
    pub fn is_even(&self, now: u64) -> bool {
        let now = now.saturating_mul(NS);
        self.paid_until.iter().all(|paid| paid.load(Ordering::Relaxed) <= now)
            && self.visits.load(Ordering::Relaxed) == 0
    }

    fn take_kind(&self, kind: Kind, now: u64, units: u64, rate: Rate) -> Result<(), u64> {
        if units == 0 {
            return Ok(());
        }
        // What is larger than a burst passes where nothing is owed.
        let most = now.saturating_add(rate.time(rate.burst.max(units)));
        let paid = |until: u64| until.max(now).saturating_add(rate.time(units));
        let place = &self.paid_until[kind.place()];
        let within = |until: u64| Some(paid(until)).filter(|paid| *paid <= most);
        place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).map(drop).map_err(
            |until| {
                let several = kind.at_once().min(rate.burst).saturating_sub(units);
                (paid(until) - most).saturating_add(rate.time(several))
            },
        )
    }

    fn add(&self, now: u64, cost: Cost, limits: &Limits, debt: u64) {
        let now = now.saturating_mul(NS);
        for kind in Kind::ALL {
            let (units, rate) = (cost.of(kind), limits.user.rate(kind));
            if units == 0 {
                continue;
            }
            let most = now.saturating_add(rate.time(rate.burst.saturating_mul(1 + debt)));
            let paid = |until: u64| {
                // What is owed already is not forgiven.
                Some(until.max(until.max(now).saturating_add(rate.time(units)).min(most)))
            };
            let place = &self.paid_until[kind.place()];
            let _always = place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, paid);
        }
    }

    fn note(&self, cost: Cost) {
        for kind in Kind::ALL {
            if cost.of(kind) > 0 {
                self.untold[kind.place()].fetch_add(cost.of(kind), Ordering::Relaxed);
            }
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.visits.fetch_sub(1, Ordering::Relaxed);
    }
}

impl From<UsedUp> for Refused {
    fn from(UsedUp { kind, retry_after_ms }: UsedUp) -> Self {
        let detail =
            format!("the {} of this user are used up, over all connections", kind.as_str());
        Self { retry_after_ms: Some(retry_after_ms), ..Self::new(ErrorCode::Flood, detail) }
    }
}

#[cfg(test)]
mod tests;
