//! Time, chance and the wire, which everything shares.

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
    rng::Rng,
    sight::{Page, Sight},
    storage::Save,
    tally::{Count, Tally},
    trace::Trace,
};

/// Numbers of a page's requests begin here, among those of its connections.
const REQUESTS: u64 = 1 << 32;
/// And numbers of copies of them that a proxy makes.
const COPIES: u64 = 1 << 33;

/// An HTTP request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Behind `/v1/`, with its query.
    pub path: String,
    /// A session token.
    pub bearer: Option<String>,
    /// Its body.
    pub body: String,
}

/// A connection: a page and its number for the transport, or for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conn {
    /// Whose.
    pub page: Page,
    /// The client core's number.
    pub transport: u64,
}

impl Conn {
    /// That of a page's request.
    #[must_use]
    pub const fn of_request(page: Page, request: u64) -> Self {
        Self { page, transport: REQUESTS + request }
    }

    /// The number of the request, if it is of one.
    #[must_use]
    pub const fn request(self) -> Option<u64> {
        self.transport.checked_sub(REQUESTS)
    }
}

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// To the server.
    Up,
    /// To the device.
    Down,
}

/// A node and its life: what was under way when it died concerns nobody any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Index of the node.
    pub node: usize,
    /// Counts its starts.
    pub life: u32,
}

/// Something that will happen.
#[derive(Debug)]
#[allow(missing_docs, reason = "each variant's sentence names its fields")]
pub enum Due {
    /// A device opens a transport.
    Dial(Conn),
    /// The device hears that it is open.
    Opened(Conn),
    /// A request of a device is made.
    Asks(Conn, Box<Asked>),
    /// The head of its answer arrives: status, and after how many milliseconds to come back.
    Answers(Conn, u16, Option<u64>),
    /// A poll has waited long enough.
    PollEnds { conn: Conn },
    /// A frame arrives.
    Arrives(Conn, Way, String),
    /// One end hears that the connection is gone; the device with a close code.
    Closed(Conn, Way, u16),
    /// A page's timer.
    Timer { page: Page, at: u64 },
    /// The app's ticket function answers.
    Credential { page: Page, attempt: u64 },
    /// The rest of the client is loaded, or not.
    RestLoaded { page: Page },
    /// A page's storage answers a load.
    Loaded { page: Page, key: String },
    /// A page's storage commits a save.
    Saves { page: Page, save: Box<Save> },
    /// A page's browser is done with what was asked of the outbox's rows.
    LaneWorked { page: Page },
    /// The page hears so.
    LaneTold { page: Page, event: Event },
    /// A session's deadline.
    Deadline { conn: Conn, at: u64 },
    /// The server writes one more frame.
    Writes(Conn),
    /// The store answers a read.
    ReadDone { of: Process, conn: Conn, request: Request, answer: Result<Answer, StoreError> },
    /// The store finishes a group commit.
    CommitDone { of: Process },
    /// A node hears something of another, if the bus is of that generation still.
    Hinted { of: Process, generation: u32, news: News },
    /// The deadline of what follows the log for a node.
    Follows { of: Process, at: u64 },
    /// The store answers what follows the log.
    FollowRead {
        of: Process,
        request: u32,
        answers: Result<Vec<Result<Answer, StoreError>>, StoreError>,
    },
    /// A request of a backend reaches a node.
    Requested { of: Process, publish: usize },
    /// A node renews its lease on its connections' seats.
    Renews { of: Process },
    /// A draining node stops.
    Stops { of: Process },
    /// A node starts.
    Starts { node: usize },
    /// The publisher hears nothing and tries again.
    PublisherRetries { publish: usize },
}

/// What everything shares.
#[derive(Debug)]
pub struct Env {
    /// True time. Each machine has its own idea of it.
    pub now: Now,
    /// The one source of chance.
    pub rng: Rng,
    /// The world as it is now.
    pub faults: Faults,
    /// What happened, counted.
    pub tally: Tally,
    /// What happened, in order.
    pub trace: Trace,
    /// What was seen and not yet judged.
    pub sights: Vec<Sight>,
    queue: BTreeMap<(u64, u64), Due>,
    scheduled: u64,
    /// When the last frame of a direction arrives: transports keep order.
    wires: BTreeMap<(Conn, Way), u64>,
    /// Directions in which nothing arrives any more.
    dead: BTreeSet<(Conn, Way)>,
    slow: BTreeSet<Conn>,
}

