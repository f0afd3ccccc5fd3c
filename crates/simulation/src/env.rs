//! Time, chance, the wire and its faults.

use std::collections::{BTreeMap, BTreeSet};

use tidings_server_core::{
    Now,
    session::Request,
    store::{Answer, StoreError},
};

use crate::rng::Rng;

/// A connection: the device and its number for the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conn {
    /// Index of the device.
    pub device: usize,
    /// The client core's number.
    pub transport: u64,
}

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// To the server.
    Up,
    /// To the device.
    Down,
}

/// How bad the network is; chances are per frame, of ten thousand.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Shortest and longest delay of a frame, in milliseconds.
    pub delay: (u64, u64),
    /// The connection is cut.
    pub cut: u32,
    /// Of cuts: one end is not told and has to find out.
    pub half_open: u32,
    /// The frame ends in the middle, then the connection is cut.
    pub tear: u32,
    /// The frame comes twice.
    pub double: u32,
    /// A record is overtaken by what follows. Nothing else is: transports keep order, a hub may not.
    pub overtake: u32,
    /// A record is lost although the connection stays, as by a bug of a hub.
    pub lose: u32,
    /// Milliseconds the server needs to write one frame.
    pub pace: u64,
    /// Longest time of a read and of a group commit, in milliseconds.
    pub store: (u64, u64),
}

impl Faults {
    /// A good network.
    pub const NONE: Self = Self {
        delay: (1, 20),
        cut: 0,
        half_open: 0,
        tear: 0,
        double: 0,
        overtake: 0,
        lose: 0,
        pace: 0,
        store: (5, 10),
    };

    /// Connections end all the time, but while they last they keep what they carry.
    pub const CUTS: Self =
        Self { delay: (1, 300), cut: 200, half_open: 2_000, store: (100, 40), ..Self::NONE };

    /// A bad one, in every way at once.
    pub const ROUGH: Self = Self {
        delay: (1, 300),
        cut: 150,
        half_open: 2_000,
        tear: 50,
        double: 500,
        overtake: 500,
        lose: 300,
        pace: 1,
        store: (100, 40),
    };
}

/// Something that will happen.
#[derive(Debug)]
#[allow(missing_docs, reason = "each variant's sentence names its fields")]
pub enum Due {
    /// A device opens a transport.
    Dial(Conn),
    /// The device hears that it is open.
    Opened(Conn),
    /// A frame arrives.
    Arrives(Conn, Way, String),
    /// One end hears that the connection is gone; the device with a close code.
    Closed(Conn, Way, u16),
    /// A device's timer.
    Timer { device: usize, at: u64 },
    /// The app's ticket function answers.
    Credential { device: usize, attempt: u64 },
    /// A device's storage answers a load.
    Loaded { device: usize, user: String },
    /// A session's deadline.
    Deadline { conn: Conn, at: u64 },
    /// The server writes one more frame.
    Writes(Conn),
    /// The store answers a read.
    ReadDone { life: u32, conn: Conn, request: Request, answer: Result<Answer, StoreError> },
    /// The store finishes a group commit.
    CommitDone { life: u32 },
    /// The publisher tries again.
    PublisherRetries { publish: usize },
}

/// What everything shares.
#[derive(Debug)]
pub struct Env {
    /// The one clock; devices and server agree on it.
    pub now: Now,
    /// The one source of chance.
    pub rng: Rng,
    /// The network as it is now.
    pub faults: Faults,
    queue: BTreeMap<(u64, u64), Due>,
    scheduled: u64,
    /// When the last frame of a direction arrives: transports keep order.
    wires: BTreeMap<(Conn, Way), u64>,
    cut: BTreeSet<Conn>,
    trace: u64,
}

