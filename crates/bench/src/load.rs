//! Publishers, and the shares of a core that server and generator use meanwhile.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    BenchError,
    http::Http,
    machine::{self, Process},
    subject::Running,
    swarm::Tally,
};

/// Time before figures are taken.
const WARM_UP: Duration = Duration::from_secs(1);

/// How publishers limit their rate.
#[derive(Clone)]
pub(crate) enum Pace {
    /// No limit.
    Free,
    /// At most `window` publishes that have not reached all `subscribers`.
    Delivered { window: u64, subscribers: u64, tally: Rc<Tally> },
}

/// The record of a set of publishers.
#[derive(Default)]
struct Ledger {
    /// All requests sent.
    sent: Cell<u64>,
    answered: Cell<u64>,
    measuring: Cell<bool>,
    stopped: Cell<bool>,
    /// Latencies of the answers in the measured time.
    latencies: RefCell<Vec<Duration>>,
}

/// Figures of the measured time.
pub(crate) struct Measured {
    /// Publishes answered a second.
    pub(crate) published: f64,
    /// Messages received a second, by all connections of the tally.
    pub(crate) delivered: f64,
    /// Sorted.
    pub(crate) latencies: Vec<Duration>,
    /// Shares of a core, in percent.
    pub(crate) server: f64,
    pub(crate) generator: f64,
    /// Share of both cores that other processes used: figures of a busy machine are worth little.
    pub(crate) others: f64,
    /// All publishes, warm-up included: connections must have received this many in the end.
    pub(crate) total: u64,
}

impl Measured {
    /// The latency that `percent` of the answers stay within.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * percent / 100).copied().unwrap_or_default()
    }
}

/// Publishes each of `requests` on its own connection, in turns, with `depth` requests in flight on
/// each.
pub(crate) async fn publish(
    subject: &Running,
    requests: Vec<Vec<Vec<u8>>>,
    depth: usize,
    pace: Pace,
    seconds: u32,
    received: impl Fn() -> u64,
) -> Result<Measured, BenchError> {
    let ledger = Rc::new(Ledger::default());
    let mut publishers = JoinSet::new();
    for requests in requests {
        let http = Http::connect(subject.address).await?;
        publishers.spawn_local(publisher(http, requests, depth, pace.clone(), Rc::clone(&ledger)));
    }
    sleep(WARM_UP).await;
    let before = Sample::take(subject, &ledger, &received)?;
    ledger.measuring.set(true);
    let began = Instant::now();
    sleep(Duration::from_secs(u64::from(seconds))).await;
    let took = began.elapsed().as_secs_f64();
    ledger.measuring.set(false);
    let after = Sample::take(subject, &ledger, &received)?;
    ledger.stopped.set(true);
    while let Some(ended) = publishers.join_next().await {
        ended.map_err(|error| BenchError::Subject(format!("a publisher: {error}")))??;
    }
    let mut latencies = ledger.latencies.take();
    latencies.sort_unstable();
    let rate = |of: fn(&Sample) -> u64| (of(&after) - of(&before)) as f64 / took;
    let share = |of: fn(&Sample) -> Duration| {
        of(&after).saturating_sub(of(&before)).as_secs_f64() / took * 100.0
    };
    let (server, generator) = (share(|sample| sample.server), share(|sample| sample.generator));
    Ok(Measured {
        published: rate(|sample| sample.answered),
        delivered: rate(|sample| sample.received),
        latencies,
        server,
        generator,
        others: (share(|sample| sample.busy) - server - generator).max(0.0),
        total: ledger.answered.get(),
    })
}

/// The values that are compared before and after.
struct Sample {
    server: Duration,
    generator: Duration,
    busy: Duration,
    answered: u64,
    received: u64,
}

impl Sample {
    fn take(
        subject: &Running,
        ledger: &Ledger,
        received: &impl Fn() -> u64,
    ) -> Result<Self, BenchError> {
        Ok(Self {
            server: subject.process().cpu()?,
            generator: Process::own().cpu()?,
            busy: machine::busy()?,
            answered: ledger.answered.get(),
            received: received(),
        })
    }
}

async fn publisher(
    mut http: Http,
    requests: Vec<Vec<u8>>,
    depth: usize,
    pace: Pace,
    ledger: Rc<Ledger>,
) -> Result<(), BenchError> {
    let mut sent = VecDeque::with_capacity(depth);
    let mut requests = requests.iter().cycle();
    loop {
        while sent.len() < depth && !ledger.stopped.get() {
            if let Pace::Delivered { window, subscribers, tally } = &pace {
                let behind = (ledger.sent.get() + 1).saturating_sub(*window) * subscribers;
                tally.reach(behind).await?;
            }
            ledger.sent.set(ledger.sent.get() + 1);
            sent.push_back(Instant::now());
            if let Some(request) = requests.next() {
                http.send(request).await?;
            }
        }
        let Some(began) = sent.pop_front() else { return Ok(()) };
        let answer = http.receive().await?;
        http.accept(&answer)?;
        ledger.answered.set(ledger.answered.get() + 1);
        if ledger.measuring.get() {
            ledger.latencies.borrow_mut().push(began.elapsed());
        }
    }
}
