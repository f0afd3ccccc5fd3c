//! A user's places over all nodes, claimed and given back by a thread of its own: those that wait together go together.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use tidings_protocol::ErrorCode;
use tidings_server_core::{
    Refused,
    seats::{Claim, Seat, Verdict},
    store::{Store, StoreError},
};
use tokio::sync::oneshot;

use super::{clock::Clock, registry::Registry};
use crate::bus::{Bus, Signal};

/// Claims decided in one transaction.
const TOGETHER: usize = 64;
/// Claims and departures that may wait.
const WAITING: usize = 16_384;

/// What a seating works with.
#[derive(Debug)]
pub struct Parts {
    /// Where places are kept; it has [`Store::seats`].
    pub store: Arc<dyn Store>,
    /// Connections of this node.
    pub registry: Arc<Registry>,
    /// The way to the other nodes.
    pub bus: Option<Arc<dyn Bus>>,
    /// This process's random number.
    pub node: u64,
    /// Most connections of a user.
    pub per_user: usize,
    /// How long places outlive their node.
    pub lease: Duration,
}

enum Job {
    Claim(Claim, oneshot::Sender<Result<Verdict, StoreError>>),
    Leave(Seat),
    /// The node ends: nobody claims any more.
    End(oneshot::Sender<()>),
}

/// The way to the thread.
#[derive(Debug)]
pub struct Seating {
    jobs: mpsc::SyncSender<Job>,
    node: u64,
    per_user: usize,
    bus: Option<Arc<dyn Bus>>,
}

impl Seating {
    /// Takes the node's lease and starts the thread.
    ///
    /// # Errors
    /// The store can't be reached, or the operating system gave no thread.
    pub fn start(parts: Parts) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::sync_channel(WAITING);
        let seating =
            Self { jobs, node: parts.node, per_user: parts.per_user, bus: parts.bus.clone() };
        let mut thread = Thread { parts, renew_at: Instant::now(), gone: Vec::new() };
        thread.renew();
        thread::Builder::new().name("tidings-seats".into()).spawn(move || thread.run(&waiting))?;
        Ok(seating)
    }

    /// Counts a connection in over all nodes; an older one of the same instance elsewhere is told to end.
    ///
    /// # Errors
    /// `connections` when the user has too many, `storage_unavailable` when nobody can count them.
    pub async fn claim(
        &self,
        user: &str,
        instance: Option<String>,
        number: u64,
    ) -> Result<(), Refused> {
        let seat = Seat { node: self.node, number };
        let (user, limit) = (user.to_owned(), self.per_user);
        let claim = Claim { user, seat, instance, limit, anew: false };
        let (sender, answer) = oneshot::channel();
        let full = || StoreError::Unavailable("too many connections wait for a place".to_owned());
        self.jobs.try_send(Job::Claim(claim, sender)).map_err(|_| full())?;
        let ended = || StoreError::Unavailable("the server ends".to_owned());
        match answer.await.map_err(|_| ended())?? {
            Verdict::Admitted { replaced: Some(older) } if older.node != self.node => {
                if let Some(bus) = &self.bus {
                    bus.tell(&[Signal::Replaced(older)]);
                }
                Ok(())
            }
            // One of this node's own is told by the registry, in one step with counting the new one in.
            Verdict::Admitted { .. } => Ok(()),
            Verdict::Full { taken } => Err(Refused::new(
                ErrorCode::Connections,
                format!("this user has {taken} connections already"),
            )),
            Verdict::Superseded { .. } => {
                Err(Refused::new(ErrorCode::Connections, "this page has a newer connection"))
            }
        }
    }

    /// Gives a place back.
    pub fn leave(&self, number: u64) {
        // What finds no room is still counted until this node's lease ends, or until the page comes back.
        let _ = self.jobs.try_send(Job::Leave(Seat { node: self.node, number }));
    }

    /// Gives the node's lease back: others need not wait for its end. Call it when nobody is connected any more.
    pub async fn end(&self) {
        let (sender, ended) = oneshot::channel();
        if self.jobs.try_send(Job::End(sender)).is_ok() {
            // A store that is away has no use for it either.
            let _ = ended.await;
        }
    }
}

