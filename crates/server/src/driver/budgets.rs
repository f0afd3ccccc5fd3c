//! The table of accounts: one for each user that is connected or still in debt.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tidings_protocol::ErrorCode;
use tidings_server_core::{
    Limits, Refused,
    budget::{Account, Cost, Kind, UsedUp},
};
use tokio::time::{interval, sleep};

use super::{clock::Clock, node::Node};
use crate::{bus::BusMessage, refusals::Refusals};

/// Accounts stored besides those of connected users. Beyond this, accounts without debt are
/// forgotten. If all have debt, a new user gets an account that only their own connection knows, so
/// that a full table never refuses a user without use.
const MOST: usize = 100_000;
/// Parts of the table. Each has its own lock, so that a scan of one part delays few callers.
const PARTS: usize = 16;
/// Most users in one message to other nodes; the others follow a second later.
const TOLD_AT_ONCE: usize = 1_000;
/// Interval of the reports to other nodes, the log and the metrics.
const EVERY: Duration = Duration::from_secs(1);

/// The table of accounts.
#[derive(Debug)]
pub struct Budgets {
    limits: Arc<Limits>,
    clock: Clock,
    hasher: RandomState,
    parts: Vec<Mutex<Part>>,
    /// Most accounts in a part.
    most: usize,
}

#[derive(Debug)]
struct Part {
    accounts: HashMap<Box<str>, Arc<Account>>,
    /// Number of accounts at which the part is scanned.
    tidy_at: usize,
}

impl Budgets {
    /// An empty table, with room for the users of this many connections and for users that left in
    /// debt.
    #[must_use]
    pub fn new(limits: Arc<Limits>, clock: Clock, connections: usize) -> Self {
        let part = || Mutex::new(Part { accounts: HashMap::new(), tidy_at: 64 });
        Self {
            limits,
            clock,
            hasher: RandomState::new(),
            parts: std::iter::repeat_with(part).take(PARTS).collect(),
            most: connections.saturating_add(MOST).div_ceil(PARTS),
        }
    }

    /// A user's account.
    #[must_use]
    pub fn account(&self, user: &str) -> Arc<Account> {
        let now = self.clock.now().mono;
        let Some(mut part) = self.part(user) else { return Arc::default() };
        if let Some(account) = part.accounts.get(user) {
            return Arc::clone(account);
        }
        part.tidy(now, self.most);
        let account = Arc::<Account>::default();
        if part.accounts.len() < self.most {
            part.accounts.insert(user.into(), Arc::clone(&account));
        }
        account
    }

    /// Takes a cost from a user's account.
    ///
    /// # Errors
    /// `flood` with the kind that is used up.
    pub fn spend(&self, user: &str, cost: Cost) -> Result<(), Refused> {
        let now = self.clock.now().mono;
        Ok(self.account(user).take(now, cost, &self.limits)?)
    }

    /// Takes a cost once it is available: frequent callers wait, and so keep to the rate.
    ///
    /// # Errors
    /// `flood` if the wait would be too long.
    pub async fn pace(&self, user: &str, cost: Cost) -> Result<(), Refused> {
        let account = self.account(user);
        let until = self.clock.now().mono.saturating_add(self.limits.timeout_ms);
        loop {
            let now = self.clock.now().mono;
            let Err(used_up) = account.take(now, cost, &self.limits) else { return Ok(()) };
            let UsedUp { retry_after_ms, .. } = used_up;
            if now.saturating_add(retry_after_ms) > until {
                return Err(used_up.into());
            }
            sleep(Duration::from_millis(retry_after_ms)).await;
        }
    }

    /// Counts use that another node let through.
    pub fn used_elsewhere(&self, user: &str, cost: Cost) {
        let now = self.clock.now().mono;
        self.account(user).used_elsewhere(now, cost, &self.limits);
    }

    /// Unreported use for other nodes, and unreported refusals.
    fn news(&self) -> News {
        let (mut used, mut refused) = (Vec::new(), Vec::new());
        for part in &self.parts {
            for (user, account) in &lock(part).accounts {
                if used.len() < TOLD_AT_ONCE
                    && let Some(cost) = account.take_unreported(&self.limits)
                {
                    used.push(BusMessage::Used { user: user.to_string(), cost });
                }
                for (kind, count) in Kind::ALL.into_iter().zip(account.take_refused()) {
                    if count > 0 {
                        refused.push((user.clone(), kind, count));
                    }
                }
            }
        }
        News { used, refused }
    }

    fn part(&self, user: &str) -> Option<MutexGuard<'_, Part>> {
        let place = usize::try_from(self.hasher.hash_one(user) % PARTS as u64).unwrap_or_default();
        self.parts.get(place).map(lock)
    }
}

