//! Time, chance and the network, which all parts of a world share.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use tidings_client_core::Event;
use tidings_protocol::codec::messages_of;
use tidings_server_core::{
    Now,
    session::Request,
    store::{Answer, StoreError},
};

use crate::{
    bus::News,
    faults::Faults,
    observation::{Observation, Page},
    rng::Rng,
    storage::Save,
    tally::{Count, Tally},
    trace::Trace,
};

/// The numbers of a page's requests start here, above those of its transports.
const REQUESTS: u64 = 1 << 32;
/// The numbers of a proxy's copies of requests start here.
const COPIES: u64 = 1 << 33;

/// An HTTP request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The path after `/v1/`, with its query.
    pub path: String,
    /// A session token.
    pub bearer: Option<String>,
    /// Its body.
    pub body: String,
}

/// A connection: a page and its number for the transport, or for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conn {
    /// The page it belongs to.
    pub page: Page,
    /// The client core's number.
    pub transport: u64,
}

impl Conn {
    /// The connection of a page's request.
    #[must_use]
    pub const fn of_request(page: Page, request: u64) -> Self {
        Self { page, transport: REQUESTS + request }
    }

    /// The number of the request, if this is a request's connection.
    #[must_use]
    pub const fn request(self) -> Option<u64> {
        self.transport.checked_sub(REQUESTS)
    }
}

/// Direction of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// To the server.
    Up,
    /// To the device.
    Down,
}

/// One run of a node. Work of an earlier run is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Index of the node.
    pub node: usize,
    /// Counts its starts.
    pub life: u32,
}

/// An event that is scheduled.
#[derive(Debug)]
#[allow(missing_docs, reason = "each variant's sentence names its fields")]
pub enum Due {
    /// A device opens a transport.
    Dial(Conn),
    /// The device learns that the transport is open.
    Opened(Conn),
    /// A device's request arrives.
    Asks(Conn, Box<Asked>),
    /// The head of its answer arrives: status, and `Retry-After` in milliseconds.
    Answers(Conn, u16, Option<u64>),
    /// A poll has waited long enough.
    PollEnds { conn: Conn },
    /// A frame arrives.
    Arrives(Conn, Way, String),
    /// One end learns that the connection is closed; the device gets a close code.
    Closed(Conn, Way, u16),
    /// A page's timer.
    Timer { page: Page, at: u64 },
    /// The app's ticket function answers.
    Credential { page: Page, attempt: u64 },
    /// The deferred part of the client is loaded, or fails to load.
    DeferredLoaded { page: Page },
    /// A page's storage answers a load.
    Loaded { page: Page, key: String },
    /// A page's storage commits a save.
    Saves { page: Page, save: Box<Save> },
    /// A page's browser has finished a command for the outbox's rows.
    LaneWorked { page: Page },
    /// The page gets the result.
    LaneTold { page: Page, event: Event },
    /// A session's deadline.
    Deadline { conn: Conn, at: u64 },
    /// The server writes one more frame.
    Writes(Conn),
    /// The store answers a read.
    ReadDone { of: Process, conn: Conn, request: Request, answer: Result<Answer, StoreError> },
    /// The store finishes a group commit.
    CommitDone { of: Process },
    /// A node gets a message of another, unless the bus has lost that generation.
    Hinted { of: Process, generation: u32, news: News },
    /// The log follower's deadline at a node.
    Follows { of: Process, at: u64 },
    /// The store answers the log follower.
    FollowRead {
        of: Process,
        request: u32,
        answers: Result<Vec<Result<Answer, StoreError>>, StoreError>,
    },
    /// A request of a backend reaches a node.
    Requested { of: Process, publish: usize },
    /// A node renews the lease of its connections.
    Renews { of: Process },
    /// A draining node stops.
    Stops { of: Process },
    /// A node starts.
    Starts { node: usize },
    /// The publisher got no answer and tries again.
    PublisherRetries { publish: usize },
}

