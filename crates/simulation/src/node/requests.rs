//! Connections over HTTP requests: event streams, polls, and POSTs of messages.

use std::{rc::Rc, sync::Arc};

use tidings_protocol::{Channel, ErrorCode, ServerMessage, client::Cursor};
use tidings_server_core::{
    Limits, Refused, Session,
    service::Grant,
    session::{Event, Stream, Wanted},
};

use super::Node;
use crate::{
    connection::{Batch, Carrier, Connection},
    env::{Asked, Conn, Due, Env, Way},
    observation::{Guest, Observation},
    tally::Count,
};

/// Longest wait of a poll, in milliseconds.
const POLL: u64 = 25_000;

/// The parameters of a URL.
#[derive(Debug, Default)]
struct Address {
    heartbeat: Option<u64>,
    wait: u64,
    channels: Vec<(Channel, Option<Cursor>)>,
}

impl Address {
    fn of(query: &str) -> Self {
        let mut address = Self::default();
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("heartbeat", ms)) => address.heartbeat = ms.parse().ok(),
                Some(("wait", ms)) => address.wait = ms.parse().unwrap_or_default(),
                Some(("channel", name)) => {
                    let name = name.replace("%3A", ":");
                    address.channels.extend(Channel::parse(&name).map(|channel| (channel, None)));
                }
                _ => {}
            }
        }
        address
    }
}

impl Node {
    /// A request arrives.
    pub fn asked(&mut self, env: &mut Env, conn: Conn, asked: &Asked) {
        env.link(conn);
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let address = Address::of(query);
        match path {
            "sse" => {
                env.tally.count(Count::Streams);
                self.listens(env, conn, address, Carrier::Stream { begun: false }, &asked.body);
            }
            "poll" => {
                env.tally.count(Count::Polls);
                let all = address.wait == 0;
                let within = if all { self.limits().timeout_ms } else { address.wait.min(POLL) };
                let carrier = Carrier::Poll(Box::new(Batch::new(all)));
                self.listens(env, conn, address, carrier, &asked.body);
                env.after(within, Due::PollEnds { conn });
            }
            _ => self.post(env, conn, path, asked),
        }
    }

    fn listens(
        &mut self,
        env: &mut Env,
        conn: Conn,
        address: Address,
        carrier: Carrier,
        text: &str,
    ) {
        let mut limits = self.settings.limits.clone();
        if let Some(idle_ms) = address.heartbeat {
            limits = Arc::new(Limits { idle_ms, ..(*limits).clone() });
        }
        let now = self.clock.read(env.now);
        let (mut connection, out) = Connection::new(&limits, env.rng.bits(), now);
        connection.carrier = carrier;
        let stream = matches!(connection.carrier, Carrier::Stream { .. }).then_some(Stream::Told);
        let channels = address.channels;
        // The real server's driver paces polls itself.
        let again = stream.is_none();
        connection.session.want(Wanted { channels, stream, again, ..Wanted::default() });
        self.connections.insert(conn, connection);
        self.execute(env, conn, out);
        self.feed(env, conn, Event::Received { text });
    }

    fn post(&mut self, env: &mut Env, conn: Conn, path: &str, asked: &Asked) {
        env.tally.count(Count::Posts);
        let entered = asked.bearer.as_deref().ok_or_else(|| ErrorCode::Unauthorized.into());
        let grant = match entered.and_then(|token| self.enter_again(env, token)) {
            Ok(grant) if path.split('/').nth(1) == Some(&*grant.session) => grant,
            Ok(_) => return Self::refuse(env, conn, &ErrorCode::Forbidden.into()),
            Err(refused) => return Self::refuse(env, conn, &refused),
        };
        let Grant { user, session, issued_at, .. } = grant.clone();
        let guest = Rc::new(Guest { user, session, instance: None, issued_at });
        if self.gate.is_revoked(&guest) {
            return Self::refuse(env, conn, &ErrorCode::Revoked.into());
        }
        let (limits, now) = (self.settings.limits.clone(), self.clock.read(env.now));
        let guard = self.guards.get(&guest.session).copied().unwrap_or_default();
        let mut out = Vec::new();
        let account = self.account(&grant.user);
        let who = grant.identity(String::new());
        let session = Session::for_posts(limits.clone(), env.rng.bits(), now, who, guard, &mut out);
        let carrier = Carrier::Post { answers: String::new() };
        let mut connection = Connection::of(session, &limits, carrier);
        env.observe(Observation::PostAdmitted { conn, guest: guest.clone() });
        connection.guest = Some(guest);
        connection.unread = asked.body.lines().map(str::to_owned).collect();
        self.connections.insert(conn, connection);
        self.step(env, conn, Event::Accounted(account));
        self.execute(env, conn, out);
        self.settle(env);
    }

    fn refuse(env: &mut Env, conn: Conn, refused: &Refused) {
        env.answer(conn, refused.code.http(), refused.retry_after_ms);
        env.send(conn, Way::Down, format!("{{\"code\":\"{}\"}}", refused.code.as_str()));
        env.close(conn, Way::Down, 1000);
    }

    /// The grant of a session token.
    pub(super) fn enter_again(&self, env: &mut Env, token: &str) -> Result<Grant, Refused> {
        let grant = self.disk.signed(token).ok_or(ErrorCode::Unauthorized)?;
        if grant.expires_at <= self.clock.read(env.now).wall {
            env.tally.count(Count::Expired);
            return Err(ErrorCode::Expired.into());
        }
        Ok(grant)
    }

    /// No work is under way any more: if the connection waits for one answer, it is sent now.
    pub(super) fn on_settled(&mut self, env: &mut Env, conn: Conn) {
        if self.connections.get(&conn).is_some_and(Connection::is_at_rest) {
            self.answers(env, conn);
        }
    }

    /// A poll has waited long enough.
    pub fn poll_ends(&mut self, env: &mut Env, conn: Conn) {
        if self.connections.contains_key(&conn) {
            self.answers(env, conn);
        }
    }

    fn answers(&mut self, env: &mut Env, conn: Conn) {
        let Some(connection) = self.connections.get(&conn) else { return };
        if let (Carrier::Post { .. }, Some(guest)) = (&connection.carrier, &connection.guest) {
            self.guards.insert(guest.session.clone(), connection.session.guard());
        }
        self.conclude(env, conn, connection);
        self.feed(env, conn, Event::TransportClosed);
    }

    /// The answer is complete: a poll's goes as a whole, a refusal by its status.
    pub(super) fn conclude(&self, env: &mut Env, conn: Conn, connection: &Connection) {
        if let Some(text) = &connection.refusal {
            let (code, after) = match ServerMessage::decode(text) {
                Ok(ServerMessage::Error(error)) => (error.code, error.retry_after_ms),
                _ => (String::new(), None),
            };
            let code = ErrorCode::from_name(&code).unwrap_or(ErrorCode::Internal);
            env.answer(conn, code.http(), after);
            env.send(conn, Way::Down, text.clone());
        } else if let Some(text) = connection.answer(self.clock.read(env.now).wall) {
            env.answer(conn, 200, None);
            if !text.is_empty() {
                env.send(conn, Way::Down, text);
            }
        }
        env.close(conn, Way::Down, 1000);
    }
}
