//! Credentials: puts them into `connect`, and renews them on the connection before they expire.

use tidings_protocol::{ErrorCode, Retry, client::Refresh, server};

use crate::{Command, Credential, Error, context::Context, error::Failure, timers::Timer};

/// Puts a credential into the fields of `connect` or `refresh`.
pub(crate) fn fill_in(
    credential: &Credential,
    ticket: &mut Option<String>,
    token: &mut Option<String>,
) {
    match credential {
        Credential::Ticket(text) => *ticket = Some(text.clone()),
        Credential::Token(text) => *token = Some(text.clone()),
        // Ends the attempt, or the connection, before a message is sent.
        Credential::SignedOut => {}
    }
}

/// The result of the ticket function's answer to a refresh.
#[derive(Debug, PartialEq)]
pub(crate) enum Renewal {
    /// The connection goes on.
    Going,
    /// The user is signed out.
    SignedOut,
}

/// Refreshes the credential of one connection: at 80 % of its lifetime, or when the server says
/// that it expires.
///
/// A failed refresh is repeated, with growing delays. If the credential expires first, the server
/// closes the connection, and the next attempt brings a new credential anyway.
#[derive(Debug, Default)]
pub(crate) struct Refresher {
    step: Step,
    failures: u32,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Resting,
    /// The app's ticket function was called.
    Fetching(u64),
    /// The `refresh` was sent: its request id, and the monotonic time.
    Sent(u64, u64),
}

impl Refresher {
    /// Schedules the refresh of a credential that expires at this server time, if it expires.
    pub(crate) fn schedule(expires_at: Option<u64>, cx: &mut Context) {
        let (Some(end), Some(now)) = (expires_at, cx.clock.server_time(cx.now)) else {
            cx.timers.cancel(Timer::Refresh);
            return;
        };
        let left = end.saturating_sub(now);
        // Never earlier than the backoff's base: otherwise a credential that stays short-lived
        // would cause a loop.
        cx.set(Timer::Refresh, (left - left / 5).max(cx.config.backoff.base));
    }

    pub(crate) fn begin(&mut self, cx: &mut Context) {
        if self.step == Step::Resting {
            cx.timers.cancel(Timer::Refresh);
            self.step = Step::Fetching(cx.fetch_credential());
            cx.set(Timer::Credential, cx.round_trip.patience(cx.config.credential_timeout));
        }
    }

    /// The app's ticket function returned.
    pub(crate) fn fetched(
        &mut self,
        attempt: u64,
        result: &Result<Credential, String>,
        transport: u64,
        cx: &mut Context,
    ) -> Renewal {
        if self.step != Step::Fetching(attempt) {
            return Renewal::Going;
        }
        self.step = Step::Resting;
        let id = cx.next_request();
        let mut refresh = Refresh { id: Some(id), ticket: None, token: None };
        match result {
            Ok(Credential::SignedOut) => return Renewal::SignedOut,
            Ok(credential) => fill_in(credential, &mut refresh.ticket, &mut refresh.token),
            Err(reason) => {
                cx.report(Error::new(ErrorCode::TicketFailed, reason));
                self.later(cx);
                return Renewal::Going;
            }
        }
        cx.send(transport, &refresh);
        self.step = Step::Sent(id, cx.now.mono);
        cx.await_answer(Timer::Credential);
        Renewal::Going
    }

    /// The server accepted the new credential.
    pub(crate) fn refreshed(&mut self, answer: &server::Refreshed, cx: &mut Context) {
        if let Step::Sent(id, asked) = self.step
            && answer.id.is_none_or(|answered| answered == id)
        {
            *self = Self::default();
            cx.timers.cancel(Timer::Credential);
            if let Some(now) = answer.now {
                cx.timed(asked, now);
            }
            Self::schedule(answer.expires_at, cx);
        }
    }

    /// Whether an error answers the refresh. `Err`: it ends the connection for good.
    pub(crate) fn refused(
        &mut self,
        error: &server::Error,
        cx: &mut Context,
    ) -> Result<bool, Failure> {
        if error.id.is_none_or(|id| !matches!(self.step, Step::Sent(sent, _) if sent == id)) {
            return Ok(false);
        }
        if error.retry == Retry::Never {
            return Err(Failure::of_server(error));
        }
        cx.report(Error::of_server(error));
        self.later(cx);
        Ok(true)
    }

    /// The app or the server took too long.
    pub(crate) fn overdue(&mut self, cx: &mut Context) {
        if let Step::Fetching(attempt) = self.step {
            cx.ask(Command::AbortCredential { attempt });
            cx.report(Error::new(ErrorCode::TicketTimeout, ""));
        }
        self.later(cx);
    }

    /// The connection ends.
    pub(crate) fn end(&mut self, cx: &mut Context) {
        if let Step::Fetching(attempt) = self.step {
            cx.ask(Command::AbortCredential { attempt });
        }
        self.step = Step::Resting;
        cx.timers.cancel(Timer::Credential);
        cx.timers.cancel(Timer::Refresh);
    }

    fn later(&mut self, cx: &mut Context) {
        self.step = Step::Resting;
        cx.timers.cancel(Timer::Credential);
        let backoff = cx.config.backoff;
        let most = backoff.base.saturating_mul(1 << self.failures.min(16)).min(backoff.cap);
        self.failures = self.failures.saturating_add(1);
        let wait = backoff.base.saturating_add(cx.rng.up_to(most));
        cx.set(Timer::Refresh, wait);
    }
}
