//! An open session: passes each event to the part that handles it.

use std::num::NonZeroU64;

use tidings_protocol::{
    Channel, ErrorCode, VERSION,
    client::Since,
    rights::Right,
    server::{self, Connected, SessionLimits},
};

use super::{
    Command, Event, Request, State, Wanted,
    backlog::{Backlog, Size, Want},
    guard::Input,
    life::{Due, Life},
    request::Intent,
    start::Starting,
    subscription::{Subscription, SubscriptionState},
    turn::Turn,
    wanted::Stream,
};
use crate::{
    Identity, Refused,
    service::Caller,
    store::{Query, Write},
};

/// An admitted connection with its subscriptions. The first two are the inbox and `system:all`.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) who: Identity,
    pub(super) duty: Duty,
    pub(super) life: Life,
    pub(super) subscriptions: Vec<Subscription>,
    /// Requests to the store without an answer yet.
    requests: Vec<(Request, Pending)>,
    next_request: Request,
    /// Reads that wait until there is room for their answers.
    pub(super) backlog: Backlog,
    paused: bool,
    /// A new credential is being checked. Holds the `id` of its `refresh`.
    pub(super) refreshing: Option<Option<u64>>,
}

/// The purpose of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// Messages both ways.
    All,
    /// The client's messages and their answers; records come another way.
    Messages,
    /// The client's messages only: the client takes no more answers.
    WritesOnly,
}

/// The purpose of a request to the store.
#[derive(Debug)]
pub(super) enum Pending {
    /// The inbox and `system:all` start.
    Start(Box<Starting>),
    /// A channel's head, for a subscription that begins.
    Locate { channel: Channel, id: Option<u64>, since: Option<Since> },
    /// A page for a subscription that catches up.
    Page { channel: Channel },
    /// A client's write.
    Intent(Box<Intent>),
    /// `history`.
    History { channel: Channel, id: Option<u64> },
    /// No longer wanted, but its answer is still to come.
    Nothing(Size),
}

impl Pending {
    const fn size(&self) -> Size {
        match self {
            Self::Start(starting) if starting.is_snapshot() => Size::Snapshot,
            Self::Page { .. } => Size::CatchUp,
            Self::History { .. } => Size::Page,
            Self::Nothing(size) => *size,
            Self::Start(_) | Self::Locate { .. } | Self::Intent(_) => Size::Small,
        }
    }
}

impl Open {
    /// Sends `connected`, then starts the inbox, `system:all` and the client's other channels.
    pub(super) fn begin(
        id: Option<u64>,
        who: Identity,
        wanted: Wanted,
        turn: &mut Turn<'_>,
    ) -> State {
        let Ok(inbox) = Channel::inbox(&who.user) else {
            return turn.close(&Refused::new(
                ErrorCode::Unauthorized,
                "the credential's user is no user id",
            ));
        };
        let mut open = Box::new(Self::new(who, Duty::All, wanted.stream, turn));
        open.subscriptions.reserve_exact(2);
        open.greet(id, turn);
        open.subscriptions.push(Subscription::attach(inbox, turn));
        open.subscriptions.push(Subscription::attach(Channel::system(), turn));
        open.want(wanted, turn);
        open.go_on(turn);
        State::Open(open)
    }

    /// A session that is open from the start, for the client's messages only.
    pub(super) fn for_posts(who: Identity, turn: &mut Turn<'_>) -> Self {
        Self::new(who, Duty::Messages, None, turn)
    }

    fn new(who: Identity, duty: Duty, stream: Option<Stream>, turn: &mut Turn<'_>) -> Self {
        Self {
            life: Life::begin(who.issued_at, who.expires_at, stream, turn),
            who,
            duty,
            subscriptions: Vec::new(),
            requests: Vec::new(),
            next_request: 0,
            backlog: Backlog::default(),
            paused: false,
            refreshing: None,
        }
    }

    fn greet(&mut self, id: Option<u64>, turn: &mut Turn<'_>) {
        let Identity { user, session, session_token, expires_at, .. } = &mut self.who;
        turn.send(&Connected {
            id,
            user_id: user.clone(),
            session: session.clone(),
            // From here on only the client has it.
            session_token: std::mem::take(session_token),
            message: "Connected.".to_owned(),
            version: VERSION,
            heartbeat_ms: turn.limits.heartbeat_ms,
            timeout_ms: turn.limits.timeout_ms,
            now: turn.now.wall,
            expires_at: *expires_at,
            limits: SessionLimits {
                message_bytes: u32::try_from(turn.limits.message_bytes).unwrap_or(u32::MAX),
                subscriptions: u32::try_from(turn.limits.subscriptions).unwrap_or(u32::MAX),
                page: turn.limits.page,
            },
        });
    }

