//! Pages of history that the server does not give for now: after a pause the client asks again.

use tidings_protocol::{Retry, server};

use crate::{Error, context::Context, timers::Timer};

/// Longest pause, in milliseconds, that a `loadMore` waits for. The app learns of a longer one.
const PAUSE_MAX: u64 = 30_000;
/// Refusals in a row that a `loadMore` outlasts.
pub(crate) const REFUSALS_MAX: u8 = 3;

impl Context {
    /// Whether pages may be asked for. A refusal is about the user or the server, so a pause is one
    /// for all lists.
    pub(crate) fn may_ask_for_pages(&self) -> bool {
        self.timers.at(Timer::Pages).is_none()
    }

    /// The server refused a page of the inbox.
    pub(crate) fn page_refused(&mut self, error: &server::Error) {
        if !(is_temporary(error) && self.inbox.pager.outlasts()) {
            return self.end_loads(&Error::of_server(error));
        }
        self.pause_pages(error.retry_after_ms);
    }

    /// The server refused a page of a channel.
    pub(crate) fn older_refused(&mut self, index: usize, error: &server::Error) {
        let Some(room) = self.channels.room_mut(index) else { return };
        if error.retry == Retry::Never {
            room.older.bar();
        }
        if !(is_temporary(error) && room.older.outlasts()) {
            return self.end_older(index, Some(&Error::of_server(error)));
        }
        self.pause_pages(error.retry_after_ms);
    }

    /// The server took none of the messages that were sent, requests for pages among them.
    pub(crate) fn pages_lost(&mut self, after: Option<u64>) {
        self.cut_pages();
        self.pause_pages(after);
    }

    /// The requests that are under way have no answer.
    pub(crate) fn cut_pages(&mut self) {
        self.inbox.pager.cut();
        self.channels.cut_pages();
    }

    /// Asks for no page for a while. The time of the calls that wait begins again after that.
    fn pause_pages(&mut self, after: Option<u64>) {
        let base = self.config.backoff.base;
        let pause = after.unwrap_or(base).min(PAUSE_MAX).saturating_add(self.rng.up_to(base));
        self.set(Timer::Pages, pause);
        let patience = self.round_trip.patience(self.config.timeout);
        for timer in [Timer::More, Timer::Older] {
            if self.timers.at(timer).is_some() {
                self.set(timer, pause.saturating_add(patience));
            }
        }
    }
}

fn is_temporary(error: &server::Error) -> bool {
    error.retry == Retry::Backoff && error.retry_after_ms.is_none_or(|after| after <= PAUSE_MAX)
}
