//! Checks that the server is still there: sends a ping in each interval, and sets a deadline for
//! any sign of life after it.
//!
//! HTTP transports send no pings: there, the server sends something after each interval of silence.

use tidings_protocol::{ErrorCode, server::Connected};

use crate::{context::Context, error::Failure, timers::Timer};

/// The message as text: it is sent more often than any other.
const PING: &str = "{\"type\":\"ping\"}";
/// Shortest interval a server can ask for, in milliseconds.
const INTERVAL_MIN: u64 = 1_000;
/// If a deadline was missed by more milliseconds than this, the machine slept, and the server may
/// still be there.
const LATE: u64 = 3_000;

/// The heartbeat of one connection. Pings are sent even with other traffic, because a `pong` also
/// reveals lost records.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: u64,
    timeout: u64,
    /// Monotonic time of the last ping that has no pong.
    pinged: Option<u64>,
}

impl Heartbeat {
    pub(crate) fn begin(connected: &Connected, cx: &mut Context) -> Self {
        let wished = cx.config.heartbeat.min(cx.fallback.heartbeat);
        let interval = connected.heartbeat_ms.max(INTERVAL_MIN).min(wished);
        let timeout = connected.timeout_ms.max(INTERVAL_MIN).min(cx.config.timeout);
        cx.set(Timer::Ping, interval);
        Self { interval, timeout, pinged: None }
    }

    /// Waits for signs of life without pings: the server breaks the silence.
    pub(crate) fn listen(&self, cx: &mut Context) {
        cx.timers.cancel(Timer::Ping);
        cx.quiet = Some(self.interval.saturating_add(self.timeout));
        Self::received(cx);
    }

    pub(crate) fn end(cx: &mut Context) {
        cx.quiet = None;
        cx.timers.cancel(Timer::Ping);
        cx.timers.cancel(Timer::Silence);
    }

    /// The interval is over.
    pub(crate) fn ping(&mut self, transport: u64, cx: &mut Context) {
        cx.set(Timer::Ping, self.interval);
        let patience = cx.round_trip.patience(self.timeout);
        self.send(transport, patience, cx);
    }

    /// An event may have broken the connection: sets a short deadline, and does not trust the
    /// transport's state.
    pub(crate) fn probe(&mut self, transport: u64, cx: &mut Context) {
        if cx.quiet.is_some() {
            cx.renew(transport);
            return;
        }
        let patience = cx.round_trip.patience(cx.config.probe_timeout);
        // A ping that is under way is answered as soon as a new one would be.
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
        cx.send_text(transport, String::from(PING));
    }

    /// Any data is a sign of life.
    pub(crate) fn received(cx: &mut Context) {
        cx.last_received = cx.now.mono;
        cx.world.online = true;
        match cx.quiet {
            Some(quiet) => cx.set(Timer::Silence, quiet),
            None => cx.timers.cancel(Timer::Silence),
        }
    }

    /// A pong tells the server's time. On a stream it comes without a ping.
    pub(crate) fn pong(&mut self, server: u64, cx: &mut Context) {
        match self.pinged.take() {
            Some(at) => cx.timed(at, server),
            None => cx.clock.learn(cx.now, server, cx.round_trip.estimate()),
        }
    }

    /// The deadline passed in silence. `Err`: the connection is dead.
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