    pub(super) fn handle(mut self: Box<Self>, input: Input<'_>, turn: &mut Turn<'_>) -> State {
        match input {
            Input::Message(message) => {
                self.life.seen(turn);
                self.handle_message(message, turn);
            }
            Input::Unreadable { why, about } => {
                self.life.seen(turn);
                self.refuse(why, about, None, turn);
            }
            Input::Happened(event) => {
                if let Some(end) = self.happened(event, turn) {
                    self.detach_all(turn);
                    return end;
                }
            }
        }
        self.go_on(turn);
        State::Open(self)
    }

    /// Returns a state if the session ends.
    fn happened(&mut self, event: Event<'_>, turn: &mut Turn<'_>) -> Option<State> {
        match event {
            Event::ShowedLife => self.life.seen(turn),
            Event::DeadlinePassed => match self.life.check(turn) {
                Due::Nothing => {}
                Due::Pong => self.ping(None, turn),
                Due::End(end) => return Some(end),
            },
            Event::Draining { within_ms } => turn.send(&server::Goaway { within_ms }),
            Event::Authenticated(identity) => return self.refreshed(*identity, turn),
            Event::AuthRefused(refused) => {
                if let Some(id) = self.refreshing.take() {
                    turn.send(&server::Error { id, ..crate::service::error(&refused) });
                }
            }
            Event::Attached { channel, slot } => self.attached(channel, slot, turn),
            Event::WentLive { channel, slot } => self.went_live(&channel, slot),
            Event::FellBehind { channel, slot } => self.fell_behind(&channel, slot),
            Event::Lagged { channel, slot, sent } => self.lagged(&channel, slot, sent),
            Event::Drained => self.backlog.drained(),
            Event::HungUp => self.hung_up(),
            Event::TopsRead { id, tops } => self.pong(id, tops, turn),
            Event::Read { request, answer } => {
                if let Some(pending) = self.take(request) {
                    return self.read(request, pending, answer, turn);
                }
            }
            Event::Committed { request, written } => match self.take(request) {
                Some(Pending::Start(starting)) => self.opened(*starting, turn),
                Some(Pending::Intent(intent)) => self.settled(*intent, &written, turn),
                _ => {}
            },
            Event::StoreFailed { request, error } => {
                if let Some(pending) = self.take(request) {
                    return store_failed(pending, &error.into(), turn);
                }
            }
            // The guard handles these, or they have no meaning in an open session.
            _ => {}
        }
        None
    }

    /// A session for posts continues without its client, but reads for it are dropped.
    fn hung_up(&mut self) {
        if self.duty == Duty::Messages {
            self.duty = Duty::WritesOnly;
            self.backlog.forget(|want| matches!(want, Want::History(_)));
        }
    }

    /// Takes over a new credential of the same user, and ends the subscriptions that it no longer
    /// allows.
    fn refreshed(&mut self, identity: Identity, turn: &mut Turn<'_>) -> Option<State> {
        let id = self.refreshing.take()?;
        if identity.user != self.who.user {
            return Some(turn.close(&ErrorCode::UserMismatch.into()));
        }
        self.life.renew(identity.issued_at, identity.expires_at, turn);
        let Identity { session_token, expires_at, .. } = &identity;
        turn.send(&server::Refreshed {
            id,
            session_token: session_token.clone(),
            expires_at: *expires_at,
            now: Some(turn.now.wall),
        });
        turn.out.push(Command::Renew {
            session: identity.session.clone(),
            issued_at: identity.issued_at,
        });
        self.who = Identity { session_token: String::new(), ..identity };
        let (kept, lost): (Vec<_>, Vec<_>) = std::mem::take(&mut self.subscriptions)
            .into_iter()
            .partition(|one| Caller::User(&self.who).check(&one.channel, Right::Subscribe).is_ok());
        self.subscriptions = kept;
        // The user could read these records from the start of the subscription on, and may
        // continue, even without the right to read back.
        for one in self.subscriptions.iter_mut().skip(2) {
            if Caller::User(&self.who).check(&one.channel, Right::History).is_err() {
                one.from = one.from.or_else(|| NonZeroU64::new(one.reported_top + 1));
            }
        }
        for mut one in lost {
            one.detach(turn);
            let code = Some(ErrorCode::Forbidden.as_str().to_owned());
            turn.send(&server::Unsubscribed { id: None, channel: one.channel, code });
        }
        None
    }