impl Drop for Seating {
    fn drop(&mut self) {
        let (sender, _) = oneshot::channel();
        // A thread that has ended, or has so much to do, ends with the process.
        let _ = self.jobs.try_send(Job::End(sender));
    }
}

struct Thread {
    parts: Parts,
    renew_at: Instant,
    /// Places to give back.
    gone: Vec<Seat>,
}

impl Thread {
    fn run(mut self, waiting: &mpsc::Receiver<Job>) {
        loop {
            let left = self.renew_at.saturating_duration_since(Instant::now());
            let first = match waiting.recv_timeout(left) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return self.end(),
            };
            let mut ended = None;
            let (mut claims, mut askers) = (Vec::new(), Vec::new());
            for job in first.into_iter().chain(waiting.try_iter().take(TOGETHER - 1)) {
                match job {
                    Job::Leave(seat) => self.gone.push(seat),
                    Job::End(sender) => ended = Some(sender),
                    Job::Claim(claim, asker) => {
                        claims.push(claim);
                        askers.push(asker);
                    }
                }
            }
            // Departures first: they make room.
            self.leave();
            if !claims.is_empty() {
                self.claim(&claims, askers);
            }
            if let Some(sender) = ended {
                self.end();
                // Nobody may wait for it.
                let _ = sender.send(());
                return;
            }
            if self.renew_at <= Instant::now() {
                self.renew();
            }
        }
    }

    fn end(&self) {
        if let Some(seats) = self.parts.store.seats() {
            let _unreachable = seats.renew(Clock::wall(), self.parts.node, 0);
        }
    }

    fn leave(&mut self) {
        let Some(seats) = self.parts.store.seats() else { return };
        if !self.gone.is_empty() && seats.leave(&self.gone).is_ok() {
            self.gone.clear();
        }
        // Those that can't be given back for so long end with the lease, or are a few too many until then.
        self.gone.truncate(WAITING);
    }

    fn claim(&self, claims: &[Claim], askers: Vec<oneshot::Sender<Result<Verdict, StoreError>>>) {
        let missing = || StoreError::Unavailable("places are not shared here".to_owned());
        let answer = match self.parts.store.seats() {
            Some(seats) => seats.claim(Clock::wall(), claims),
            None => Err(missing()),
        };
        match answer {
            Ok(verdicts) => {
                for (asker, verdict) in askers.into_iter().zip(verdicts) {
                    // A connection that has ended gives its place back by itself.
                    let _ = asker.send(Ok(verdict));
                }
            }
            Err(error) => {
                for asker in askers {
                    let _ = asker.send(Err(error.clone()));
                }
            }
        }
    }

    /// Renews the lease. Where it had ended, or the database lost it, everybody here claims anew; who is one too many by now ends,
    /// and whose page came back elsewhere meanwhile.
    fn renew(&mut self) {
        self.renew_at = Instant::now() + self.parts.lease / 3;
        let Some(seats) = self.parts.store.seats() else { return };
        let ttl = u64::try_from(self.parts.lease.as_millis()).unwrap_or(u64::MAX);
        match seats.renew(Clock::wall(), self.parts.node, ttl) {
            Ok(true) => {}
            Ok(false) => self.claim_anew(),
            Err(error) => {
                tracing::debug!(%error, "the node's lease could not be renewed");
                self.renew_at = Instant::now() + Duration::from_secs(1);
            }
        }
    }

    fn claim_anew(&self) {
        let Some(seats) = self.parts.store.seats() else { return };
        let claims: Vec<Claim> = self
            .parts
            .registry
            .everybody()
            .into_iter()
            .map(|(user, number, instance)| Claim {
                user,
                seat: Seat { node: self.parts.node, number },
                instance,
                limit: self.parts.per_user,
                anew: true,
            })
            .collect();
        for some in claims.chunks(TOGETHER) {
            let Ok(verdicts) = seats.claim(Clock::wall(), some) else { return };
            for (claim, verdict) in some.iter().zip(verdicts) {
                match verdict {
                    Verdict::Admitted { .. } => {}
                    Verdict::Full { .. } | Verdict::Superseded { .. } => {
                        self.parts.registry.end(claim.seat.number);
                    }
                }
            }
        }
    }
}
