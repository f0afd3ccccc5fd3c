//! Refusals in the log: one line for each cause and minute, with their number. A line never
//! contains a credential.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, OnceLock, PoisonError},
};

use tidings_protocol::ErrorCode;
use tidings_server_core::Principal;

/// Causes with their own line at a time; further causes share one line for each code.
pub(crate) const CAUSES: usize = 64;
/// Longest cause, because parts of it may come from an unauthenticated client.
const CHARS: usize = 200;

const MINUTE: u64 = 60_000;

/// Writes refusals to the log.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    recorded: Mutex<Recorded>,
    /// Set once an unknown proxy was logged.
    of_proxy: OnceLock<()>,
}

impl Refusals {
    /// A request or connection was refused.
    pub(crate) fn record(&self, code: ErrorCode, cause: &str, address: Option<IpAddr>, wall: u64) {
        let cause = if cause.is_empty() { code.advice() } else { cause };
        let cause: String = cause.chars().take(CHARS).collect();
        let Some((cause, count)) = self.recorded().count(code, cause, wall) else { return };
        let address = address.map(|address| address.to_string()).unwrap_or_default();
        let code = code.as_str();
        match code {
            // These are ordinary ends.
            "expired" | "slow_consumer" => tracing::info!(code, cause, count, address, "refused"),
            _ => tracing::warn!(code, cause, count, address, "refused"),
        }
    }

    /// Requests seem to come through a proxy that the settings do not name. Logged only once,
    /// because any client may forge the forwarded address.
    pub(crate) fn record_proxy(&self, address: IpAddr) {
        if self.of_proxy.set(()).is_ok() {
            tracing::warn!(
                %address,
                "a proxy at this address forwards clients' addresses and is not in `trusted_proxies`: all its clients share one limit by address"
            );
        }
    }

    /// A share of a bound is used up.
    pub(crate) fn record_share(&self, cause: &str, whose: &Principal, wall: u64) {
        let recorded = self.recorded().count(ErrorCode::Busy, cause.to_owned(), wall);
        let Some((cause, count)) = recorded else { return };
        let code = ErrorCode::Busy.as_str();
        match whose {
            Principal::Server => tracing::warn!(code, cause, count, "a share is used up"),
            Principal::ApiKey(key) => {
                tracing::warn!(code, cause, count, %key, "a share is used up")
            }
            Principal::User(user) => {
                tracing::warn!(code, cause, count, %user, "a share is used up")
            }
            Principal::Address(address) => {
                let address = address.map(|address| address.to_string()).unwrap_or_default();
                tracing::warn!(code, cause, count, address, "a share is used up");
            }
        }
    }

    /// Logs how many further refusals followed those of the last minutes.
    pub(crate) fn sum_up(&self, wall: u64) {
        let due = self.recorded().due(wall);
        for (code, cause, count) in due {
            tracing::warn!(code, cause, count, "refused, further times within the last minutes");
        }
    }

    /// The counts are consistent between calls, so a panic elsewhere does no harm.
    fn recorded(&self) -> std::sync::MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Recorded(HashMap<(&'static str, String), Line>);

#[derive(Debug)]
struct Line {
    /// When the last line was written.
    at: u64,
    /// Refusals since then.
    suppressed: u64,
}

impl Recorded {
    /// Counts a refusal. Returns a line to write, if one is due: the cause, and the refusals since
    /// the last line.
    fn count(&mut self, code: ErrorCode, cause: String, wall: u64) -> Option<(String, u64)> {
        let mut key = (code.as_str(), cause);
        if self.0.len() >= CAUSES && !self.0.contains_key(&key) {
            self.0.retain(|_, line| line.suppressed > 0 || wall < line.at.saturating_add(MINUTE));
            if self.0.len() >= CAUSES {
                key.1 = "several causes".to_owned();
            }
        }
        match self.0.get_mut(&key) {
            // After the clock was set back, the count starts again.
            Some(line) if wall >= line.at && wall < line.at.saturating_add(MINUTE) => {
                line.suppressed += 1;
                None
            }
            Some(line) => {
                let count = line.suppressed + 1;
                *line = Line { at: wall, suppressed: 0 };
                Some((key.1, count))
            }
            None => {
                let cause = key.1.clone();
                self.0.insert(key, Line { at: wall, suppressed: 0 });
                Some((cause, 1))
            }
        }
    }

    fn due(&mut self, wall: u64) -> Vec<(&'static str, String, u64)> {
        let mut due = Vec::new();
        self.0.retain(|(code, cause), line| {
            if wall < line.at.saturating_add(MINUTE) {
                return true;
            }
            if line.suppressed == 0 {
                return false;
            }
            due.push((*code, cause.clone(), line.suppressed));
            *line = Line { at: wall, suppressed: 0 };
            true
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(recorded: &mut Recorded, cause: &str, wall: u64) -> Option<u64> {
        recorded.count(ErrorCode::Unauthorized, cause.to_owned(), wall).map(|(_, count)| count)
    }

    #[test]
    fn a_cause_is_told_once_a_minute_with_how_often() {
        let mut recorded = Recorded::default();
        assert_eq!(count(&mut recorded, "no key", 1_000), Some(1));
        assert_eq!(count(&mut recorded, "no key", 2_000), None);
        assert_eq!(
            count(&mut recorded, "too old", 2_000),
            Some(1),
            "another cause has its own line"
        );
        assert_eq!(count(&mut recorded, "no key", 61_000), Some(2));
        assert_eq!(count(&mut recorded, "no key", 10), Some(1), "the clock was set back");
    }

    #[test]
    fn what_was_left_unsaid_is_summed_up() {
        let mut recorded = Recorded::default();
        for wall in [1_000, 2_000, 3_000] {
            count(&mut recorded, "no key", wall);
        }
        assert_eq!(recorded.due(60_999), []);
        assert_eq!(recorded.due(61_000), [("unauthorized", "no key".to_owned(), 2)]);
        assert_eq!(recorded.due(121_000), []);
        assert!(recorded.0.is_empty());
    }

    #[test]
    fn memory_stays_bounded_whatever_strangers_say() {
        let mut recorded = Recorded::default();
        let said = (0..1_000).filter(|n| count(&mut recorded, &format!("{n}"), 1_000).is_some());
        assert_eq!(said.count(), CAUSES + 1);
        assert!(recorded.0.len() <= CAUSES + 1);
    }
}
