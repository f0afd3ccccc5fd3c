//! Delivers each event to the part of the world it concerns.

use tidings_client_core::Event;
use tidings_server_core::{follow, session};

use super::{EVENTS_MAX, World, at, of};
use crate::{
    bus::News,
    env::{Asked, Conn, Due, Way},
    invariants::Violation,
    tally::Count,
};

impl World {
    pub(super) fn happen(&mut self, due: Due) {
        self.events += 1;
        if self.events > EVENTS_MAX {
            let what = format!("{EVENTS_MAX} events and no end");
            self.violation = Some(Violation { invariant: "I7", what });
        }
        if self.env.trace.is_told() {
            due.describe().into_iter().for_each(|line| self.env.narrate(line));
        }
        let Some(due) = self.held_back(due) else { return };
        let Self { env, nodes, devices, routes, .. } = self;
        match due {
            Due::Dial(conn) => self.dial(conn),
            Due::Asks(conn, asked) => self.ask(conn, &asked),
            Due::Answers(conn, ..) if env.is_dead(conn, Way::Down) => {}
            Due::Answers(conn, status, after) => {
                if let (Some(device), Some(request)) = (at(devices, conn.page), conn.request()) {
                    device.answered(env, request, status, after);
                }
            }
            Due::Opened(conn) => {
                if let Some(device) = of(devices, conn) {
                    let transport = conn.transport;
                    device.feed(env, Event::TransportOpened { transport });
                }
            }
            Due::Arrives(conn, way, _) if env.is_dead(conn, way) => {}
            Due::Arrives(conn, Way::Up, text) => {
                let Some(node) = routes.get(&conn) else { return };
                if text.is_empty() {
                    nodes[*node].feed(env, conn, session::Event::ShowedLife);
                } else {
                    nodes[*node].receive(env, conn, text);
                }
            }
            Due::Arrives(conn, Way::Down, text) if conn.request().is_some() => {
                if let (Some(device), Some(request)) = (at(devices, conn.page), conn.request()) {
                    device.received(env, request, &text);
                }
            }
            // The transport answers its own ping.
            Due::Arrives(conn, Way::Down, text) if text.is_empty() => env.send(conn, Way::Up, text),
            Due::Arrives(conn, Way::Down, text) => {
                if let Some(device) = of(devices, conn) {
                    let transport = conn.transport;
                    device.feed(env, Event::TransportReceived { transport, text });
                }
            }
            Due::Closed(conn, Way::Up, _) => {
                if let Some(node) = routes.get(&conn) {
                    nodes[*node].feed(env, conn, session::Event::TransportClosed);
                }
            }
            Due::Closed(conn, Way::Down, code) if conn.request().is_some() => {
                if let (Some(device), Some(request)) = (at(devices, conn.page), conn.request()) {
                    device.ended(env, request, code == 1006);
                }
            }
            Due::Closed(conn, Way::Down, code) => {
                if let Some(device) = of(devices, conn) {
                    device.closed(env, conn.transport, code);
                }
            }
            Due::Timer { page, .. } => {
                if let Some(device) = at(devices, page) {
                    device.feed(env, Event::TimerFired);
                }
            }
            Due::Credential { page, attempt } => self.make_ticket(page, attempt),
            Due::DeferredLoaded { page } => {
                if let Some(device) = at(devices, page) {
                    device.deferred_loaded(env);
                }
            }
            Due::Loaded { page, key } => {
                if let Some(device) = at(devices, page) {
                    device.loaded(env, key);
                }
            }
            Due::Saves { page, save } => devices[page.device].saves(env, page, save),
            Due::LaneWorked { page } => {
                if let Some(device) = at(devices, page) {
                    device.lane_worked(env);
                }
            }
            Due::LaneTold { page, event } => {
                if let Some(device) = at(devices, page) {
                    device.lane_told(env, event);
                }
            }
            Due::PublisherRetries { publish } => self.try_publish(publish),
            due => self.happen_at_node(due),
        }
    }

