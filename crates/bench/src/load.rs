//! Publishers, and the share of a core that servers and generator take meanwhile.

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

use crate::{BenchError, http::Http, machine::Process, subject::Running, swarm::Tally};

/// Before figures are taken.
const WARM_UP: Duration = Duration::from_secs(1);

/// How publishers hold back.
#[derive(Clone)]
pub(crate) enum Pace {
    /// Not at all.
    Free,
    /// At most `window` publishes that have not reached all `subscribers`.
    Delivered { window: u64, subscribers: u64, tally: Rc<Tally> },
}

/// What a set of publishers did.
#[derive(Default)]
struct Ledger {
    /// Requests sent, in all.
    sent: Cell<u64>,
    answered: Cell<u64>,
    measuring: Cell<bool>,
    stopped: Cell<bool>,
    /// Of answers while measuring.
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
    /// Publishes in all, warm-up included: what connections must have received in the end.
    pub(crate) total: u64,
}

impl Measured {
    /// The latency that `percent` of answers stay within.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * percent / 100).copied().unwrap_or_default()
    }
}

/// Publishes with each of `requests` on a connection of its own, `depth` at once on each.
pub(crate) async fn publish(
    subject: &Running,
    requests: Vec<Vec<u8>>,
    depth: usize,
    pace: Pace,
    seconds: u32,
    received: impl Fn() -> u64,
) -> Result<Measured, BenchError> {
    let ledger = Rc::new(Ledger::default());
    let mut publishers = JoinSet::new();
    for request in requests {
        let http = Http::connect(subject.address).await?;
        publishers.spawn_local(publisher(http, request, depth, pace.clone(), Rc::clone(&ledger)));
    }
    sleep(WARM_UP).await;
    let processes = [subject.process(), Process::own()];
    let cpu = |process: Process| process.cpu();
    let before = (cpu(processes[0])?, cpu(processes[1])?, ledger.answered.get(), received());
    ledger.measuring.set(true);
    let began = Instant::now();
    sleep(Duration::from_secs(u64::from(seconds))).await;
    let took = began.elapsed().as_secs_f64();
    ledger.measuring.set(false);
    let after = (cpu(processes[0])?, cpu(processes[1])?, ledger.answered.get(), received());
    ledger.stopped.set(true);
    while let Some(ended) = publishers.join_next().await {
        ended.map_err(|error| BenchError::Subject(format!("a publisher: {error}")))??;
    }
    let mut latencies = ledger.latencies.take();
    latencies.sort_unstable();
    let rate = |from: u64, to: u64| (to - from) as f64 / took;
    let share = |from: Duration, to: Duration| (to - from).as_secs_f64() / took * 100.0;
    Ok(Measured {
        published: rate(before.2, after.2),
        delivered: rate(before.3, after.3),
        latencies,
        server: share(before.0, after.0),
        generator: share(before.1, after.1),
        total: ledger.answered.get(),
    })
}

async fn publisher(
    mut http: Http,
    request: Vec<u8>,
    depth: usize,
    pace: Pace,
    ledger: Rc<Ledger>,
) -> Result<(), BenchError> {
    let mut sent = VecDeque::with_capacity(depth);
    loop {
        while sent.len() < depth && !ledger.stopped.get() {
            if let Pace::Delivered { window, subscribers, tally } = &pace {
                let behind = (ledger.sent.get() + 1).saturating_sub(*window) * subscribers;
                tally.reach(behind).await?;
            }
            ledger.sent.set(ledger.sent.get() + 1);
            sent.push_back(Instant::now());
            http.send(&request).await?;
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
