//! Whether the other end is still there: a ping each interval, and a deadline for any sign of life after it.
//!
//! What is made of requests has nothing to ping: there the server breaks each silence that is as long as the interval.

use tidings_protocol::{ErrorCode, server::Connected};

use crate::{Command, context::Context, error::Failure, timers::Timer};

/// Written out: it is sent more often than anything else.
const PING: &str = "{\"type\":\"ping\"}";
/// Shortest interval a server can ask for, in milliseconds.
const INTERVAL_MIN: u64 = 1_000;
/// A deadline missed by more than this, in milliseconds, says that this machine slept, not that the server is gone.
const LATE: u64 = 3_000;

/// The heartbeat of one connection. Pings go out whatever the traffic, because `pong` also finds lost records.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: u64,
    timeout: u64,
    /// Monotonic time of the last ping without a pong.
    pinged: Option<u64>,
}

impl Heartbeat {
    pub(crate) fn begin(connected: &Connected, cx: &mut Context) -> Self {
        let wished = cx.config.heartbeat.min(cx.ladder.heartbeat);
        let interval = connected.heartbeat_ms.max(INTERVAL_MIN).min(wished);
        let timeout = connected.timeout_ms.max(INTERVAL_MIN).min(cx.config.timeout);
        cx.set(Timer::Ping, interval);
        Self { interval, timeout, pinged: None }
    }

    /// There is nothing to ping: the server breaks the silence.
    pub(crate) fn listen(&self, cx: &mut Context) {
        cx.timers.cancel(Timer::Ping);
        cx.quiet = Some(self.interval.saturating_add(self.timeout));
        Self::heard(cx);
    }

    pub(crate) fn end(cx: &mut Context) {
        cx.quiet = None;
        cx.timers.cancel(Timer::Ping);
        cx.timers.cancel(Timer::Silence);
    }

    /// The interval is over.
    pub(crate) fn ping(&mut self, transport: u64, cx: &mut Context) {
        cx.set(Timer::Ping, self.interval);
        let patience = cx.trip.patience(self.timeout);
        self.send(transport, patience, cx);
    }

    /// Something happened that may have cost the link: a short deadline instead of trust in the transport's state.
    pub(crate) fn probe(&mut self, transport: u64, cx: &mut Context) {
        if cx.quiet.is_some() {
            cx.renew(transport);
            return;
        }
        let patience = cx.trip.patience(cx.config.probe_timeout);
        // One that is under way is answered as soon as another would be.
        match self.pinged {
            Some(at) if cx.now.mono.saturating_sub(at) < patience => {
                cx.bring_forward(Timer::Silence, patience);
            }
            _ => self.send(transport, patience, cx),
        }
    }

    fn send(&mut self, transport: u64, patience: u64, cx: &mut Context) {
        self.pinged = Some(cx.now.mono);
        cx.bring_forward(Timer::Silence, patience);
        cx.ask(Command::Send { transport, text: String::from(PING) });
    }

    /// Any traffic is a sign of life.
    pub(crate) fn heard(cx: &mut Context) {
        cx.heard = cx.now.mono;
        cx.world.online = true;
        match cx.quiet {
            Some(quiet) => cx.set(Timer::Silence, quiet),
            None => cx.timers.cancel(Timer::Silence),
        }
    }

    /// A pong states the server's time. On a stream it comes unasked.
    pub(crate) fn pong(&mut self, server: u64, cx: &mut Context) {
        match self.pinged.take() {
            Some(at) => cx.timed(at, server),
            None => cx.clock.learn(cx.now, server, cx.trip.estimate()),
        }
    }

    /// Nothing was heard in time. `Err`: the link is dead.
    pub(crate) fn silent(
        &mut self,
        late: u64,
        transport: u64,
        cx: &mut Context,
    ) -> Result<(), Failure> {
        if late > LATE {
            if let Some(quiet) = cx.quiet {
                cx.set(Timer::Silence, quiet);
            }
            self.probe(transport, cx);
            return Ok(());
        }
        Err(Failure::new(ErrorCode::Network, "the server fell silent"))
    }
}