    fn happen_at_node(&mut self, due: Due) {
        let Self { env, nodes, routes, bus, .. } = self;
        match due {
            Due::Deadline { conn, .. } => {
                if let Some(node) = routes.get(&conn) {
                    nodes[*node].feed(env, conn, session::Event::DeadlinePassed);
                }
            }
            Due::PollEnds { conn } => {
                if let Some(node) = routes.get(&conn) {
                    nodes[*node].poll_ends(env, conn);
                }
            }
            Due::Writes(conn) => {
                if let Some(node) = routes.get(&conn) {
                    nodes[*node].write(env, conn);
                }
            }
            Due::ReadDone { of, conn, request, answer } => {
                nodes[of.node].read_done(env, of, conn, request, answer)
            }
            Due::CommitDone { of } => {
                let answers = nodes[of.node].commit_done(env, of);
                self.published(answers);
            }
            Due::Starts { node } => nodes[node].start(env),
            Due::Requested { of, publish } if nodes[of.node].process == of => {
                self.requested(of.node, publish);
            }
            Due::Stops { of } if nodes[of.node].process == of => {
                let answers = nodes[of.node].stop(env);
                env.after(1_000, Due::Starts { node: of.node });
                self.published(answers);
            }
            Due::Renews { of } if nodes[of.node].process == of => nodes[of.node].renew(env),
            Due::Follows { of, .. } if nodes[of.node].process == of => {
                nodes[of.node].follow(env, follow::Event::DeadlinePassed);
            }
            Due::FollowRead { of, request, answers } if nodes[of.node].process == of => {
                let event = match answers {
                    Ok(answers) => follow::Event::Read { request, answers },
                    Err(_) => follow::Event::ReadFailed { request },
                };
                nodes[of.node].follow(env, event);
            }
            Due::Hinted { of, generation, news }
                if nodes[of.node].process == of && bus.carries(generation) =>
            {
                let node = &mut nodes[of.node];
                match news {
                    News::Hint(hint) => node.follow(env, follow::Event::Hinted(vec![hint])),
                    News::Revocation => node.follow(env, follow::Event::RevocationHinted),
                    News::Replaced(connection) => node.replaced(env, connection),
                }
            }
            // The event belongs to a process that has ended.
            _ => {}
        }
    }

    /// Holds an event back while no code runs in its device.
    fn held_back(&mut self, due: Due) -> Option<Due> {
        let page = match &due {
            Due::Opened(conn) | Due::Answers(conn, ..) | Due::Closed(conn, Way::Down, _) => {
                conn.page
            }
            Due::Arrives(conn, Way::Down, text) if !text.is_empty() => conn.page,
            Due::Timer { page, .. }
            | Due::Credential { page, .. }
            | Due::Loaded { page, .. }
            | Due::LaneTold { page, .. }
            | Due::DeferredLoaded { page } => *page,
            _ => return Some(due),
        };
        let left = self.devices[page.device].frozen_until.saturating_sub(self.env.now.mono);
        if left == 0 {
            return Some(due);
        }
        self.env.after(left, due);
        None
    }

    fn dial(&mut self, conn: Conn) {
        let device = at(&mut self.devices, conn.page);
        if device.is_some_and(|device| device.network.no_sockets) {
            self.env.tally.count(Count::NoSocket);
            return self.turn_away(conn);
        }
        let hangs = self.env.rng.hits(5_000);
        if self.env.strikes(self.env.faults.unreachable, Count::Unreachable) && hangs {
            return;
        }
        match self.some_node() {
            Some(node) => {
                self.routes.insert(conn, node);
                self.nodes[node].accept(&mut self.env, conn);
            }
            None => self.turn_away(conn),
        }
    }

    fn turn_away(&mut self, conn: Conn) {
        let wait = self.env.delay();
        self.env.after(wait, Due::Closed(conn, Way::Down, 1006));
    }

    /// Sends a request.
    fn ask(&mut self, conn: Conn, asked: &Asked) {
        let hangs = self.env.rng.hits(5_000);
        if self.env.strikes(self.env.faults.unreachable, Count::Unreachable) {
            if !hangs {
                self.turn_away(conn);
            }
            return;
        }
        let posts = asked.path.starts_with("sessions/");
        let answered = !self.env.is_dead(conn, Way::Down);
        if posts && answered && self.env.strikes(self.env.faults.double, Count::Twice) {
            self.env.make_twice(conn, asked.clone());
        }
        match self.some_node() {
            Some(node) => {
                self.routes.insert(conn, node);
                self.nodes[node].asked(&mut self.env, conn, asked);
            }
            None => self.turn_away(conn),
        }
    }

    /// Sends the nodes' messages to each other.
    pub(super) fn pass_on(&mut self) {
        for from in 0..self.nodes.len() {
            for news in std::mem::take(&mut self.nodes[from].news) {
                let others = self.nodes.iter().filter(|node| node.is_up());
                let others = others.map(|node| node.process).filter(|other| other.node != from);
                self.bus.publish(&mut self.env, &news, others);
            }
        }
    }
}
