//! Backends: they publish until they have an answer, make tickets and revoke.
#![allow(clippy::panic, reason = "a simulation that publishes nonsense ends")]

use tidings_client_core::Credential;
use tidings_protocol::{
    Channel, Json,
    rest::{PublishNotification, RevocationRequest, Target, TicketRequest},
    rights::{Grant, Pattern, RightSet, Rights},
};
use tidings_server_core::{
    service::{self, Caller},
    store::{IdempotencyKey, Store, Ticket},
};

use super::{ANSWER, Body, Publish, World, at, title};
use crate::{
    env::Due,
    node::{Published, hash_of},
    observation::{Observation, Page},
    tally::Count,
};

impl World {
    /// Notifies a user; returns the publish's number.
    pub fn notify(&mut self, user: &str) -> usize {
        self.publish(Target { user: Some(user.to_owned()), ..Target::default() })
    }

    /// Notifies every user.
    pub fn broadcast(&mut self) -> usize {
        self.publish(Target { everyone: Some(true), ..Target::default() })
    }

    /// Notifies several users in one transaction.
    pub fn notify_all(&mut self, users: &[&str]) -> usize {
        let users = users.iter().map(|user| (*user).to_owned()).collect();
        self.publish(Target { users: Some(users), ..Target::default() })
    }

    fn publish(&mut self, to: Target) -> usize {
        let body = PublishNotification {
            to,
            kind: "like".to_owned(),
            title: title(self.publishes.len()),
            ..PublishNotification::default()
        };
        self.send(Body::Notification(Box::new(body)))
    }

    /// Publishes a message in a room; returns the publish's number.
    pub fn post(&mut self, channel: &Channel) -> usize {
        self.history.room(&self.disk.memory, channel);
        let data = Json::string(&title(self.publishes.len()));
        self.send(Body::Message { channel: channel.clone(), data })
    }

    fn send(&mut self, body: Body) -> usize {
        let number = self.publishes.len();
        self.publishes.push(Publish { body, acknowledged: false });
        self.env.observe(Observation::Sent { publish: number });
        self.try_publish(number);
        number
    }

    /// Gives a user's tickets these rights in a room from now on.
    pub fn allow(&mut self, user: &str, channel: &Channel, rights: RightSet) {
        self.history.room(&self.disk.memory, channel);
        let allowed = self.allowed.entry(user.to_owned()).or_default();
        allowed.retain(|(other, _)| other != channel);
        allowed.push((channel.clone(), rights));
    }

    /// Sends a publish to some server; it is repeated until an answer comes.
    pub(super) fn try_publish(&mut self, publish: usize) {
        if self.publishes[publish].acknowledged {
            return;
        }
        self.env.after(ANSWER, Due::PublisherRetries { publish });
        if !self.env.strikes(self.env.faults.request, Count::Request)
            && let Some(node) = self.some_node()
        {
            let of = self.nodes[node].process;
            self.env.after(1, Due::Requested { of, publish });
        }
    }

    /// A request arrives: the handler makes a write of it, with new ids each time.
    pub(super) fn requested(&mut self, node: usize, publish: usize) {
        let mut fingerprint = [0; 32];
        fingerprint[..8].copy_from_slice(&(publish as u64).to_le_bytes());
        let key = IdempotencyKey {
            credential: "backend".to_owned(),
            key: publish.to_string(),
            fingerprint,
        };
        let wall = self.nodes[node].clock.read(self.env.now).wall;
        let write = match self.publishes[publish].body.clone() {
            Body::Notification(body) => service::notify(&body, Some(key), wall, &mut self.ids),
            Body::Message { channel, data } => {
                let (caller, key) = (Caller::Backend, Some(key));
                service::message(caller, channel, data, None, key, wall, &mut self.ids)
            }
        };
        match write {
            Ok(write) => self.nodes[node].publish(&mut self.env, publish, write),
            Err(refused) => panic!("the simulation publishes nonsense: {refused}"),
        }
    }

    pub(super) fn published(&mut self, answers: Vec<Published>) {
        for (publish, answer) in answers {
            let Ok(outcome) =
                answer.map_err(Into::into).and_then(|written| service::outcome(&written))
            else {
                continue;
            };
            if self.env.strikes(self.env.faults.request, Count::Response) {
                continue;
            }
            self.env.tally.count(if outcome.replayed { Count::Replays } else { Count::Publishes });
            self.env.observe(Observation::Acknowledged { publish, refs: outcome.refs });
            self.publishes[publish].acknowledged = true;
        }
    }

    /// Revokes the last session of a device, or all credentials of its user.
    pub fn revoke(&mut self, device: usize, everything: bool) {
        let mut body = RevocationRequest::default();
        if everything {
            body.user = Some(self.devices[device].user.clone());
        } else {
            body.session = self.sessions.get(&device).cloned();
        }
        let Some(node) = self.some_node() else { return };
        let node = &mut self.nodes[node];
        let wall = node.clock.read(self.env.now).wall;
        if let Ok(write) = service::revoke(body, wall, node.limits()) {
            node.revoke(&mut self.env, write);
        }
    }

    /// Makes a ticket.
    pub(super) fn make_ticket(&mut self, page: Page, attempt: u64) {
        let fails = self.env.strikes(self.env.faults.ticket, Count::NoTicket) || self.tickets_fail;
        let result = match self.some_node().filter(|_| !fails && !self.disk.is_away(&self.env)) {
            Some(node) => self.ticket_of(node, page),
            None => Err("the backend is away".to_owned()),
        };
        if let Some(device) = at(&mut self.devices, page) {
            device.ticket(&mut self.env, attempt, result);
        }
    }

    fn ticket_of(&mut self, node: usize, page: Page) -> Result<Credential, String> {
        self.tickets += 1;
        let text = format!("ticket-{}", self.tickets);
        let session = format!("session-{}", self.tickets);
        self.sessions.insert(page.device, session.clone());
        let user = self.devices[page.device].user.clone();
        let allowed = self.allowed.get(&user).cloned().unwrap_or_default();
        let grant = |(channel, allow): &(Channel, RightSet)| {
            let pattern = Pattern::parse(channel.as_str()).ok()?;
            Some(Grant { pattern, allow: *allow })
        };
        let body = TicketRequest {
            channels: Some(Rights::new(allowed.iter().filter_map(grant).collect())),
            info: Some(Json::string(&user)),
            user: Some(user.clone()),
            session_ttl_ms: Some(self.session_ttl_ms),
            ..TicketRequest::default()
        };
        self.granted.insert(session.clone(), allowed.clone());
        self.env.observe(Observation::Granted { user, session: session.clone(), allowed });
        let node = &self.nodes[node];
        let (wall, limits) = (node.clock.read(self.env.now).wall, node.limits());
        let store_wall = node.store_wall(&self.env);
        service::grant(Caller::Backend, body, session, wall, limits)
            .and_then(|grant| grant.encode())
            .and_then(|grant| {
                let hash = hash_of(&text);
                let share = service::share(Caller::Backend, "key:app".to_owned(), 1, limits);
                let ticket = Ticket { hash, ttl_ms: limits.ticket_ms, grant, share };
                Ok(self.disk.memory.put_ticket(store_wall, &ticket)?)
            })
            .map(|()| Credential::Ticket(text))
            .map_err(|refused| refused.to_string())
    }
}
