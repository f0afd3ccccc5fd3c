//! Carries out a session's commands.

use std::sync::Arc;

use tidings_protocol::ErrorCode;
use tidings_server_core::{
    Identity, Principal, Refused,
    hub::GoLive,
    session::{Command, Event},
};

use super::Connection;
use crate::{
    driver::{clock::Clock, connection_handle::HubSink, registry::Arrival},
    metrics,
    transport::Transport,
};

impl<T: Transport> Connection<T> {
    /// Takes in the result of a credential check.
    pub(super) fn authenticated(&mut self, checked: Result<Identity, Refused>) {
        match checked {
            Ok(identity) => {
                self.context.known(Principal::user(&identity.user));
                let account = self.node.budgets.account(&identity.user);
                self.feed(Event::Accounted(account));
                self.feed(Event::Authenticated(Box::new(identity)));
            }
            Err(refused) => {
                metrics::refused(T::NAME, refused.code);
                self.feed(Event::AuthRefused(refused));
            }
        }
    }

    /// Feeds an event to the session, and executes its commands.
    pub(super) fn feed(&mut self, event: Event<'_>) {
        let mut commands = Vec::new();
        self.session.handle(self.node.clock.now(), event, &mut commands);
        self.execute(commands);
    }

    /// Executes commands in order. Answers that are known at once are fed before anything else.
    pub(super) fn execute(&mut self, mut commands: Vec<Command>) {
        while !commands.is_empty() {
            let mut next = Vec::new();
            for command in commands {
                if let Some(answer) = self.perform(command) {
                    self.session.handle(self.node.clock.now(), answer, &mut next);
                }
            }
            commands = next;
        }
    }

    fn perform(&mut self, command: Command) -> Option<Event<'static>> {
        let (node, handle) = (&self.node, &self.handle);
        match command {
            Command::Send(frame) => handle.send(frame),
            Command::Read { request, query } => {
                node.readers.ask(&self.context.whose, handle, request, query)
            }
            Command::Commit { request, write } => {
                node.writer.ask(&self.context.whose, handle, request, *write)
            }
            Command::SetDeadline { at } => self.deadline = at,
            Command::JoinFrames => self.flow.joined = T::JOINS,
            Command::AwaitDrain => self.flow.awaits_drain = true,
            Command::PauseReading => self.flow.paused = true,
            Command::ResumeReading => self.flow.paused = false,
            Command::Close { code, reason } => {
                self.log_end(reason);
                self.closing = Some((code, reason));
            }
            Command::Ping => self.later.ping = true,
            Command::Authenticate { credential } => {
                if let Some(permit) = &self.permit {
                    permit.spoke();
                }
                self.later.credential = Some(credential);
            }
            Command::Admit { user, session, instance, issued_at } => {
                let number = node.registry.number();
                let arrival = Arrival { number, user, session, instance, issued_at };
                if node.leases.is_none() {
                    return Some(self.admit(arrival));
                }
                self.later.arrival = Some(Box::new(arrival));
            }
            Command::Renew { session, issued_at } => {
                let Some(lease) = &self.lease else { return None };
                node.registry.renew(lease, &session, issued_at);
                // A revocation between the check and this step missed both the old session id and
                // the new one.
                if node.auth.is_revoked(lease.user(), &session, issued_at) {
                    return Some(Event::Revoked);
                }
            }
            Command::Attach { channel } => {
                let slot = node.shards.of(&channel).attach(&channel, HubSink(Arc::clone(handle)));
                return Some(Event::Attached { channel, slot });
            }
            Command::GoLive { channel, slot, epoch, sent } => {
                let answer = node.shards.of(&channel).go_live(&channel, slot, epoch, sent);
                return Some(match answer {
                    GoLive::Live => Event::WentLive { channel, slot },
                    GoLive::Behind => Event::FellBehind { channel, slot },
                });
            }
            Command::Detach { channel, slot } => node.shards.of(&channel).detach(&channel, slot),
            Command::ReadTops { id, of } => {
                let top = |(channel, slot): (_, _)| {
                    let top = node.shards.of(&channel).live_top(&channel, slot)?;
                    Some((channel, top))
                };
                return Some(Event::TopsRead {
                    id,
                    tops: of.into_iter().filter_map(top).collect(),
                });
            }
        }
        None
    }

    /// Logs connections that end because of their client's behaviour. Other ends are ordinary.
    fn log_end(&self, reason: &str) {
        let Some(code) = ErrorCode::from_name(reason) else { return };
        let is_told = matches!(
            code,
            ErrorCode::TooLarge
                | ErrorCode::InvalidUtf8
                | ErrorCode::BadRequest
                | ErrorCode::SlowConsumer
        );
        if !is_told {
            return;
        }
        let cause = format!("{}: {}", T::NAME, code.advice());
        self.node.refusals.record(code, &cause, self.context.address, Clock::wall());
    }

    /// Counts the connection on this node.
    pub(super) fn admit(&mut self, arrival: Arrival) -> Event<'static> {
        let node = &self.node;
        let who = (arrival.user.clone(), arrival.session.clone(), arrival.issued_at);
        let number = arrival.number;
        let admitted = match node.registry.admit(arrival, &self.handle, self.permit.as_mut()) {
            // A revocation between the check and this step may have missed the connection. Later
            // ones find it in the registry.
            Ok(_) if node.auth.is_revoked(&who.0, &who.1, who.2) => Err(ErrorCode::Revoked.into()),
            other => other,
        };
        match admitted {
            Ok(lease) => {
                self.lease = Some(lease);
                self.context.admitted();
                Event::Admitted
            }
            Err(refused) => {
                if let Some(leases) = &node.leases {
                    leases.leave(number);
                }
                Self::not_admitted(refused)
            }
        }
    }

    /// The connection can't be counted.
    pub(super) fn not_admitted(refused: Refused) -> Event<'static> {
        metrics::refused(T::NAME, refused.code);
        Event::NotAdmitted(refused)
    }
}
