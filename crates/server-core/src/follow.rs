//! Decides when, and how far, a node reads the log for records that other nodes wrote.
//!
//! Records of this node's own commits go to its [`Hub`](crate::Hub) directly. Other nodes send
//! hints about theirs. A hint may be lost, doubled, late or out of order, so it is only a reason to
//! read the log. Records without a hint are found by a poll, which reads the heads of all channels
//! with subscribers: regularly, and at once when hints may have been lost.
//!
//! Driven like every machine here: events in, commands out, nothing waits. One read is in progress
//! at a time. It asks for everything that is wanted by then, so a burst of hints costs one round
//! trip.

use std::collections::{BTreeMap, BTreeSet};

use tidings_protocol::Channel;

use crate::{
    Now,
    hub::{Delivery, Hint, Hubs},
    store::{Answer, Head, Query, Record, Revocation, StoreError},
};

/// Logs read at once.
const READS: usize = 64;
/// Heads asked for at once.
const HEADS: usize = 1_000;
/// Records of a log read at once, and their bytes.
const RECORDS: u32 = 500;
const BYTES: u32 = 1 << 20;
/// Bytes of all logs read at once, divided between them.
const BYTES_OF_ALL: u32 = 4 << 20;
/// Revocations read at once.
const REVOCATIONS: u32 = 1_000;
/// Pause after a failed read, in milliseconds.
const AGAIN_MS: u64 = 1_000;

/// When the node reads the log without a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polling {
    /// This node is the only writer: it knows all its commits.
    Never,
    /// Other nodes write too, and their hints may be lost.
    Every {
        /// Milliseconds between two polls.
        ms: u64,
    },
}

/// Something happened.
#[derive(Debug)]
pub enum Event {
    /// Another node, or this node's own fan-out, says how far logs go.
    Hinted(Vec<Hint>),
    /// Another node says that a revocation was stored.
    RevocationHinted,
    /// Hints may have been lost: the bus was away, or more hints came than could be stored. Also to
    /// be sent after retention ran and after a commit of unknown fate: logs may have changed
    /// without a hint.
    HintsLost,
    /// The time of `SetDeadline` has come. Late or early is harmless.
    DeadlinePassed,
    /// The answers to `Read`, one for each query.
    Read {
        /// From the command.
        request: u32,
        /// In the order of the queries.
        answers: Vec<Result<Answer, StoreError>>,
    },
    /// `Read` failed as a whole.
    ReadFailed {
        /// From the command.
        request: u32,
    },
}

/// An action for the driver.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// [`crate::store::Store::read`]; answer with `Read` or `ReadFailed`.
    Read {
        /// Comes back in the answer.
        request: u32,
        /// The questions.
        queries: Vec<Query>,
    },
    /// End the sessions that the revocation hits, and refuse its credentials at every transport and
    /// the REST API. A revocation may come twice.
    Heed(Revocation),
    /// The one deadline: feed `DeadlinePassed` once at this monotonic time. Replaces the earlier
    /// one. `None`: no deadline.
    SetDeadline {
        /// Milliseconds as `Now::mono`.
        at: Option<u64>,
    },
}

/// The work done so far, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Pages of logs that were read because records were missing here.
    pub holes: u64,
    /// Heads that were read.
    pub polled: u64,
    /// Heads that revealed records without a hint.
    pub found: u64,
}

/// The machine. One a node.
#[derive(Debug)]
pub struct Follow {
    polling: Polling,
    /// Channels with records that are missing here, and that the log can provide.
    holes: BTreeMap<Channel, Hole>,
    /// Channels whose heads are to be read.
    doubts: BTreeSet<Channel>,
    /// Number of the newest known revocation.
    revoked: u64,
    /// There may be newer revocations.
    revocations_wanted: bool,
    reading: Option<Reading>,
    requests: u32,
    poll_at: Option<u64>,
    /// A read failed: no other before this time.
    again_at: Option<u64>,
    deadline: Option<u64>,
    figures: Figures,
}

#[derive(Debug)]
struct Hole {
    /// The last offset that was delivered; read on after it.
    after: u64,
    /// A hint or a head came after the current read was requested, so its answer may be incomplete.
    stale: bool,
}

