//! The wait between two attempts.

use crate::{
    connecting::Connecting,
    context::Context,
    machine::{Input, State},
    timers::Timer,
};

/// Milliseconds over which attempts after a wake-up are spread: many laptops and networks wake up
/// at the same time.
const WAKE_SPREAD: u64 = 250;

/// Waits for the retry timer, or for a sign that an attempt may now succeed.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Wall-clock time of the next attempt, in milliseconds since 1970.
    pub(crate) until: u64,
    /// Whether the server named the time: no wake-up shortens it.
    ordered: bool,
}

impl Waiting {
    pub(crate) fn begin(wait: u64, ordered: bool, cx: &mut Context) -> State {
        cx.set(Timer::Retry, wait);
        State::Waiting(Self { until: cx.now.wall.saturating_add(wait), ordered })
    }

    pub(crate) fn on(mut self, input: Input<'_>, cx: &mut Context) -> State {
        match input {
            Input::Due(Timer::Retry, _) => Connecting::begin(cx),
            Input::RetryNow => {
                cx.timers.cancel(Timer::Retry);
                Connecting::begin(cx)
            }
            Input::Doubt | Input::Online | Input::Wanted | Input::Woke => {
                if !self.ordered {
                    Self::hurry(cx);
                }
                // The wall clock may have changed.
                let left =
                    cx.timers.at(Timer::Retry).map_or(0, |at| at.saturating_sub(cx.now.mono));
                self.until = cx.now.wall.saturating_add(left);
                State::Waiting(self)
            }
            _ => State::Waiting(self),
        }
    }

    /// Tries soon, but never twice within the backoff's base, because focus comes and goes quickly.
    fn hurry(cx: &mut Context) {
        let rested = cx.began.saturating_add(cx.config.backoff.base).saturating_sub(cx.now.mono);
        let wait = rested.max(cx.rng.up_to(WAKE_SPREAD));
        cx.bring_forward(Timer::Retry, wait);
    }
}
