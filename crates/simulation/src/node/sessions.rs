//! Executes the commands of sessions.

use std::rc::Rc;

use tidings_protocol::{CloseCode, ErrorCode};
use tidings_server_core::{
    Refused,
    hub::GoLive,
    leases::ConnectionId,
    service::Grant,
    session::{Command, Credential, Event, Request},
    store::{Answer, Store, StoreError},
};

use super::{Node, Origin, hash_of};
use crate::{
    bus::News,
    env::{Conn, Due, Env, Process, Way},
    observation::{Guest, Observation},
    tally::Count,
};

impl Node {
    pub(super) fn execute(&mut self, env: &mut Env, conn: Conn, commands: Vec<Command>) {
        let mut answers = Vec::new();
        let mut rest = Vec::new();
        for command in commands {
            let Some(connection) = self.connections.get_mut(&conn) else { return };
            match command {
                Command::Attach { channel } => {
                    let slot = self.hub.attach(&channel, connection.line.clone());
                    answers.push(Event::Attached { channel, slot });
                }
                Command::GoLive { channel, slot, epoch, sent } => {
                    answers.push(match self.hub.go_live(&channel, slot, epoch, sent) {
                        GoLive::Live => Event::WentLive { channel, slot },
                        GoLive::Behind => Event::FellBehind { channel, slot },
                    });
                }
                Command::Detach { channel, slot } => self.hub.detach(&channel, slot),
                Command::ReadTops { id, of } => {
                    let live = of.into_iter().filter_map(|(channel, slot)| {
                        let top = self.hub.live_top(&channel, slot)?;
                        Some((channel, top))
                    });
                    answers.push(Event::TopsRead { id, tops: live.collect() });
                }
                Command::Send(frame) => connection.queue(frame),
                Command::JoinFrames => connection.batch = true,
                Command::AwaitDrain => connection.awaits_drain = true,
                Command::PauseReading => connection.paused = true,
                Command::ResumeReading => connection.paused = false,
                Command::SetDeadline { at: Some(at) } => {
                    env.timer(self.clock.until(env.now, at), Due::Deadline { conn, at });
                }
                // The device's transport answers a ping by itself.
                Command::Ping => {
                    env.send(conn, Way::Down, String::new());
                    // On an HTTP response, taking the ping is the only sign of life.
                    if conn.request().is_some() {
                        answers.push(Event::ShowedLife);
                    }
                }
                command => rest.push(command),
            }
        }
        for answer in answers {
            self.step(env, conn, answer);
        }
        for command in rest {
            self.execute_slowly(env, conn, command);
        }
    }

    fn execute_slowly(&mut self, env: &mut Env, conn: Conn, command: Command) {
        match command {
            Command::Authenticate { credential } => {
                let answer = match self.authenticate(env, &credential) {
                    Ok(grant) => {
                        let token = self.disk.sign(&grant);
                        let account = self.account(&grant.user);
                        self.step(env, conn, Event::Accounted(account));
                        Event::Authenticated(Box::new(grant.identity(token)))
                    }
                    Err(refused) => Event::AuthRefused(refused),
                };
                self.step(env, conn, answer);
            }
            Command::Admit { user, session, instance, issued_at } => {
                let guest = Rc::new(Guest { user, session, instance, issued_at });
                let answer = self.admit(env, conn, &guest);
                self.step(env, conn, answer);
            }
            Command::Renew { session, issued_at } => self.renewed(env, conn, session, issued_at),
            Command::Read { request, query } => {
                let none = || StoreError::Unavailable("no answer".to_owned());
                let answers = self.disk.read(env, &[query]);
                let answer = answers.and_then(|mut answers| answers.pop().ok_or_else(none)?);
                let wait = env.rng.between(0, env.faults.store.0);
                env.after(wait, Due::ReadDone { of: self.process, conn, request, answer });
            }
            Command::Commit { request, write } => {
                self.queue(env, Origin::Session(conn, request), *write)
            }
            Command::Close { code, .. } => self.close(env, conn, code),
            _ => {}
        }
    }

    fn admit(&mut self, env: &mut Env, conn: Conn, guest: &Rc<Guest>) -> Event<'static> {
        if self.disk.is_away(env) {
            let away = StoreError::Unavailable("connection refused".to_owned());
            return Event::NotAdmitted(away.into());
        }
        // A single node counts by itself and needs no clock.
        match self.gate.admit(&self.disk.memory, env.now.wall, conn, guest) {
            Ok(older) => {
                if let Some(connection) = older {
                    self.replaced(env, connection);
                    self.news.push(News::Replaced(connection));
                }
                if let Some(connection) = self.connections.get_mut(&conn) {
                    connection.guest = Some(guest.clone());
                }
                let (node, most) = (self.process.node, self.gate.most());
                env.observe(Observation::Admitted { node, conn, guest: guest.clone(), most });
                Event::Admitted
            }
            Err(refused) => Event::NotAdmitted(refused),
        }
    }

    /// The connection goes on under another credential of its user.
    fn renewed(&mut self, env: &mut Env, conn: Conn, session: String, issued_at: u64) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let Some(before) = &connection.guest else { return };
        let guest = Rc::new(Guest { session, issued_at, ..Guest::clone(before) });
        connection.guest = Some(guest.clone());
        if self.gate.renewed(conn, &guest) {
            self.step(env, conn, Event::Revoked);
        }
    }

    /// Another connection of the page replaced this one.
    pub fn replaced(&mut self, env: &mut Env, connection: ConnectionId) {
        if let Some(older) = self.gate.holder(connection) {
            env.tally.count(Count::Replaced);
            self.step(env, older, Event::Replaced);
        }
    }

    fn close(&mut self, env: &mut Env, conn: Conn, code: CloseCode) {
        let Some(mut connection) = self.connections.remove(&conn) else { return };
        while connection.write(env, conn, self.settings.limits.join_bytes) {}
        match conn.request() {
            Some(_) => self.conclude(env, conn, &connection),
            None => env.close(conn, Way::Down, code.0),
        }
        self.gate.leave(&self.disk.memory, conn);
        env.observe(Observation::Ended { conn });
    }

    fn authenticate(&self, env: &mut Env, credential: &Credential) -> Result<Grant, Refused> {
        let ticket = match credential {
            Credential::Ticket(ticket) => ticket,
            Credential::SessionToken(token) => return self.enter_again(env, token),
            _ => return Err(ErrorCode::Unauthorized.into()),
        };
        if self.disk.is_away(env) {
            return Err(StoreError::Unavailable("connection refused".into()).into());
        }
        let grant = self.disk.memory.take_ticket(self.store_wall(env), hash_of(ticket))?;
        let grant = Grant::decode(&grant.ok_or(ErrorCode::TicketInvalid)?)?;
        env.observe(Observation::TicketSpent { ticket: ticket.clone() });
        if grant.expires_at <= self.clock.read(env.now).wall {
            env.tally.count(Count::Expired);
            return Err(ErrorCode::Expired.into());
        }
        Ok(grant)
    }

    /// The store answers a read of this process.
    pub fn read_done(
        &mut self,
        env: &mut Env,
        of: Process,
        conn: Conn,
        request: Request,
        answer: Result<Answer, StoreError>,
    ) {
        if of == self.process {
            let event = match answer {
                Ok(answer) => Event::Read { request, answer },
                Err(error) => Event::StoreFailed { request, error },
            };
            self.feed(env, conn, event);
        }
    }
}