/// The queries of the read in progress, in order.
#[derive(Debug)]
struct Reading {
    request: u32,
    asked: Vec<Asked>,
}

#[derive(Debug)]
enum Asked {
    Hole(Channel),
    Heads(Vec<Channel>),
    Revocations,
}

impl Follow {
    /// A machine for a node that knows all revocations up to number `revoked`.
    pub fn new(polling: Polling, revoked: u64, now: Now, out: &mut Vec<Command>) -> Self {
        let mut follow = Self {
            polling,
            holes: BTreeMap::new(),
            doubts: BTreeSet::new(),
            revoked,
            revocations_wanted: false,
            reading: None,
            requests: 0,
            poll_at: None,
            again_at: None,
            deadline: None,
            figures: Figures::default(),
        };
        follow.schedule(now);
        follow.set_deadline(out);
        follow
    }

    /// Takes in an event and appends commands to `out`.
    pub fn handle(&mut self, now: Now, event: Event, hubs: &mut impl Hubs, out: &mut Vec<Command>) {
        match event {
            Event::Hinted(hints) => {
                for hint in hints {
                    let delivery = hubs.hint(&hint);
                    self.note(&hint.channel, delivery);
                }
            }
            Event::RevocationHinted => self.revocations_wanted = true,
            Event::HintsLost => self.doubt_everything(hubs),
            Event::DeadlinePassed => {
                // The driver's timer has fired, even if early: a deadline that still stands must be
                // set again.
                self.deadline = None;
                self.wake(now, hubs);
            }
            Event::Read { request, answers } => {
                if let Some(reading) = self.reading.take_if(|reading| reading.request == request) {
                    self.again_at = None;
                    self.take_in(now, reading, answers, hubs, out);
                }
            }
            Event::ReadFailed { request } => {
                if let Some(reading) = self.reading.take_if(|reading| reading.request == request) {
                    reading.asked.into_iter().for_each(|asked| self.ask_again(asked));
                    self.again_at = Some(now.mono + AGAIN_MS);
                }
            }
        }
        self.read(out);
        self.set_deadline(out);
    }

    /// The work done so far.
    #[must_use]
    pub const fn figures(&self) -> Figures {
        self.figures
    }

