//! One pure state machine per connection.
//!
//! ```text
//! AwaitingConnect ─connect─► Entering (authenticate, admit) ─► Open ─► Closing
//! ```
//!
//! A [`Session::visit`] starts open, with its client's messages and no subscriptions.
//!
//! A driver feeds [`Event`]s and executes [`Command`]s in order; nothing waits inside. Each subscription of an open
//! session is either catching up (it pulls pages of the log as the connection drains) or live (the hub pushes records
//! into the mailbox, past the session).
//!
//! What a driver does besides:
//! 1. keeps the connection's [`crate::Mailbox`], its one deadline, and a [`crate::hub::Sink`] that pushes into the
//!    mailbox and hands `lagged` to the connection;
//! 2. reads frames only while the mailbox is not full ([`crate::Mailbox::is_full`]) and the session did not say `PauseReading`;
//! 3. feeds the answers of `Attach`, `GoLive` and `Tops` right after the commands they came with, before any other
//!    event: they only need the hub's lock. All other answers may come late and in any order;
//! 4. hands committed records to the hub in the order of commits, before it feeds `Committed`;
//! 5. says `Accounted` before `Authenticated`, and to a visit before anything else.
//!
//! What may be large (a snapshot, a page, what is caught up) is asked of the store only as fast as it is taken: answers that are
//! under way or wait in the mailbox fill half of it at most. A client may ask for a hundred pages at once; it gets them one after the
//! other.
//!
//! Records that are pushed and messages that are sent share the mailbox, so that a `pong` never overtakes the records
//! whose tops it tells.

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
pub use event::{Event, Request};
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

/// One connection. See the module's documentation for the contract.
///
/// An idle one with its two subscriptions takes well under 1 KB: what is rare is boxed, what was large shrinks.
#[derive(Debug)]
pub struct Session {
    limits: Arc<Limits>,
    proofs: Option<Arc<ProofKey>>,
    ids: Ids,
    guard: Guard,
    account: Option<Arc<Account>>,
    state: State,
}

/// Where a connection stands. Each state's `handle` consumes it and answers the next.
#[derive(Debug)]
enum State {
    AwaitingConnect(AwaitingConnect),
    Entering(Box<Entering>),
    Open(Box<Open>),
    /// `Close` was commanded, or the transport is gone.
    Closing,
}

impl Session {
    /// A connection that has just opened. `seed` is random: ids of its records come from it.
    pub fn new(limits: Arc<Limits>, seed: u64, now: Now, out: &mut Vec<Command>) -> Self {
        let until = now.mono + limits.connect_ms;
        out.push(Command::SetDeadline { at: Some(until) });
        let state = State::AwaitingConnect(AwaitingConnect { until, wanted: Box::default() });
        let (ids, guard) = (Ids::new(seed), Guard::default());
        Self { limits, proofs: None, ids, guard, account: None, state }
    }

    /// A visit: takes the messages of a client whose answers come another way (a stream, a poll), and is subscribed to nothing. The
    /// credential was checked already. `guard` is that of the session's last visit, so that rates hold over all of them.
    pub fn visit(
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
        let state = State::Open(Box::new(Open::visit(who, &mut turn)));
        Self { limits, proofs: None, ids, guard, account: None, state }
    }

    /// Adds to what the connection hears from the start. Counts only before `connect`.
    pub fn want(&mut self, wanted: Wanted) {
        if let State::AwaitingConnect(state) = &mut self.state {
            *state.wanted = wanted;
        }
    }

    /// Seals with this key from where on users without the right to read back may read, and takes what it sealed before. All nodes have the
    /// same.
    pub fn prove_with(&mut self, key: Arc<ProofKey>) {
        self.proofs = Some(key);
    }

    /// Something happened: appends what is to be done.
    pub fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Vec<Command>) {
        let event = match event {
            // The first counts: a credential that follows is the same user's, or ends the session.
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

    /// Whether nothing is under way: all that was asked is answered, and each subscription has all there is.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        match &self.state {
            State::Open(open) => open.is_settled(),
            State::Closing => true,
            State::AwaitingConnect(_) | State::Entering(_) => false,
        }
    }

    /// What was counted of the client's messages, for its next [`Session::visit`].
    #[must_use]
    pub const fn guard(&self) -> Guard {
        self.guard
    }

    /// Whether the connection is on its way out: nothing that comes matters any more.
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

/// Late answers after the end: what was attached meanwhile must not stay.
fn closing(event: Event<'_>, turn: &mut Turn<'_>) {
    if let Event::Attached { channel, slot } = event {
        turn.out.push(Command::Detach { channel, slot });
    }
}