/// State that all parts of a world share.
#[derive(Debug)]
pub struct Env {
    /// True time. Each machine's clock differs from it.
    pub now: Now,
    /// The only source of chance.
    pub rng: Rng,
    /// The faults that are in force now.
    pub faults: Faults,
    /// Counts of events.
    pub tally: Tally,
    /// Events, in order.
    pub trace: Trace,
    /// Observations that no checker has judged yet.
    pub observations: Vec<Observation>,
    queue: BTreeMap<(u64, u64), Due>,
    scheduled: u64,
    /// Arrival time of the last frame by connection and direction: transports keep the order.
    wires: BTreeMap<(Conn, Way), u64>,
    /// Directions in which no frame arrives any more.
    dead: BTreeSet<(Conn, Way)>,
    slow: BTreeSet<Conn>,
}

/// Monotonic time at the start.
const BEGIN: u64 = 1_000_000;

impl Env {
    /// The state at the start; `told`: with a readable trace.
    #[must_use]
    pub const fn new(seed: u64, faults: Faults, narrated: bool) -> Self {
        Self {
            now: Now { mono: BEGIN, wall: 1_800_000_000_000 },
            rng: Rng::new(seed),
            faults,
            tally: Tally::NONE,
            trace: Trace::new(BEGIN, narrated),
            observations: Vec::new(),
            queue: BTreeMap::new(),
            scheduled: 0,
            wires: BTreeMap::new(),
            dead: BTreeSet::new(),
            slow: BTreeSet::new(),
        }
    }

    /// Schedules an event `ms` from now.
    pub fn after(&mut self, ms: u64, due: Due) {
        // The number orders events of the same time: first scheduled, first delivered.
        self.scheduled += 1;
        self.queue.insert((self.now.mono + ms, self.scheduled), due);
    }

    /// Schedules a timer, which may go off early.
    pub fn timer(&mut self, ms: u64, due: Due) {
        let early = self.strikes(self.faults.early, Count::Early);
        self.after(if early { ms / 2 } else { ms }, due);
    }

    /// Takes the next event up to `until`, and moves the clock to it.
    pub fn next(&mut self, until: u64) -> Option<Due> {
        let entry = self.queue.first_entry()?;
        let at = entry.key().0;
        if at > until {
            return None;
        }
        let due = entry.remove();
        self.advance(at);
        self.trace.note(&format!("{at} {due:?}"));
        Some(due)
    }

    /// Moves the clock.
    pub const fn advance(&mut self, mono: u64) {
        let passed = mono.saturating_sub(self.now.mono);
        self.now = Now { mono: self.now.mono + passed, wall: self.now.wall + passed };
    }

    /// Records an observation.
    pub fn observe(&mut self, observation: Observation) {
        self.observations.push(observation);
    }

    /// Writes a line of the readable trace.
    pub fn narrate(&self, line: impl Display) {
        self.trace.narrate(self.now.mono, line);
    }

    /// Whether a fault of this chance strikes; it is counted if it does.
    pub const fn strikes(&mut self, chance: u32, what: Count) -> bool {
        let strikes = chance > 0 && self.rng.hits(chance);
        if strikes {
            self.tally.count(what);
        }
        strikes
    }

    /// A random delay of a frame or of a short task.
    pub const fn delay(&mut self) -> u64 {
        let delay = self.rng.between(self.faults.delay.0, self.faults.delay.1);
        if delay > 100 {
            self.tally.count(Count::Delay);
        }
        delay
    }

    /// Decides whether a new connection has a slow link.
    pub fn link(&mut self, conn: Conn) {
        if self.strikes(self.faults.slow, Count::Slow) {
            self.slow.insert(conn);
        }
    }

    /// Milliseconds the server needs to write one frame.
    #[must_use]
    pub fn pace(&self, conn: Conn) -> u64 {
        if self.slow.contains(&conn) { (self.faults.pace * 100).max(100) } else { self.faults.pace }
    }

    /// Sends a frame.
    pub fn send(&mut self, conn: Conn, way: Way, frame: String) {
        if self.is_dead(conn, way) {
            return;
        }
        if self.rng.hits(self.faults.cut) {
            return self.cut(conn);
        }
        if self.strikes(self.faults.one_way, Count::OneWay) {
            self.dead.insert((conn, way));
            return;
        }
        if self.strikes(self.faults.tear, Count::Tear) {
            let torn: String = frame.chars().take(frame.chars().count() / 2).collect();
            self.transmit(conn, way, torn);
            return self.cut(conn);
        }
        let record = way == Way::Down && messages_of(&frame).all(is_record);
        if record && self.strikes(self.faults.lose, Count::Drop) {
            return;
        }
        if (record || is_intent(&frame)) && self.strikes(self.faults.double, Count::Double) {
            self.transmit(conn, way, frame.clone());
        }
        if record && self.strikes(self.faults.overtake, Count::Overtake) {
            // Not delivered in order, so that later frames arrive before it.
            let late = self.delay() + self.faults.delay.1;
            return self.after(late, Due::Arrives(conn, way, frame));
        }
        self.transmit(conn, way, frame);
    }