/// Use and refusals that are not reported yet.
#[derive(Debug, PartialEq, Eq)]
struct News {
    used: Vec<BusMessage>,
    /// By user and kind.
    refused: Vec<(Box<str>, Kind, u64)>,
}

impl Part {
    /// Forgets the accounts of disconnected users without debt. Scans only when the part has
    /// doubled, so that a new user's cost does not depend on the number of users.
    fn tidy(&mut self, now: u64, most: usize) {
        if self.accounts.len() < self.tidy_at.min(most) {
            return;
        }
        self.accounts.retain(|_, account| Arc::strong_count(account) > 1 || !account.is_even(now));
        self.tidy_at = (2 * self.accounts.len()).max(64);
    }
}

/// A part is consistent between statements, so a panic elsewhere does no harm.
fn lock(part: &Mutex<Part>) -> MutexGuard<'_, Part> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Each second, reports the use on this node to other nodes, and the refusals to the log and the
/// metrics.
pub(crate) async fn share_usage(node: Arc<Node>, refusals: Arc<Refusals>) {
    let mut turns = interval(EVERY);
    loop {
        turns.tick().await;
        let News { used, refused } = node.budgets.news();
        if let Some(bus) = node.bus.as_ref().filter(|_| !used.is_empty()) {
            bus.publish(&used);
        }
        for (user, kind, count) in refused {
            let kind = kind.as_str();
            metrics::counter!("tidings_budget_refusals_total", "kind" => kind).increment(count);
            let cause = format!("the {kind} of user {user:?} are used up");
            refusals.record(ErrorCode::Flood, &cause, None, Clock::wall());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(burst: u64, most: usize) -> Budgets {
        let mut limits = Limits::default();
        limits.user.messages = tidings_server_core::budget::Rate::every_ms(burst, 3_600_000);
        let mut book = Budgets::new(Arc::new(limits), Clock::start(), 0);
        book.most = most;
        book
    }

    const ONE: Cost = Cost::message(0);

    #[test]
    fn a_user_has_one_account() {
        let book = book(2, 100);
        book.spend("mina", ONE).unwrap();
        book.spend("mina", ONE).unwrap();
        let refused = book.spend("mina", ONE).unwrap_err();
        assert_eq!(refused.code, ErrorCode::Flood);
        assert!(refused.retry_after_ms.is_some_and(|wait| wait > 0));
        book.spend("tom", ONE).unwrap();
        book.used_elsewhere("tom", ONE);
        book.spend("tom", ONE).unwrap_err();
    }

    #[test]
    fn a_full_book_turns_on_no_one_who_used_nothing() {
        let book = book(1, 4);
        for number in 0..1_000 {
            book.spend(&number.to_string(), ONE).unwrap();
        }
        let kept: usize = book.parts.iter().map(|part| lock(part).accounts.len()).sum();
        assert!(kept <= PARTS * 4, "{kept}");
        book.spend("one more", ONE).unwrap();
    }

    #[test]
    fn who_is_gone_and_owes_nothing_is_forgotten_and_who_is_here_is_not() {
        let book = book(1, 1_000_000);
        let _here = book.account("here");
        book.spend("owes", ONE).unwrap();
        for number in 0..10_000 {
            drop(book.account(&number.to_string()));
        }
        let kept: usize = book.parts.iter().map(|part| lock(part).accounts.len()).sum();
        assert!(kept <= 64 * PARTS, "{kept}");
        book.spend("owes", ONE).unwrap_err();
        for user in ["here", "owes"] {
            assert!(book.part(user).unwrap().accounts.contains_key(user));
        }
    }

    #[test]
    fn news_are_told_once() {
        let book = book(64, 100);
        for _ in 0..70 {
            let _some_are_refused = book.spend("mina", ONE);
        }
        let cost = Cost::new([64, 0, 0, 0, 0]);
        let used = vec![BusMessage::Used { user: "mina".to_owned(), cost }];
        let refused = vec![("mina".into(), Kind::Messages, 6)];
        assert_eq!(book.news(), News { used, refused });
        assert_eq!(book.news(), News { used: vec![], refused: vec![] });
    }

    #[tokio::test]
    async fn what_is_paced_waits_or_is_refused() {
        let mut limits = Limits::default();
        limits.user.reads = tidings_server_core::budget::Rate::every_ms(1, 5);
        let quick = Budgets::new(Arc::new(limits.clone()), Clock::start(), 0);
        for _ in 0..3 {
            quick.pace("mina", Cost::READ).await.unwrap();
        }
        limits.user.reads = tidings_server_core::budget::Rate::every_ms(1, 3_600_000);
        let slow = Budgets::new(Arc::new(limits), Clock::start(), 0);
        slow.pace("mina", Cost::READ).await.unwrap();
        assert_eq!(slow.pace("mina", Cost::READ).await.unwrap_err().code, ErrorCode::Flood);
    }
}
