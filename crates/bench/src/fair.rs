//! Latency of users' connects during an attack, beside the latency without one.
//!
//! Users and attackers have different addresses (all of 127/8 are this machine's). Rounds with and
//! without the attack alternate on one server. Attackers run on the generator's core, and only
//! while no other thread wants it: so the generator's load does not change the measured latencies.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    process::Command,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::thread::gettid;
use tokio::{
    task::{JoinSet, LocalSet},
    time::{Instant, sleep, sleep_until},
};

use crate::{
    BenchError,
    args::{Args, Bench},
    http::{Http, post},
    machine::Cores,
    report::{Figure, Report, Unit},
    socket::{self, Socket},
    step::Step,
    subject::{Binaries, Kind, Running, Way},
};

/// Users that connect at the same time.
const USERS: u8 = 8;
/// A user's pause between two connects, so that users alone do not keep the server busy.
const PAUSE: Duration = Duration::from_millis(20);
/// Users of one address that connect in turn: one alone would use up `limits.user_open_burst`.
const IN_TURN: u32 = 16;
/// Rounds with the attack, and as many without.
const ROUNDS: u32 = 3;
/// The attacker's address.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);
/// TCP connections that an anonymous attacker opens and closes each second.
const STORM: u32 = 3_000;
/// Silent sockets that an anonymous attacker holds open: twice the share of one address.
const SILENT: usize = 2_000;
/// Tasks that hold these sockets.
const HOLDERS: usize = 8;
/// Connections on which one user reads an inbox.
const READING: usize = 256;

/// Connections on which one user publishes, each time under another `client_id`.
const PUBLISHING: usize = 64;

/// The attack on the server during a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attack {
    /// An anonymous attacker opens and closes TCP connections.
    Storm,
    /// An anonymous attacker holds silent sockets, and opens a new one for each that the server
    /// closes.
    Silence,
    /// One user reads an inbox on many connections.
    Reads,
    /// One user publishes on many connections, in a new lane each time.
    Lanes,
}

impl Attack {
    /// What honest users do meanwhile, and how it is called.
    const fn measured(self) -> &'static str {
        match self {
            Self::Storm | Self::Silence | Self::Reads => "connect",
            Self::Lanes => "a user's publish",
        }
    }

    /// The durations of what honest users do.
    async fn measure(
        self,
        subject: &Rc<Running>,
        time: Duration,
    ) -> Result<Vec<Duration>, BenchError> {
        match self {
            Self::Storm | Self::Silence | Self::Reads => connects(subject, time).await,
            Self::Lanes => publishes(subject, time).await,
        }
    }
}

pub(crate) async fn run(
    args: &Args,
    binaries: &Binaries,
    cores: &Cores,
    label: &str,
    report: &mut Report,
) -> Result<(), BenchError> {
    if !args.wants(&[Bench::Fair]) {
        return Ok(());
    }
    for (attack, what) in [
        (Attack::Storm, "3,000 links a second of a stranger"),
        (Attack::Silence, "2,000 silent sockets of a stranger"),
        (Attack::Reads, "256 links of one user's reads"),
        (Attack::Lanes, "64 links of one user's new lanes"),
    ] {
        let measured = attack.measured();
        let step = Step::begin(format!("{label}: {measured}, beside {what}"));
        let subject = Rc::new(Running::start(Kind::TidingsLimited, binaries, cores).await?);
        let seconds = Duration::from_secs(args.seconds.div_ceil(ROUNDS).into());
        let (mut alone, mut beside) = (Vec::new(), Vec::new());
        let mut done = 0;
        attack.measure(&subject, Duration::from_secs(1)).await?;
        for _ in 0..ROUNDS {
            alone.extend(attack.measure(&subject, seconds).await?);
            let attacker = Attacker::start(&subject, attack).await?;
            beside.extend(attack.measure(&subject, seconds).await?);
            done += attacker.stop()?;
        }
        eprintln!("  the attack came to {done} links, reads or publishes");
        for (subject, latencies) in [("tidings", &mut alone), ("tidings, attacked", &mut beside)] {
            latencies.sort_unstable();
            for percent in [50, 99] {
                let last = latencies.len().saturating_sub(1);
                let latency = latencies.get(last * percent / 100).copied().unwrap_or_default();
                let metric = format!("{measured}, beside {what}, p{percent}");
                let figure = Figure::of(latency.as_secs_f64() * 1_000.0);
                report.add(&metric, Unit::Milliseconds, subject, figure);
            }
        }
        step.end();
    }
    Ok(())
}

/// The duration of each connect, from the TCP connection to the snapshot. A connect that fails
/// fails the bench.
async fn connects(subject: &Rc<Running>, time: Duration) -> Result<Vec<Duration>, BenchError> {
    static CONNECTS: AtomicU32 = AtomicU32::new(0);
    let end = Instant::now() + time;
    let mut users = JoinSet::new();
    for user in 1..=USERS {
        let subject = Rc::clone(subject);
        users.spawn_local(async move {
            let from = Ipv4Addr::new(127, 0, 0, user);
            let mut http = Http::connect(subject.address).await?;
            let mut took = Vec::new();
            while Instant::now() < end {
                let turn = CONNECTS.fetch_add(1, Ordering::Relaxed) % IN_TURN;
                let user = u32::from(user) + turn * u32::from(USERS);
                let greeting = subject.greet(&mut http, user, Way::JoinedFrames).await?;
                let began = Instant::now();
                let link = socket::link(subject.address, Some(from)).await?;
                let _open = Socket::over(link, subject.address, &greeting).await?;
                took.push(began.elapsed());
                sleep(PAUSE).await;
            }
            Ok(took)
        });
    }
    durations(users).await
}