/// Monotonic time at the start.
const BEGIN: u64 = 1_000_000;

impl Env {
    /// The start of everything; `told`: with a readable trace.
    #[must_use]
    pub const fn new(seed: u64, faults: Faults, told: bool) -> Self {
        Self {
            now: Now { mono: BEGIN, wall: 1_800_000_000_000 },
            rng: Rng::new(seed),
            faults,
            tally: Tally::NONE,
            trace: Trace::new(BEGIN, told),
            sights: Vec::new(),
            queue: BTreeMap::new(),
            scheduled: 0,
            wires: BTreeMap::new(),
            dead: BTreeSet::new(),
            slow: BTreeSet::new(),
        }
    }

    /// Plans something, `ms` from now.
    pub fn after(&mut self, ms: u64, due: Due) {
        self.scheduled += 1;
        self.queue.insert((self.now.mono + ms, self.scheduled), due);
    }

    /// Plans a timer, which may go off early.
    pub fn timer(&mut self, ms: u64, due: Due) {
        let early = self.strikes(self.faults.early, Count::Early);
        self.after(if early { ms / 2 } else { ms }, due);
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
        self.trace.note(&format!("{at} {due:?}"));
        Some(due)
    }

    /// Moves the clock.
    pub const fn advance(&mut self, mono: u64) {
        let passed = mono.saturating_sub(self.now.mono);
        self.now = Now { mono: self.now.mono + passed, wall: self.now.wall + passed };
    }

    /// Something was seen.
    pub fn saw(&mut self, sight: Sight) {
        self.sights.push(sight);
    }

    /// A line of the readable trace.
    pub fn tell(&self, line: impl Display) {
        self.trace.tell(self.now.mono, line);
    }

    /// Whether a fault of this chance strikes; counted when it does.
    pub const fn strikes(&mut self, chance: u32, what: Count) -> bool {
        let strikes = chance > 0 && self.rng.hits(chance);
        if strikes {
            self.tally.count(what);
        }
        strikes
    }

    /// Delay of a frame or a short errand.
    pub const fn delay(&mut self) -> u64 {
        let delay = self.rng.between(self.faults.delay.0, self.faults.delay.1);
        if delay > 100 {
            self.tally.count(Count::Delay);
        }
        delay
    }

    /// A new connection gets the link it will have.
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

    /// Puts a frame on the wire.
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
            self.carry(conn, way, torn);
            return self.cut(conn);
        }
        let record = way == Way::Down && messages_of(&frame).all(is_record);
        if record && self.strikes(self.faults.lose, Count::Drop) {
            return;
        }
        if (record || is_intent(&frame)) && self.strikes(self.faults.double, Count::Double) {
            self.carry(conn, way, frame.clone());
        }
        if record && self.strikes(self.faults.overtake, Count::Overtake) {
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

    /// Begins a connection or request. That it is given up again arrives after it, if it arrives.
    pub fn set_out(&mut self, conn: Conn, due: Due) {
        let wait = self.in_order(conn, Way::Up);
        self.after(wait, due);
    }

    /// Puts the head of an answer on the wire.
    pub fn answer(&mut self, conn: Conn, status: u16, retry_after_ms: Option<u64>) {
        if !self.is_dead(conn, Way::Down) {
            let wait = self.in_order(conn, Way::Down);
            self.after(wait, Due::Answers(conn, status, retry_after_ms));
        }
    }

    /// A proxy makes a request a second time, whose answer nobody waits for.
    pub fn make_twice(&mut self, conn: Conn, asked: Asked) {
        let copy = Conn { transport: conn.transport + COPIES, ..conn };
        self.dead.insert((copy, Way::Down));
        let wait = self.delay();
        self.after(wait, Due::Asks(copy, Box::new(asked)));
    }

    /// Tells one end that the other has closed, behind what was sent before.
    pub fn close(&mut self, conn: Conn, way: Way, code: u16) {
        if !self.is_dead(conn, way) {
            let wait = self.in_order(conn, way);
            self.after(wait, Due::Closed(conn, way, code));
        }
    }

    /// The connection is gone: nothing more arrives. One end may not be told.
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

    /// Nothing arrives any more, and nobody is told: a half-open link.
    pub fn freeze(&mut self, conn: Conn) {
        self.tally.count(Count::HalfOpen);
        self.dead.extend([(conn, Way::Up), (conn, Way::Down)]);
    }

    /// Nothing arrives in one direction any more, and nobody is told.
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

/// A record of a log, which the faults of hubs concern.
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