    pub(super) fn ask(&mut self, query: Query, pending: Pending, turn: &mut Turn<'_>) -> Request {
        let request = self.number(pending);
        turn.out.push(Command::Read { request, query });
        request
    }

    pub(super) fn commit(&mut self, write: Write, pending: Pending, turn: &mut Turn<'_>) {
        let request = self.number(pending);
        turn.out.push(Command::Commit { request, write: Box::new(write) });
    }

    fn number(&mut self, pending: Pending) -> Request {
        let request = self.next_request;
        self.next_request = request.wrapping_add(1);
        self.requests.push((request, pending));
        request
    }

    fn take(&mut self, request: Request) -> Option<Pending> {
        let index = self.requests.iter().position(|(number, _)| *number == request)?;
        let (_, pending) = self.requests.swap_remove(index);
        if self.requests.is_empty() {
            self.requests = Vec::new();
        }
        (!matches!(pending, Pending::Nothing(_))).then_some(pending)
    }

    /// The answers to these requests are no longer wanted.
    pub(super) fn forget(&mut self, unwanted: impl Fn(&Pending) -> bool) {
        for (_, pending) in &mut self.requests {
            if unwanted(pending) {
                *pending = Pending::Nothing(pending.size());
            }
        }
    }

    /// The sizes of the answers that the store still owes.
    pub(super) fn sizes_under_way(&self) -> impl Iterator<Item = Size> {
        self.requests.iter().map(|(_, pending)| pending.size())
    }

    /// Whether nothing is in progress, and each subscription has all records.
    pub(super) fn is_settled(&self) -> bool {
        let live = |one: &Subscription| one.state == SubscriptionState::Live;
        let nothing_asked = self.requests.is_empty() && self.backlog.is_empty();
        nothing_asked && self.refreshing.is_none() && self.subscriptions.iter().all(live)
    }

    /// Whether the inbox and `system:all` have not begun yet.
    pub(super) fn is_starting(&self) -> bool {
        self.requests.iter().any(|(_, pending)| matches!(pending, Pending::Start(_)))
            || self.backlog.holds(|want| matches!(want, Want::Snapshot(_)))
    }

    /// Asks the store for as much as there is room for. Pauses reading while too many requests wait
    /// for an answer.
    fn go_on(&mut self, turn: &mut Turn<'_>) {
        self.backlog.sent(std::mem::take(&mut turn.sent));
        self.read_on(turn);
        let full = self.requests.len() + self.backlog.asked() >= turn.limits.outstanding;
        if full != self.paused {
            self.paused = full;
            turn.out.push(if full { Command::PauseReading } else { Command::ResumeReading });
        }
    }

    pub(super) fn subscription(&mut self, channel: &Channel) -> Option<&mut Subscription> {
        self.subscriptions.iter_mut().find(|one| one.channel == *channel)
    }

    pub(super) fn detach_all(&mut self, turn: &mut Turn<'_>) {
        for one in &mut self.subscriptions {
            one.detach(turn);
        }
    }
}

/// Handles a failed store. A request gets an error. A failed subscription ends the connection,
/// because the client then reconnects with its cursors and backs off.
fn store_failed(pending: Pending, refused: &Refused, turn: &mut Turn<'_>) -> Option<State> {
    match pending {
        Pending::Start(_) | Pending::Locate { .. } | Pending::Page { .. } => {
            return Some(turn.close(refused));
        }
        Pending::Intent(intent) => turn.send(&intent.error(refused)),
        Pending::Nothing(_) => {}
        Pending::History { channel, id } => {
            turn.send(&server::Error {
                id,
                channel: Some(channel),
                ..crate::service::error(refused)
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With its two subscriptions and the texts of its identity, an idle session must stay well
    /// under 1 KB.
    #[test]
    fn an_idle_session_is_small() {
        let bytes = size_of::<Open>() + 2 * size_of::<Subscription>();
        assert!(bytes <= 560, "{bytes} bytes");
    }
}