impl Env {
    /// The start of everything.
    #[must_use]
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self {
            now: Now { mono: 1_000_000, wall: 1_800_000_000_000 },
            rng: Rng::new(seed),
            faults,
            queue: BTreeMap::new(),
            scheduled: 0,
            wires: BTreeMap::new(),
            cut: BTreeSet::new(),
            trace: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// Plans something, `ms` from now.
    pub fn after(&mut self, ms: u64, due: Due) {
        self.scheduled += 1;
        self.queue.insert((self.now.mono + ms, self.scheduled), due);
    }

    /// The next thing up to `until`, with the clock moved to it.
    pub fn next(&mut self, until: u64) -> Option<Due> {
        let entry = self.queue.first_entry()?;
        let at = entry.key().0;
        if at > until {
            return None;
        }
        let due = entry.remove();
        self.advance(at);
        self.record(&format!("{at} {due:?}"));
        Some(due)
    }

    /// Moves the clock.
    pub const fn advance(&mut self, mono: u64) {
        let passed = mono.saturating_sub(self.now.mono);
        self.now = Now { mono: self.now.mono + passed, wall: self.now.wall + passed };
    }

    /// Hash of everything that happened so far: the same seed gives the same.
    #[must_use]
    pub const fn trace(&self) -> u64 {
        self.trace
    }

    fn record(&mut self, text: &str) {
        for byte in text.bytes() {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Delay of a frame or a short errand.
    pub const fn delay(&mut self) -> u64 {
        self.rng.between(self.faults.delay.0, self.faults.delay.1)
    }

    /// Puts a frame on the wire.
    pub fn send(&mut self, conn: Conn, way: Way, frame: String) {
        if self.cut.contains(&conn) {
            return;
        }
        if self.rng.hits(self.faults.cut) {
            return self.cut(conn);
        }
        if self.rng.hits(self.faults.tear) {
            let torn: String = frame.chars().take(frame.chars().count() / 2).collect();
            self.carry(conn, way, torn);
            return self.cut(conn);
        }
        let record = way == Way::Down && frame.lines().all(is_record);
        if record && self.rng.hits(self.faults.lose) {
            return;
        }
        if (record || is_intent(&frame)) && self.rng.hits(self.faults.double) {
            self.carry(conn, way, frame.clone());
        }
        if record && self.rng.hits(self.faults.overtake) {
            let late = self.delay() + self.faults.delay.1;
            return self.after(late, Due::Arrives(conn, way, frame));
        }
        self.carry(conn, way, frame);
    }

    fn carry(&mut self, conn: Conn, way: Way, frame: String) {
        let wait = self.in_order(conn, way);
        self.after(wait, Due::Arrives(conn, way, frame));
    }

    /// Milliseconds until something sent now arrives, behind everything sent before.
    fn in_order(&mut self, conn: Conn, way: Way) -> u64 {
        let at = self.now.mono + self.delay();
        let last = self.wires.entry((conn, way)).or_insert(0);
        *last = at.max(*last);
        *last - self.now.mono
    }

    /// Tells one end that the other has closed, behind what was sent before.
    pub fn close(&mut self, conn: Conn, way: Way, code: u16) {
        let wait = self.in_order(conn, way);
        self.after(wait, Due::Closed(conn, way, code));
    }

    /// The connection is gone: nothing more arrives. One end may not be told.
    pub fn cut(&mut self, conn: Conn) {
        if !self.cut.insert(conn) {
            return;
        }
        let untold = self.rng.hits(self.faults.half_open).then(|| self.rng.hits(5_000));
        for (way, side) in [(Way::Down, true), (Way::Up, false)] {
            if untold != Some(side) {
                let wait = self.delay();
                self.after(wait, Due::Closed(conn, way, 1006));
            }
        }
    }

    /// Nothing arrives any more, and nobody is told: a half-open link.
    pub fn freeze(&mut self, conn: Conn) {
        self.cut.insert(conn);
    }

    /// Whether frames of this connection still arrive.
    #[must_use]
    pub fn is_cut(&self, conn: Conn) -> bool {
        self.cut.contains(&conn)
    }
}

fn is_record(line: &str) -> bool {
    ["notification", "message", "marked", "trimmed"]
        .iter()
        .any(|kind| line.strip_prefix("{\"type\":\"").is_some_and(|rest| rest.starts_with(kind)))
}

fn is_intent(frame: &str) -> bool {
    frame.starts_with("{\"type\":\"mark\"")
}
