//! One pure state machine per connection.
//!
//! ```text
//! AwaitingConnect ─connect─► Entering (authenticate, admit) ─► Open ─► Closing
//! ```
//!
//! A [`Session::for_posts`] starts open. It takes its client's messages and has no subscriptions.
//!
//! A driver feeds [`Event`]s and executes [`Command`]s in order; nothing waits inside. Each
//! subscription of an open session is either catching up or live. While it catches up, it reads
//! pages of the log as the connection drains. While it is live, the hub pushes records into the
//! mailbox, past the session.
//!
//! The driver must also:
//! 1. own the connection's [`crate::Mailbox`], its one deadline, and a [`crate::hub::Sink`] that
//!    pushes into the mailbox and hands `lagged` to the connection;
//! 2. read frames only while the mailbox is not full ([`crate::Mailbox::is_full`]) and the session
//!    has not commanded `PauseReading`;
//! 3. feed the answers of `Attach`, `GoLive` and `Tops` right after their commands, before any
//!    other event: they only need the hub's lock. All other answers may come late and in any order;
//! 4. hand committed records to the hub in the order of commits, before it feeds `Committed`;
//! 5. feed `Accounted` before `Authenticated`; to a session for posts, before anything else.
//!
//! Large answers (a snapshot, a page, records to catch up) are requested from the store only as
//! fast as the client takes them: answers in progress and in the mailbox fill at most half of it. A
//! client may request a hundred pages at once; it gets one after the other.
//!
//! Pushed records and the session's messages share the mailbox, so that a `pong` never overtakes
//! the records whose tops it reports.

mod backlog;
mod catch_up;
mod command;
mod entering;
mod event;
mod guard;
mod life;
mod open;
mod request;
mod start;
mod subscription;
mod turn;
mod wanted;

pub use command::{Command, Credential};
pub use event::{Event, Excess, Request};
pub use guard::Guard;
pub use wanted::{Stream, Wanted};

use std::sync::Arc;

use self::{
    entering::{AwaitingConnect, Entering},
    guard::Verdict,
    open::Open,
    turn::Turn,
};
use crate::{Identity, Ids, Limits, Now, ProofKey, budget::Account};

/// One connection. The module's documentation describes the contract with the driver.
///
/// An idle one with its two subscriptions takes well under 1 KB: rare state is boxed, and large
/// buffers are released.
#[derive(Debug)]
pub struct Session {
    limits: Arc<Limits>,
    proofs: Option<Arc<ProofKey>>,
    ids: Ids,
    guard: Guard,
    account: Option<Arc<Account>>,
    state: State,
}

/// The state of a connection. Each state's `handle` consumes it and returns the next.
#[derive(Debug)]
enum State {
    AwaitingConnect(AwaitingConnect),
    Entering(Box<Entering>),
    Open(Box<Open>),
    /// `Close` was commanded, or the transport is gone.
    Closing,
}

impl Session {
    /// A connection that has just opened. `seed` is random: the ids of its records come from it.
    pub fn new(limits: Arc<Limits>, seed: u64, now: Now, out: &mut Vec<Command>) -> Self {
        let until = now.mono + limits.connect_ms;
        out.push(Command::SetDeadline { at: Some(until) });
        let state = State::AwaitingConnect(AwaitingConnect { until, wanted: Box::default() });
        let (ids, guard) = (Ids::new(seed), Guard::default());
        Self { limits, proofs: None, ids, guard, account: None, state }
    }

    /// A session for the messages of a client that gets its records another way (a stream, a poll).
    /// It has no subscriptions, and its credential is already checked. `guard` comes from the
    /// session's last request, so that rates hold over all requests.
    pub fn for_posts(
        limits: Arc<Limits>,
        seed: u64,
        now: Now,
        who: Identity,
        guard: Guard,
        out: &mut Vec<Command>,
    ) -> Self {
        let mut ids = Ids::new(seed);
        let mut turn =
            Turn { now, limits: &limits, ids: &mut ids, proofs: None, account: None, out, sent: 0 };
        let state = State::Open(Box::new(Open::for_posts(who, &mut turn)));
        Self { limits, proofs: None, ids, guard, account: None, state }
    }

    /// Adds channels to subscribe to from the start. Counts only before `connect`.
    pub fn want(&mut self, wanted: Wanted) {
        if let State::AwaitingConnect(state) = &mut self.state {
            *state.wanted = wanted;
        }
    }

    /// Sets the key for proofs: it seals the first offset that a user without the right to read
    /// back may read, and opens earlier proofs. All nodes have the same key.
    pub fn prove_with(&mut self, key: Arc<ProofKey>) {
        self.proofs = Some(key);
    }

    /// Takes in an event and appends commands to `out`.
    pub fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Vec<Command>) {
        let event = match event {
            // The first account counts: a later credential is for the same user, or ends the
            // session.
            Event::Accounted(account) => {
                self.account.get_or_insert(account);
                return;
            }
            event => event,
        };
        let state = std::mem::replace(&mut self.state, State::Closing);
        let (proofs, account) = (self.proofs.as_deref(), self.account.as_deref());
        let (limits, ids) = (&*self.limits, &mut self.ids);
        let mut turn = Turn { now, limits, ids, proofs, account, out, sent: 0 };
        if matches!(state, State::Closing) {
            return closing(event, &mut turn);
        }
        self.state =
            match self.guard.judge(matches!(state, State::AwaitingConnect(_)), event, &mut turn) {
                Verdict::Pass(input) => match state {
                    State::AwaitingConnect(state) => state.handle(input, &mut turn),
                    State::Entering(state) => state.handle(input, &mut turn),
                    State::Open(state) => state.handle(input, &mut turn),
                    State::Closing => State::Closing,
                },
                Verdict::Answered => state,
                Verdict::Close(refused) => {
                    state.detach(&mut turn);
                    turn.close(&refused)
                }
                Verdict::Ended => {
                    state.detach(&mut turn);
                    State::Closing
                }
            };
    }

    /// Whether nothing is in progress: all requests are answered, and each subscription has all
    /// records.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        match &self.state {
            State::Open(open) => open.is_settled(),
            State::Closing => true,
            State::AwaitingConnect(_) | State::Entering(_) => false,
        }
    }

    /// The counters of the client's messages, for its next [`Session::for_posts`].
    #[must_use]
    pub const fn guard(&self) -> Guard {
        self.guard
    }

    /// Whether the connection is closing. Further input has no effect.
    #[must_use]
    pub const fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing)
    }
}

impl State {
    fn detach(self, turn: &mut Turn<'_>) {
        if let Self::Open(mut open) = self {
            open.detach_all(turn);
        }
    }
}

/// Handles late answers after the end: a channel that was attached meanwhile must be detached.
fn closing(event: Event<'_>, turn: &mut Turn<'_>) {
    if let Event::Attached { channel, slot } = event {
        turn.out.push(Command::Detach { channel, slot });
    }
}