    /// Whether no record is known to be missing and no read is in progress: all live subscribers
    /// have everything that this node knows of.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.holes.is_empty() && self.doubts.is_empty() && self.reading.is_none()
    }

    fn note(&mut self, channel: &Channel, delivery: Delivery) {
        match delivery {
            Delivery::Hole { after } => {
                let fresh = || Hole { after, stale: false };
                // Also if the hole is known: the read in progress may be older than this hint.
                self.holes.entry(channel.clone()).or_insert_with(fresh).stale = true;
            }
            Delivery::OtherLog => {
                self.doubts.insert(channel.clone());
            }
            Delivery::Pushed(_) | Delivery::Nothing => {}
        }
    }

    fn doubt_everything(&mut self, hubs: &impl Hubs) {
        self.doubts.extend(hubs.listened());
        self.revocations_wanted = true;
    }

    fn wake(&mut self, now: Now, hubs: &impl Hubs) {
        if self.again_at.is_some_and(|at| at <= now.mono) {
            self.again_at = None;
        }
        if self.poll_at.is_some_and(|at| at <= now.mono) {
            // A poll that takes longer than its interval must end before the next one begins.
            if self.doubts.is_empty() {
                self.doubt_everything(hubs);
            }
            self.schedule(now);
        }
    }

    fn schedule(&mut self, now: Now) {
        self.poll_at = match self.polling {
            Polling::Never => None,
            Polling::Every { ms } => Some(now.mono + ms),
        };
    }

    /// Asks for everything that is wanted, in one read. The `stale` marks are cleared here: a hint
    /// that arrives after this point may be about a record that the answer does not hold yet.
    fn read(&mut self, out: &mut Vec<Command>) {
        if self.reading.is_some() || self.again_at.is_some() {
            return;
        }
        let (mut asked, mut queries) = (Vec::new(), Vec::new());
        let logs = self.holes.len().clamp(1, READS) as u32;
        for (channel, hole) in self.holes.iter_mut().take(READS) {
            hole.stale = false;
            queries.push(Query::Records {
                channel: channel.clone(),
                after: hole.after,
                limit: RECORDS,
                bytes: BYTES.min(BYTES_OF_ALL / logs),
            });
            asked.push(Asked::Hole(channel.clone()));
            self.figures.holes += 1;
        }
        let mut heads = Vec::new();
        while heads.len() < HEADS
            && let Some(channel) = self.doubts.pop_first()
        {
            heads.push(channel);
        }
        if !heads.is_empty() {
            self.figures.polled += heads.len() as u64;
            queries.push(Query::Heads(heads.clone()));
            asked.push(Asked::Heads(heads));
        }
        if std::mem::take(&mut self.revocations_wanted) {
            queries.push(Query::Revocations { after: self.revoked, limit: REVOCATIONS });
            asked.push(Asked::Revocations);
        }
        if !queries.is_empty() {
            self.requests = self.requests.wrapping_add(1);
            self.reading = Some(Reading { request: self.requests, asked });
            out.push(Command::Read { request: self.requests, queries });
        }
    }

    fn take_in(
        &mut self,
        now: Now,
        reading: Reading,
        answers: Vec<Result<Answer, StoreError>>,
        hubs: &mut impl Hubs,
        out: &mut Vec<Command>,
    ) {
        let mut answers = answers.into_iter();
        for asked in reading.asked {
            match (asked, answers.next()) {
                (Asked::Hole(channel), Some(Ok(Answer::Records { head, records, more }))) => {
                    self.fill(channel, head, &records, more, hubs);
                }
                // The log is damaged: each session finds the damage and tells its client.
                (Asked::Hole(channel), Some(Err(StoreError::Corrupt { .. }))) => {
                    self.holes.remove(&channel);
                    hubs.send_back(&channel);
                }
                (Asked::Heads(channels), Some(Ok(Answer::Heads(heads)))) => {
                    for (channel, head) in channels.iter().zip(heads) {
                        let Some(head) = head else { continue };
                        let delivery = hubs.head(channel, head);
                        let is_news = matches!(delivery, Delivery::Hole { .. })
                            && !self.holes.contains_key(channel);
                        self.figures.found += u64::from(is_news);
                        self.note(channel, delivery);
                    }
                }
                (Asked::Revocations, Some(Ok(Answer::Revocations(page)))) => {
                    self.revocations_wanted |= page.len() >= REVOCATIONS as usize;
                    for (number, revocation) in page {
                        self.revoked = self.revoked.max(number);
                        out.push(Command::Heed(revocation));
                    }
                }
                (asked, _) => {
                    self.ask_again(asked);
                    self.again_at = Some(now.mono + AGAIN_MS);
                }
            }
        }
    }

    /// Delivers a page of a log that has a hole.
    fn fill(
        &mut self,
        channel: Channel,
        head: Option<Head>,
        records: &[Record],
        more: bool,
        hubs: &mut impl Hubs,
    ) {
        let Some(mut hole) = self.holes.remove(&channel) else { return };
        // The missing records are gone, trimmed or damaged: each session tells its client of the
        // gap.
        let is_dense = records.first().is_none_or(|first| first.offset == hole.after + 1);
        if !is_dense || head.is_some_and(|head| head.first > hole.after + 1) {
            return hubs.send_back(&channel);
        }
        // With more records, or a newer hint, the hole must be read again.
        hole.stale |= more;
        for record in records {
            if let Delivery::Hole { after } = hubs.committed(record) {
                // The live subscribers changed meanwhile, and the present ones have less: continue
                // from their offset.
                self.holes.insert(channel, Hole { after, stale: true });
                return;
            }
            hole.after = record.offset;
        }
        if hole.stale {
            self.holes.insert(channel, hole);
        }
    }

    fn ask_again(&mut self, asked: Asked) {
        match asked {
            // The channel is still among the holes.
            Asked::Hole(_) => {}
            Asked::Heads(channels) => self.doubts.extend(channels),
            Asked::Revocations => self.revocations_wanted = true,
        }
    }

    fn set_deadline(&mut self, out: &mut Vec<Command>) {
        let next = [self.poll_at, self.again_at].into_iter().flatten().min();
        if next != self.deadline {
            self.deadline = next;
            out.push(Command::SetDeadline { at: next });
        }
    }
}

#[cfg(test)]
mod tests;