    fn transmit(&mut self, conn: Conn, way: Way, frame: String) {
        let wait = self.in_order(conn, way);
        self.after(wait, Due::Arrives(conn, way, frame));
    }

    /// Milliseconds until a frame sent now arrives, after all earlier ones.
    fn in_order(&mut self, conn: Conn, way: Way) -> u64 {
        let at = self.now.mono + self.delay();
        let last = self.wires.entry((conn, way)).or_insert(0);
        *last = at.max(*last);
        *last - self.now.mono
    }

    /// Starts a connection or request. If it is given up, that news arrives after it.
    pub fn set_out(&mut self, conn: Conn, due: Due) {
        let wait = self.in_order(conn, Way::Up);
        self.after(wait, due);
    }

    /// Sends the head of an answer.
    pub fn answer(&mut self, conn: Conn, status: u16, retry_after_ms: Option<u64>) {
        if !self.is_dead(conn, Way::Down) {
            let wait = self.in_order(conn, Way::Down);
            self.after(wait, Due::Answers(conn, status, retry_after_ms));
        }
    }

    /// A proxy repeats a request, and drops the answer to the copy.
    pub fn make_twice(&mut self, conn: Conn, asked: Asked) {
        let copy = Conn { transport: conn.transport + COPIES, ..conn };
        self.dead.insert((copy, Way::Down));
        let wait = self.delay();
        self.after(wait, Due::Asks(copy, Box::new(asked)));
    }

    /// Tells one end that the other has closed, after all earlier frames.
    pub fn close(&mut self, conn: Conn, way: Way, code: u16) {
        if !self.is_dead(conn, way) {
            let wait = self.in_order(conn, way);
            self.after(wait, Due::Closed(conn, way, code));
        }
    }

    /// Ends the connection: no frame arrives any more. One end may not notice.
    pub fn cut(&mut self, conn: Conn) {
        if [Way::Up, Way::Down].map(|way| !self.dead.insert((conn, way))) == [true, true] {
            return;
        }
        self.tally.count(Count::Cut);
        let untold =
            self.strikes(self.faults.half_open, Count::HalfOpen).then(|| self.rng.hits(5_000));
        for (way, side) in [(Way::Down, true), (Way::Up, false)] {
            if untold != Some(side) {
                let wait = self.delay();
                self.after(wait, Due::Closed(conn, way, 1006));
            }
        }
    }

    /// Makes the link half-open: no frame arrives any more, and neither end notices.
    pub fn freeze(&mut self, conn: Conn) {
        self.tally.count(Count::HalfOpen);
        self.dead.extend([(conn, Way::Up), (conn, Way::Down)]);
    }

    /// Drops every frame in one direction, and neither end notices.
    pub fn mute(&mut self, conn: Conn, way: Way) {
        self.tally.count(Count::OneWay);
        self.dead.insert((conn, way));
    }

    /// Whether frames in this direction of a connection are lost.
    #[must_use]
    pub fn is_dead(&self, conn: Conn, way: Way) -> bool {
        self.dead.contains(&(conn, way))
    }
}

/// Whether this is a record of a log: only records are lost or overtaken in a hub.
fn is_record(line: &str) -> bool {
    let line = line.strip_prefix("data: ").unwrap_or(line);
    ["notification", "message", "marked", "trimmed"]
        .iter()
        .any(|kind| line.strip_prefix("{\"type\":\"").is_some_and(|rest| rest.starts_with(kind)))
}

fn is_intent(frame: &str) -> bool {
    ["mark", "publish", "void"]
        .iter()
        .any(|kind| frame.strip_prefix("{\"type\":\"").is_some_and(|rest| rest.starts_with(kind)))
}
