//! A user's places over all nodes, claimed and given back by a thread of its own: those that wait together go together.

use std::{
    collections::{BTreeMap, BTreeSet},
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
    seats::{Claim, Lease, Seat, Verdict},
    store::{Store, StoreError},
};
use tokio::sync::oneshot;

use super::{clock::Clock, registry::Registry};
use crate::bus::{Bus, Signal};

/// Claims decided in one transaction.
const TOGETHER: usize = 64;
/// Claims and departures that may wait.
const WAITING: usize = 16_384;
/// After a store that failed, the next attempt.
const AGAIN: Duration = Duration::from_secs(1);

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
        let mut thread = Thread::new(parts);
        thread.renew();
        thread::Builder::new().name("tidings-seats".into()).spawn(move || thread.run(&waiting))?;
        Ok(seating)
    }

    /// Counts a connection in over all nodes; an older one of the same instance elsewhere is told to end.
    ///
    /// # Errors
    /// `connections` when the user has too many, `busy` when too many wait to be counted, `storage_unavailable` when nobody
    /// can count them.
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
        let ended = || StoreError::Unavailable("the server ends".to_owned());
        self.jobs.try_send(Job::Claim(claim, sender)).map_err(|error| match error {
            mpsc::TrySendError::Full(_) => {
                StoreError::Busy("too many connections wait for a place")
            }
            mpsc::TrySendError::Disconnected(_) => ended(),
        })?;
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
                format!(
                    "this user has {taken} connections, which is `limits.connections_per_user`: close others, or raise it."
                ),
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
    /// Connections whose places were lost with the lease, by number: to be counted anew.
    uncounted: BTreeMap<u64, Claim>,
    /// The store failed to count them: not before this.
    claim_at: Instant,
    /// Connections that were replaced at other nodes and were not in the book, at the last renewal.
    strangers: BTreeSet<u64>,
    /// Everybody is looked at once more with the next renewal: a connection that was counted just before the lease ended was not in the
    /// book yet.
    looks_again: bool,
}

impl Thread {
    fn new(parts: Parts) -> Self {
        let now = Instant::now();
        Self {
            parts,
            renew_at: now,
            gone: Vec::new(),
            uncounted: BTreeMap::new(),
            claim_at: now,
            strangers: BTreeSet::new(),
            looks_again: false,
        }
    }

    fn run(mut self, waiting: &mpsc::Receiver<Job>) {
        loop {
            let at = match self.uncounted.is_empty() {
                true => self.renew_at,
                false => self.renew_at.min(self.claim_at),
            };
            let left = at.saturating_duration_since(Instant::now());
            let first = match waiting.recv_timeout(left) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return self.end(),
            };
            let mut ended = None;
            let (mut claims, mut askers) = (Vec::new(), Vec::new());
            for job in first.into_iter().chain(waiting.try_iter().take(TOGETHER - 1)) {
                match job {
                    Job::Leave(seat) => {
                        self.uncounted.remove(&seat.number);
                        self.gone.push(seat);
                    }
                    Job::End(sender) => ended = Some(sender),
                    Job::Claim(claim, asker) => {
                        claims.push(claim);
                        askers.push(asker);
                    }
                }
            }
            // Departures first: they make room. Then those who were here before.
            self.leave();
            self.claim_anew();
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
        for (asker, verdict) in askers.into_iter().zip(self.verdicts(claims)) {
            // A connection that has ended gives its place back by itself.
            let _ = asker.send(verdict);
        }
    }

    /// An answer for each claim, all decided together; where one of them can't be kept, each by itself, so that it fails alone.
    fn verdicts(&self, claims: &[Claim]) -> Vec<Result<Verdict, StoreError>> {
        let missing = || StoreError::Unavailable("places are not shared here".to_owned());
        let Some(seats) = self.parts.store.seats() else {
            return claims.iter().map(|_| Err(missing())).collect();
        };
        match seats.claim(Clock::wall(), claims) {
            Ok(verdicts) => verdicts.into_iter().map(Ok).collect(),
            Err(StoreError::Unfit(_)) if claims.len() > 1 => {
                claims.iter().flat_map(|claim| self.verdicts(std::slice::from_ref(claim))).collect()
            }
            Err(error) => claims.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    /// Renews the lease. Where it had ended, or the database lost it, everybody here claims anew; who is one too many by now ends,
    /// and whose page came back elsewhere meanwhile.
    fn renew(&mut self) {
        self.renew_at = Instant::now() + self.parts.lease / 3;
        let Some(seats) = self.parts.store.seats() else { return };
        let ttl = u64::try_from(self.parts.lease.as_millis()).unwrap_or(u64::MAX);
        match seats.renew(Clock::wall(), self.parts.node, ttl) {
            Ok(Lease::Held { replaced }) => {
                self.end_replaced(replaced);
                if std::mem::take(&mut self.looks_again) {
                    self.uncounted = self.everybody();
                }
            }
            Ok(Lease::Ended) => {
                self.uncounted = self.everybody();
                self.looks_again = !self.uncounted.is_empty();
            }
            Err(error) => {
                tracing::debug!(%error, "the node's lease could not be renewed");
                self.renew_at = Instant::now() + AGAIN;
            }
        }
        self.claim_anew();
    }

    /// The bus tells of these as well, and may lose it. One that is not in the book is on its way into it, or left and could not say so.
    fn end_replaced(&mut self, replaced: Vec<u64>) {
        let mut strangers: BTreeSet<u64> = replaced.into_iter().collect();
        strangers.retain(|number| !self.parts.registry.replace(*number));
        let gone = strangers.intersection(&self.strangers).copied();
        self.gone.extend(gone.map(|number| Seat { node: self.parts.node, number }));
        self.strangers = strangers;
    }

    fn everybody(&self) -> BTreeMap<u64, Claim> {
        let claim = |(user, number, instance)| {
            let seat = Seat { node: self.parts.node, number };
            let limit = self.parts.per_user;
            (number, Claim { user, seat, instance, limit, anew: true })
        };
        self.parts.registry.everybody().into_iter().map(claim).collect()
    }

    /// Counts in again whose places were lost. Where the store fails in the middle, the rest waits for it to come back.
    fn claim_anew(&mut self) {
        while !self.uncounted.is_empty() && self.claim_at <= Instant::now() {
            let some: Vec<Claim> = self.uncounted.values().take(TOGETHER).cloned().collect();
            for (claim, verdict) in some.iter().zip(self.verdicts(&some)) {
                match verdict {
                    Ok(Verdict::Admitted { .. }) => {}
                    Ok(Verdict::Full { .. } | Verdict::Superseded { .. })
                    | Err(StoreError::Unfit(_)) => {
                        self.parts.registry.end(claim.seat.number);
                    }
                    Err(error) => {
                        tracing::debug!(%error, "connections could not be counted anew yet");
                        self.claim_at = Instant::now() + AGAIN;
                        return;
                    }
                }
                self.uncounted.remove(&claim.seat.number);
            }
        }
    }
}

#[cfg(test)]
mod tests;
