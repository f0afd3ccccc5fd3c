//! The connection as a state machine: one state at a time, which each transition consumes.
//!
//! ```text
//!   idle ──wanted──► connecting ──connected──► connected
//!                     ▲      │                     │
//!                     │      └──failed──► waiting ◄┘ link lost
//!                     └──due, woken, online──┘
//!   any ──► ended: signed out or failed (until asked again), closed (for good)
//! ```

use tidings_protocol::{ErrorCode, Retry};

use crate::{
    Credential, Error, Status, TransportKind,
    connected::Connected,
    connecting::Connecting,
    context::Context,
    ended::Ended,
    error::{Failure, Why},
    idle::Idle,
    timers::Timer,
    waiting::Waiting,
};

/// The state of the connection.
#[derive(Debug)]
pub(crate) enum State {
    Connected(Box<Connected>),
    Connecting(Connecting),
    Ended(Ended),
    Idle(Idle),
    Waiting(Waiting),
}

/// An input of a state, after the client has handled what concerns all states.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    /// Data arrived on the transport, but not a message.
    Alive { transport: u64 },
    /// The server takes no messages for now, for this many milliseconds if it said so.
    Busy { transport: u64, after: Option<u64> },
    /// The cache was loaded, or will not be.
    CacheSettled,
    /// `close()`.
    Close,
    /// The transport ended.
    Closed { transport: u64, code: u16, reason: &'a str },
    /// The app's ticket function returned.
    Credential { attempt: u64, result: &'a Result<Credential, String> },
    /// The connection may be dead without a sign of it.
    Doubt,
    /// A deadline passed, this many milliseconds ago.
    Due(Timer, u64),
    /// An error that no attempt can mend.
    Fail(&'a Error),
    /// A message arrived.
    Message { transport: u64, text: &'a str },
    /// The browser says there is no network.
    Offline,
    /// The browser says the network is back.
    Online,
    /// The transport can carry messages.
    Opened { transport: u64 },
    /// A part of a message arrived, or of a poll's response.
    Part { transport: u64 },
    /// The user changed: start again.
    Restart,
    /// The app does not want to wait.
    RetryNow,
    /// `disconnect()`.
    Unwanted,
    /// The app wants a connection.
    Wanted,
    /// The page was shown.
    Woke,
    /// There may be something to send.
    Work,
}

impl State {
    pub(crate) fn on(self, input: Input<'_>, cx: &mut Context) -> Self {
        if self.is_closed() {
            return self;
        }
        match input {
            Input::Close => {
                self.leave(cx);
                Self::Ended(Ended::Closed)
            }
            Input::Fail(error) => {
                self.leave(cx);
                Self::fail(error.clone(), cx)
            }
            Input::Restart => {
                self.leave(cx);
                cx.failures.reset();
                Self::start(cx)
            }
            Input::Unwanted => {
                self.leave(cx);
                cx.failures.reset();
                cx.trouble = None;
                Self::start(cx)
            }
            input => match self {
                Self::Connected(state) => state.on(input, cx),
                Self::Connecting(state) => state.on(input, cx),
                Self::Ended(state) => state.on(input, cx),
                Self::Idle(state) => state.on(input, cx),
                Self::Waiting(state) => state.on(input, cx),
            },
        }
    }

    /// The first state, as things are now.
    pub(crate) fn start(cx: &mut Context) -> Self {
        if cx.account.is_nobody() {
            Self::Ended(Ended::SignedOut)
        } else if !cx.world.wanted {
            Self::Idle(Idle)
        } else {
            Connecting::begin(cx)
        }
    }

    /// The state after a failed attempt or connection.
    pub(crate) fn failed(failure: Failure, cx: &mut Context) -> Self {
        let Why { error, retry, after } = failure.why();
        let replaced = error.code == ErrorCode::Replaced.as_str();
        if retry == Retry::Never && !(replaced && cx.may_be_its_own_rival()) {
            return Self::fail(error, cx);
        }
        if !replaced {
            cx.parted = Some(cx.now.mono);
        }
        let mut backoff = cx.config.backoff;
        if !cx.world.online {
            // A failure without a network does not use up an attempt.
            backoff.max_attempts = None;
        }
        let Some(wait) = cx.failures.next(backoff, &mut cx.rng, after) else {
            return Self::fail(Error::new(ErrorCode::MaxAttempts, &error.message), cx);
        };
        cx.trouble = Some(error);
        Waiting::begin(wait, after.is_some(), cx)
    }

    /// The client makes no further attempt by itself.
    fn fail(error: Error, cx: &mut Context) -> Self {
        cx.emit(crate::Command::Report(error.clone()));
        cx.trouble = Some(error);
        Self::Ended(Ended::Failed)
    }

    /// Releases everything that the state holds outside the client.
    fn leave(self, cx: &mut Context) {
        match self {
            Self::Connected(mut state) => state.leave(cx),
            Self::Connecting(state) => state.leave(cx),
            Self::Waiting(_) => cx.timers.cancel(Timer::Retry),
            Self::Ended(_) | Self::Idle(_) => {}
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self, Self::Ended(Ended::Closed))
    }

    /// Whether it is connected and has caught up with the logs.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self, Self::Connected(state) if state.is_live())
    }

    pub(crate) fn is_connected(&self) -> bool {
        matches!(self, Self::Connected(_))
    }

    /// Whether there is no user, or the ticket function said so.
    pub(crate) fn is_signed_out(&self) -> bool {
        matches!(self, Self::Ended(Ended::SignedOut))
    }

    /// Whether there is a connection to send on, or soon may be.
    pub(crate) fn may_send(&self) -> bool {
        matches!(self, Self::Connected(_) | Self::Connecting(_) | Self::Waiting(_))
    }

    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Connected(_) => Status::Connected,
            Self::Connecting(_) => Status::Connecting,
            Self::Ended(Ended::Closed) => Status::Closed,
            Self::Ended(Ended::Failed) => Status::Failed,
            Self::Ended(Ended::SignedOut) => Status::SignedOut,
            Self::Idle(_) => Status::Idle,
            Self::Waiting(_) => Status::Waiting,
        }
    }

    /// Wall-clock time of the next attempt.
    pub(crate) fn retry_at(&self) -> Option<u64> {
        match self {
            Self::Waiting(state) => Some(state.until),
            _ => None,
        }
    }

    pub(crate) fn transport(&self) -> Option<TransportKind> {
        match self {
            Self::Connected(state) => Some(state.kind()),
            _ => None,
        }
    }
}
