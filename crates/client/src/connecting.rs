//! One attempt: a ticket, a transport, a `connect`. Each step has a deadline.

use tidings_protocol::{
    CloseCode, ErrorCode, VERSION,
    client::{ClientInfo, Connect},
};

use crate::{
    Command, Credential, Error, TransportKind,
    auth::fill_in,
    connected::Connected,
    context::Context,
    ended::Ended,
    error::Failure,
    inbound::InboundMessage,
    inbox::LOGS,
    machine::{Input, State},
    timers::Timer,
};

/// The step of an attempt. Each step holds the data that is needed to undo it.
#[derive(Debug)]
pub(crate) enum Connecting {
    /// The app's ticket function was called.
    Fetching { attempt: u64 },
    /// The transport is being opened.
    Opening { transport: u64, kind: TransportKind, credential: Box<Credential> },
    /// The transport is open, but storage has not yet said where to resume.
    Loading { transport: u64, kind: TransportKind, credential: Box<Credential> },
    /// `connect` was sent.
    Greeting { transport: u64, kind: TransportKind, sent: u64 },
}

impl Connecting {
    pub(crate) fn begin(cx: &mut Context) -> State {
        cx.began = cx.now.mono;
        let attempt = cx.fetch_credential();
        cx.set(Timer::Connect, cx.round_trip.patience(cx.config.credential_timeout));
        State::Connecting(Self::Fetching { attempt })
    }

    pub(crate) fn on(self, input: Input<'_>, cx: &mut Context) -> State {
        match (self, input) {
            (Self::Fetching { attempt }, Input::Credential { attempt: answered, result })
                if attempt == answered =>
            {
                Self::fetched(result, cx)
            }
            (
                Self::Opening { transport, kind, credential },
                Input::Opened { transport: opened },
            ) if transport == opened => Self::opened(transport, kind, &credential, cx),
            (Self::Loading { transport, kind, credential }, Input::CacheSettled) => {
                Self::greet(transport, kind, &credential, cx)
            }
            (state, Input::Closed { transport, code, reason })
                if state.transport() == Some(transport) =>
            {
                cx.timers.cancel(Timer::Connect);
                if code == CloseCode::ABNORMAL.0 {
                    cx.fallback.missed(&cx.config);
                }
                State::failed(Failure::of_close(code, reason), cx)
            }
            (state, Input::Message { transport, text }) if state.transport() == Some(transport) => {
                state.message(text, cx)
            }
            (state, Input::Due(Timer::Connect, _)) => {
                cx.round_trip.ran_out();
                let code = match state {
                    Self::Fetching { .. } => ErrorCode::TicketTimeout,
                    _ => {
                        cx.fallback.missed(&cx.config);
                        ErrorCode::Network
                    }
                };
                state.give_up(Failure::new(code, ""), cx)
            }
            (Self::Greeting { transport, kind, sent }, Input::Part { transport: of })
                if transport == of =>
            {
                cx.set(Timer::Connect, cx.config.timeout);
                State::Connecting(Self::Greeting { transport, kind, sent })
            }
            (state, Input::Online) => {
                // The current step may have been lost with the previous network.
                let patience = cx.round_trip.patience(cx.config.timeout);
                cx.bring_forward(Timer::Connect, patience);
                State::Connecting(state)
            }
            (state, _) => State::Connecting(state),
        }
    }

    fn fetched(result: &Result<Credential, String>, cx: &mut Context) -> State {
        cx.timers.cancel(Timer::Connect);
        match result {
            Err(reason) => State::failed(Failure::new(ErrorCode::TicketFailed, reason), cx),
            Ok(Credential::SignedOut) => {
                cx.trouble = None;
                State::Ended(Ended::SignedOut)
            }
            Ok(credential) => Self::open(cx.fallback.kind(&cx.config), credential, cx),
        }
    }

    pub(crate) fn open(kind: TransportKind, credential: &Credential, cx: &mut Context) -> State {
        let transport = cx.open_transport(kind);
        cx.await_answer(Timer::Connect);
        let credential = Box::new(credential.clone());
        State::Connecting(Self::Opening { transport, kind, credential })
    }

    pub(crate) fn opened(
        transport: u64,
        kind: TransportKind,
        credential: &Credential,
        cx: &mut Context,
    ) -> State {
        if cx.store.awaited() {
            let credential = Box::new(credential.clone());
            return State::Connecting(Self::Loading { transport, kind, credential });
        }
        Self::greet(transport, kind, credential, cx)
    }

    pub(crate) fn greet(
        transport: u64,
        kind: TransportKind,
        credential: &Credential,
        cx: &mut Context,
    ) -> State {
        let mut connect = greeting(cx.config.instance.clone(), cx);
        fill_in(credential, &mut connect.ticket, &mut connect.token);
        if let Some(fold) = cx.inbox.fold() {
            let cursors = connect.cursors.get_or_insert_default();
            for &log in &LOGS {
                cursors.insert(fold.channel_of(log), fold.cursor(log));
            }
        }
        cx.send(transport, &connect);
        if kind == TransportKind::Sse {
            // A stream that brings nothing for so long is held back, however slow the network:
            // polls then get through, and in time.
            cx.set(Timer::Connect, cx.config.timeout);
        } else {
            cx.await_answer(Timer::Connect);
        }
        State::Connecting(Self::Greeting { transport, kind, sent: cx.now.mono })
    }

    fn message(self, text: &str, cx: &mut Context) -> State {
        match (self, InboundMessage::read(text)) {
            (
                Self::Greeting { transport, kind, sent },
                Ok(Some(InboundMessage::Connected(connected))),
            ) => {
                cx.timers.cancel(Timer::Connect);
                if !cx.confirm(&connected.user_id) {
                    // Two users in one page: the user who looks at it may not be the one whose
                    // cache is shown.
                    cx.end_loads(&Error::new(ErrorCode::UserMismatch, ""));
                    cx.inbox.clear();
                    cx.close_transport(transport);
                    return State::failed(Failure::new(ErrorCode::UserMismatch, ""), cx);
                }
                cx.timed(sent, connected.now);
                Connected::begin(transport, kind, &connected, cx)
            }
            (state, Ok(Some(InboundMessage::Error(error)))) => {
                state.give_up(Failure::of_server(&error), cx)
            }
            (state, _) => State::Connecting(state),
        }
    }

    fn give_up(self, failure: Failure, cx: &mut Context) -> State {
        self.leave(cx);
        State::failed(failure, cx)
    }

    pub(crate) fn leave(self, cx: &mut Context) {
        cx.timers.cancel(Timer::Connect);
        match self {
            Self::Fetching { attempt } => cx.ask(Command::AbortCredential { attempt }),
            Self::Opening { transport, .. }
            | Self::Loading { transport, .. }
            | Self::Greeting { transport, .. } => {
                cx.close_transport(transport);
            }
        }
    }

    fn transport(&self) -> Option<u64> {
        match self {
            Self::Fetching { .. } => None,
            Self::Opening { transport, .. }
            | Self::Loading { transport, .. }
            | Self::Greeting { transport, .. } => Some(*transport),
        }
    }
}

/// A `connect` without credential and cursors.
pub(crate) fn greeting(instance: String, cx: &Context) -> Connect {
    let (name, version) = cx.config.library.clone();
    Connect {
        id: None,
        version: VERSION,
        ticket: None,
        token: None,
        session_token: None,
        instance: Some(instance),
        batch: Some(true),
        client: Some(ClientInfo { name: Some(name), version: Some(version) }),
        cursors: None,
    }
}
