//! Bounds how much of a node one user may use, over all connections, `POST` requests with messages,
//! polls and REST requests together.
//!
//! A session's guard bounds one connection: its rate, its strikes, and its unreadable messages. An
//! [`Account`] bounds one user. Nothing here reads a clock: the monotonic time comes in, and the
//! same calls give the same answers.
//!
//! | file | content |
//! |---|---|
//! | `cost.rs` | the kinds of use, and the cost of a message or request |
//! | `rates.rs` | how much of each kind a user may use: a burst, and a rate |

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
/// Extra bursts of debt that other nodes' reports may add. Each of eight nodes may let one burst
/// through at the same time; this debt covers them all.
const DEBT: u64 = 7;
/// A user's use is reported to other nodes once it exceeds this fraction of a burst (1/64).
const PART: u64 = 64;
/// Retry time for a request over the bound of concurrent requests, in milliseconds.
const REQUESTS_RETRY_MS: u64 = 1_000;

/// The use of one user. All connections and requests of the user on a node share it; all changes
/// are atomic.
///
/// Each kind is a token bucket in one number (GCRA): the time at which the use so far is paid off.
#[derive(Debug, Default)]
pub struct Account {
    /// In monotonic nanoseconds.
    paid_until: [AtomicU64; KINDS],
    /// Units not yet reported to other nodes.
    unreported: [AtomicU64; KINDS],
    /// Refusals not yet reported to the log.
    refused: [AtomicU64; KINDS],
    /// Requests with messages in progress.
    requests: AtomicUsize,
}

/// A request with messages in progress. It ends when dropped.
#[derive(Debug)]
pub struct RequestPermit(Arc<Account>);

/// A kind that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedUp {
    /// The kind.
    pub kind: Kind,
    /// Milliseconds until as much is available again as clients usually send at once.
    pub retry_after_ms: u64,
}

impl Account {
    /// Takes the whole cost, or nothing. `now` is monotonic.
    ///
    /// # Errors
    /// The first kind that is used up.
    pub fn take(&self, now: u64, cost: Cost, limits: &Limits) -> Result<(), UsedUp> {
        let now = now.saturating_mul(NS);
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            let (units, rate) = (cost.of(kind), limits.user.rate(kind));
            if let Err(wait) = self.take_kind(kind, now, units, rate) {
                // All or nothing: the kinds taken before are given back.
                for taken in Kind::ALL.into_iter().take(index) {
                    let back = limits.user.rate(taken).time(cost.of(taken));
                    self.paid_until[taken.index()].fetch_sub(back, Ordering::Relaxed);
                }
                self.refused[kind.index()].fetch_add(1, Ordering::Relaxed);
                return Err(UsedUp { kind, retry_after_ms: wait.div_ceil(NS).max(1) });
            }
        }
        self.note(cost);
        Ok(())
    }

    /// Counts messages that are never refused here: pings, pongs, new credentials. A connection
    /// would end without them, and its own guard bounds them. They cause no debt.
    pub fn count(&self, now: u64, cost: Cost, limits: &Limits) {
        self.add(now, cost, limits, 0);
        self.note(cost);
    }

    /// Counts use that another node let through.
    pub fn used_elsewhere(&self, now: u64, cost: Cost, limits: &Limits) {
        self.add(now, cost, limits, DEBT);
    }

    /// Admits one more request with messages.
    ///
    /// # Errors
    /// `flood` if too many are in progress.
    pub fn begin_request(self: &Arc<Self>, limits: &Limits) -> Result<RequestPermit, Refused> {
        let one_more = |here: usize| (here < limits.user_visits).then_some(here + 1);
        match self.requests.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more) {
            Ok(_) => Ok(RequestPermit(Arc::clone(self))),
            Err(here) => Err(Refused {
                retry_after_ms: Some(REQUESTS_RETRY_MS),
                ..Refused::new(
                    ErrorCode::Flood,
                    format!("{here} requests of this user are here already (`user_visits`)"),
                )
            }),
        }
    }

    /// The use to report to other nodes, once it is more than a small part of a burst. It then
    /// counts as reported.
    #[must_use]
    pub fn take_unreported(&self, limits: &Limits) -> Option<Cost> {
        let units = |kind: Kind| self.unreported[kind.index()].load(Ordering::Relaxed);
        let is_much =
            Kind::ALL.into_iter().any(|kind| units(kind) > limits.user.rate(kind).burst / PART);
        is_much.then(|| {
            Cost::new(self.unreported.each_ref().map(|one| one.swap(0, Ordering::Relaxed)))
        })
    }

    /// Refusals since the last call, by kind.
    #[must_use]
    pub fn take_refused(&self) -> [u64; KINDS] {
        self.refused.each_ref().map(|one| one.swap(0, Ordering::Relaxed))
    }

    /// Whether the account holds nothing against the user, so that a new account would be the same.
    /// `now` is monotonic.
    #[must_use]
    pub fn is_even(&self, now: u64) -> bool {
        let now = now.saturating_mul(NS);
        self.paid_until.iter().all(|paid| paid.load(Ordering::Relaxed) <= now)
            && self.requests.load(Ordering::Relaxed) == 0
    }

    fn take_kind(&self, kind: Kind, now: u64, units: u64, rate: Rate) -> Result<(), u64> {
        if units == 0 {
            return Ok(());
        }
        // A cost above the burst passes if the user owes nothing.
        let most = now.saturating_add(rate.time(rate.burst.max(units)));
        // GCRA: each unit moves the time of pay-off on, at most one burst ahead of now.
        let paid = |until: u64| until.max(now).saturating_add(rate.time(units));
        let index = &self.paid_until[kind.index()];
        let within = |until: u64| Some(paid(until)).filter(|paid| *paid <= most);
        index.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).map(drop).map_err(
            |until| {
                // The wait is for as many units as clients send at once, not for one.
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
                // Existing debt stays.
                Some(until.max(until.max(now).saturating_add(rate.time(units)).min(most)))
            };
            let index = &self.paid_until[kind.index()];
            let _always = index.fetch_update(Ordering::Relaxed, Ordering::Relaxed, paid);
        }
    }

    fn note(&self, cost: Cost) {
        for kind in Kind::ALL {
            if cost.of(kind) > 0 {
                self.unreported[kind.index()].fetch_add(cost.of(kind), Ordering::Relaxed);
            }
        }
    }
}

impl Drop for RequestPermit {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
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