/// The duration of each publish of users over REST, in a lane of their own. A publish that fails
/// fails the bench.
async fn publishes(subject: &Rc<Running>, time: Duration) -> Result<Vec<Duration>, BenchError> {
    /// Each round has lanes of its own, which begin with their first `seq`.
    static ROUND: AtomicU64 = AtomicU64::new(0);
    let end = Instant::now() + time;
    let client_id = format!("page-{}", ROUND.fetch_add(1, Ordering::Relaxed));
    let mut users = JoinSet::new();
    for user in 1..=USERS {
        let (subject, client_id) = (Rc::clone(subject), client_id.clone());
        users.spawn_local(async move {
            let token = subject.token(&format!("bench-{user}")).await?;
            let mut http = Http::connect(subject.address).await?;
            let mut took = Vec::new();
            let mut seq = 0;
            while Instant::now() < end {
                seq += 1;
                let request = lane_publish(&token, &client_id, seq);
                let began = Instant::now();
                http.ask(&request).await?;
                took.push(began.elapsed());
                sleep(PAUSE).await;
            }
            Ok(took)
        });
    }
    durations(users).await
}

/// The durations of all users together, once each is done.
async fn durations(
    mut users: JoinSet<Result<Vec<Duration>, BenchError>>,
) -> Result<Vec<Duration>, BenchError> {
    let mut all = Vec::new();
    while let Some(took) = users.join_next().await {
        all.extend(took.map_err(|error| BenchError::Subject(format!("a user: {error}")))??);
    }
    Ok(all)
}

fn lane_publish(token: &str, client_id: &str, seq: u64) -> Vec<u8> {
    let body = format!(r#"{{"data":"hello","client_id":"{client_id}","seq":{seq}}}"#);
    let credential = format!("Authorization: Bearer {token}\r\n");
    post("/v1/channels/room:bench/messages", &credential, &body)
}

/// A thread that attacks until it is stopped.
struct Attacker {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    thread: JoinHandle<Result<(), BenchError>>,
}

impl Attacker {
    async fn start(subject: &Running, attack: Attack) -> Result<Self, BenchError> {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (address, token) = (subject.address, subject.token("attacker").await?);
        let (until, count) = (Arc::clone(&stop), Arc::clone(&done));
        let thread = thread::spawn(move || {
            give_way()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(BenchError::io("starting tokio"))?;
            let local = LocalSet::new();
            runtime.block_on(local.run_until(async {
                let at_once = match attack {
                    Attack::Storm => 1,
                    Attack::Silence => HOLDERS,
                    Attack::Reads => READING,
                    Attack::Lanes => PUBLISHING,
                };
                let mut actions = JoinSet::new();
                for number in 0..at_once {
                    let (until, count) = (Arc::clone(&until), Arc::clone(&count));
                    let token = token.clone();
                    actions.spawn_local(async move {
                        match attack {
                            Attack::Storm => storm(address, &until, &count).await,
                            Attack::Silence => silence(address, &until, &count).await,
                            Attack::Reads => reads(address, &token, &until, &count).await,
                            Attack::Lanes => lanes(address, &token, number, &until, &count).await,
                        }
                    });
                }
                while actions.join_next().await.is_some() {}
            }));
            Ok(())
        });
        // The attack needs a moment to reach its full rate.
        sleep(Duration::from_millis(500)).await;
        Ok(Self { stop, done, thread })
    }

    fn stop(self) -> Result<u64, BenchError> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.map_err(|_| BenchError::Subject("the attacker broke off".to_owned()))??;
        Ok(self.done.load(Ordering::Relaxed))
    }
}

/// Lets this thread run only while no other wants the core. A thread that is only `nice` finishes
/// its time slice first, and the bench would measure that delay.
fn give_way() -> Result<(), BenchError> {
    let thread = gettid().as_raw_nonzero().to_string();
    let mut chrt = Command::new("chrt");
    let status = chrt.args(["--idle", "--pid", "0", &thread]).status();
    match status.map_err(BenchError::io("chrt"))?.success() {
        true => Ok(()),
        false => Err(BenchError::Machine("chrt does not let the attacker give way".to_owned())),
    }
}

async fn storm(address: SocketAddr, stop: &AtomicBool, count: &AtomicU64) {
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        next += Duration::from_secs(1) / STORM;
        sleep_until(next).await;
        // Refusals are expected: the bench is about them.
        if socket::link(address, Some(ATTACKER)).await.is_ok() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn silence(address: SocketAddr, stop: &AtomicBool, count: &AtomicU64) {
    let mut held = VecDeque::new();
    while !stop.load(Ordering::Relaxed) {
        if let Ok(socket) = Socket::silent(address, ATTACKER).await {
            held.push_back(socket);
            count.fetch_add(1, Ordering::Relaxed);
        }
        if held.len() > SILENT / HOLDERS {
            held.pop_front();
            sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn reads(address: SocketAddr, token: &str, stop: &AtomicBool, count: &AtomicU64) {
    let request = format!(
        "GET /v1/inbox HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    let Ok(mut http) = Http::connect(address).await else { return };
    while !stop.load(Ordering::Relaxed) {
        if http.send(request.as_bytes()).await.is_err() || http.receive().await.is_err() {
            return;
        }
        count.fetch_add(1, Ordering::Relaxed);
    }
}

async fn lanes(
    address: SocketAddr,
    token: &str,
    number: usize,
    stop: &AtomicBool,
    count: &AtomicU64,
) {
    let Ok(mut http) = Http::connect(address).await else { return };
    while !stop.load(Ordering::Relaxed) {
        let client_id = format!("{number}-{}", count.fetch_add(1, Ordering::Relaxed));
        let request = lane_publish(token, &client_id, 1);
        if http.send(&request).await.is_err() || http.receive().await.is_err() {
            return;
        }
    }
}
