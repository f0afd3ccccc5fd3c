//! Writes to the log and follows it.

use tidings_server_core::{
    follow,
    hub::{Delivery, Hint},
    session::Event,
    store::{Op, Record, Revocation, StoreError, Write, Written},
};

use super::{Node, Origin, Published};
use crate::{
    bus::News,
    env::{Due, Env, Process},
    observation::Observation,
    tally::Count,
};

impl Node {
    /// A backend publishes.
    pub fn publish(&mut self, env: &mut Env, publish: usize, write: Write) {
        self.queue(env, Origin::Publisher(publish), write);
    }

    /// A backend revokes.
    pub fn revoke(&mut self, env: &mut Env, write: Write) {
        self.queue(env, Origin::Revoker, write);
    }

    pub(super) fn queue(&mut self, env: &mut Env, origin: Origin, write: Write) {
        self.queued.push((origin, write));
        self.start_commit(env);
    }

    fn start_commit(&mut self, env: &mut Env) {
        if self.committing.is_empty() && !self.queued.is_empty() {
            self.committing = std::mem::take(&mut self.queued);
            self.crashes = self.disk.crashes();
            let wait = env.rng.between(1, env.faults.store.1);
            env.after(wait, Due::CommitDone { of: self.process });
        }
    }

    /// A group commit ended: fans the records out in order, then answers.
    pub fn commit_done(&mut self, env: &mut Env, of: Process) -> Vec<Published> {
        if of != self.process {
            return Vec::new();
        }
        let committing = std::mem::take(&mut self.committing);
        let (origins, writes): (Vec<_>, Vec<_>) = committing.into_iter().unzip();
        let (wall, cut_off) = (self.store_wall(env), self.crashes != self.disk.crashes());
        let results = self.disk.commit(env, wall, &writes, cut_off);
        if results.iter().any(|result| matches!(result, Err(StoreError::Unknown(_)))) {
            // The log may have new records that no hint announced.
            self.follow(env, follow::Event::HintsLost);
        }
        let mut published = Vec::new();
        for ((origin, write), result) in origins.into_iter().zip(writes).zip(results) {
            if let Ok(Written::Records { records, .. }) = &result {
                env.tally.more(Count::Records, records.len() as u64);
                records.iter().for_each(|record| self.fan_out(env, record));
            }
            match origin {
                Origin::Publisher(publish) => published.push((publish, result)),
                Origin::Session(conn, request) => {
                    let event = match result {
                        Ok(written) => Event::Committed { request, written },
                        Err(error) => Event::StoreFailed { request, error },
                    };
                    self.step(env, conn, event);
                }
                Origin::Revoker => {
                    if let (Ok(_), Op::Revoke(revocation)) = (result, write.op) {
                        self.revoked(env, revocation);
                    }
                }
            }
        }
        self.start_commit(env);
        self.settle(env);
        published
    }

    /// Hands a record to the hub, and sends a hint to the other nodes.
    fn fan_out(&mut self, env: &mut Env, record: &Record) {
        let hint =
            Hint { channel: record.channel.clone(), epoch: record.epoch, top: record.offset };
        if matches!(self.hub.committed(record), Delivery::Hole { .. } | Delivery::OtherLog) {
            env.tally.count(Count::HubReads);
            self.follow(env, follow::Event::Hinted(vec![hint.clone()]));
        }
        self.news.push(News::Hint(hint));
    }

    fn revoked(&mut self, env: &mut Env, revocation: Revocation) {
        env.tally.count(Count::Revocations);
        let Revocation { subject, at, .. } = revocation.clone();
        env.observe(Observation::Revoked { subject, at });
        self.news.push(News::Revocation);
        self.heed(env, revocation);
    }

    fn heed(&mut self, env: &mut Env, revocation: Revocation) {
        for conn in self.gate.heed(revocation) {
            self.step(env, conn, Event::Revoked);
        }
    }

    /// Gives the log follower an event.
    pub fn follow(&mut self, env: &mut Env, event: follow::Event) {
        let mut out = Vec::new();
        self.follow.handle(self.clock.read(env.now), event, &mut self.hub, &mut out);
        self.follow_on(env, out);
        self.settle(env);
    }

    pub(super) fn follow_on(&mut self, env: &mut Env, commands: Vec<follow::Command>) {
        let of = self.process;
        for command in commands {
            match command {
                follow::Command::Read { request, queries } => {
                    let answers = self.disk.read(env, &queries);
                    let wait = env.rng.between(0, env.faults.store.0);
                    env.after(wait, Due::FollowRead { of, request, answers });
                }
                follow::Command::Heed(revocation) => self.heed(env, revocation),
                follow::Command::SetDeadline { at: Some(at) } => {
                    env.timer(self.clock.until(env.now, at), Due::Follows { of, at });
                }
                follow::Command::SetDeadline { at: None } => {}
            }
        }
    }
}
