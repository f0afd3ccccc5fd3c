//! Counts a user's connections over all nodes, on its own thread. Claims that wait together are
//! decided together.

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
    leases::{Claim, ConnectionId, Lease, Verdict},
    store::{Store, StoreError},
};
use tokio::sync::oneshot;

use super::{clock::Clock, registry::Registry};
use crate::bus::{Bus, BusMessage};

/// Claims decided in one transaction.
const TOGETHER: usize = 64;
/// Claims and removals that may wait.
const WAITING: usize = 16_384;
/// Pause after the store failed.
const AGAIN: Duration = Duration::from_secs(1);

/// The parts that the thread needs.
#[derive(Debug)]
pub struct Parts {
    /// The shared table; the store has [`Store::leases`].
    pub store: Arc<dyn Store>,
    /// Connections of this node.
    pub registry: Arc<Registry>,
    /// The bus to the other nodes.
    pub bus: Option<Arc<dyn Bus>>,
    /// This process's random number.
    pub node: u64,
    /// Most connections of a user.
    pub per_user: usize,
    /// How long connections are still counted after their node died.
    pub lease: Duration,
}

enum Job {
    Claim(Claim, oneshot::Sender<Result<Verdict, StoreError>>),
    Leave(ConnectionId),
    /// The node ends: there are no further claims.
    End(oneshot::Sender<()>),
}

/// The handle of the thread.
#[derive(Debug)]
pub struct Leases {
    jobs: mpsc::SyncSender<Job>,
    node: u64,
    per_user: usize,
    bus: Option<Arc<dyn Bus>>,
}

impl Leases {
    /// Takes the node's lease and starts the thread.
    ///
    /// # Errors
    /// The store can't be reached, or the operating system gave no thread.
    pub fn start(parts: Parts) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::sync_channel(WAITING);
        let leases =
            Self { jobs, node: parts.node, per_user: parts.per_user, bus: parts.bus.clone() };
        let mut thread = Thread::new(parts);
        thread.renew();
        thread::Builder::new().name("tidings-leases".into()).spawn(move || thread.run(&waiting))?;
        Ok(leases)
    }

    /// Counts a connection over all nodes. An older connection of the same instance at another node
    /// is told to end.
    ///
    /// # Errors
    /// `connections` if the user has too many, `busy` if too many claims wait,
    /// `storage_unavailable` if the store can't count them.
    pub async fn claim(
        &self,
        user: &str,
        instance: Option<String>,
        number: u64,
    ) -> Result<(), Refused> {
        let connection = ConnectionId { node: self.node, number };
        let (user, limit) = (user.to_owned(), self.per_user);
        let claim = Claim { user, connection, instance, limit, anew: false };
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
                    bus.publish(&[BusMessage::Replaced(older)]);
                }
                Ok(())
            }
            // The registry ends an older connection on this node, in one step with admitting the
            // new one.
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

    /// Removes a connection from the shared table.
    pub fn leave(&self, number: u64) {
        // Without room in the queue, the connection is counted until this node's lease ends, or
        // until its page reconnects.
        let _ = self.jobs.try_send(Job::Leave(ConnectionId { node: self.node, number }));
    }

    /// Ends the node's lease, so that other nodes need not wait for it. Call it after all
    /// connections have closed.
    pub async fn end(&self) {
        let (sender, ended) = oneshot::channel();
        if self.jobs.try_send(Job::End(sender)).is_ok() {
            // An unreachable store has ended the lease by itself.
            let _ = ended.await;
        }
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        let (sender, _) = oneshot::channel();
        // If the thread has ended or is overloaded, it ends with the process.
        let _ = self.jobs.try_send(Job::End(sender));
    }
}

struct Thread {
    parts: Parts,
    renew_at: Instant,
    /// Connections to remove.
    gone: Vec<ConnectionId>,
    /// Connections that are no longer counted because the lease ended, by number. They must be
    /// claimed again.
    uncounted: BTreeMap<u64, Claim>,
    /// The store failed to count them: no attempt before this time.
    claim_at: Instant,
    /// Replaced connections that were not in the registry at the last renewal.
    strangers: BTreeSet<u64>,
    /// All connections are claimed once more at the next renewal: one that was counted just before
    /// the lease ended may have been missing in the registry.
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
                    Job::Leave(connection) => {
                        self.uncounted.remove(&connection.number);
                        self.gone.push(connection);
                    }
                    Job::End(sender) => ended = Some(sender),
                    Job::Claim(claim, asker) => {
                        claims.push(claim);
                        askers.push(asker);
                    }
                }
            }
            // Removals first, because they make room; then earlier connections, which have
            // priority.
            self.leave();
            self.claim_anew();
            if !claims.is_empty() {
                self.claim(&claims, askers);
            }
            if let Some(sender) = ended {
                self.end();
                // The caller may not wait for it.
                let _ = sender.send(());
                return;
            }
            if self.renew_at <= Instant::now() {
                self.renew();
            }
        }
    }

    fn end(&self) {
        if let Some(leases) = self.parts.store.leases() {
            let _unreachable = leases.renew(Clock::wall(), self.parts.node, 0);
        }
    }

    fn leave(&mut self) {
        let Some(leases) = self.parts.store.leases() else { return };
        if !self.gone.is_empty() && leases.leave(&self.gone).is_ok() {
            self.gone.clear();
        }
        // Connections that can't be removed for so long end with the lease; until then they count.
        self.gone.truncate(WAITING);
    }

    fn claim(&self, claims: &[Claim], askers: Vec<oneshot::Sender<Result<Verdict, StoreError>>>) {
        for (asker, verdict) in askers.into_iter().zip(self.verdicts(claims)) {
            // A connection that has ended removes itself.
            let _ = asker.send(verdict);
        }
    }

    /// Returns a result for each claim. All are decided together. If one can't be stored, each is
    /// decided alone, so that only that one fails.
    fn verdicts(&self, claims: &[Claim]) -> Vec<Result<Verdict, StoreError>> {
        let missing = || StoreError::Unavailable("places are not shared here".to_owned());
        let Some(leases) = self.parts.store.leases() else {
            return claims.iter().map(|_| Err(missing())).collect();
        };
        match leases.claim(Clock::wall(), claims) {
            Ok(verdicts) => verdicts.into_iter().map(Ok).collect(),
            Err(StoreError::Unfit(_)) if claims.len() > 1 => {
                claims.iter().flat_map(|claim| self.verdicts(std::slice::from_ref(claim))).collect()
            }
            Err(error) => claims.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    /// Renews the lease. If it had ended, or the database lost it, all connections here are claimed
    /// again. A connection ends if its user now has too many, or if its page connected elsewhere.
    fn renew(&mut self) {
        self.renew_at = Instant::now() + self.parts.lease / 3;
        let Some(leases) = self.parts.store.leases() else { return };
        let ttl = u64::try_from(self.parts.lease.as_millis()).unwrap_or(u64::MAX);
        match leases.renew(Clock::wall(), self.parts.node, ttl) {
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

    /// Ends replaced connections whose message the bus may have lost. One that is not in the
    /// registry is either about to enter it, or has left without being removed. It is removed if it
    /// is still listed at the next renewal.
    fn end_replaced(&mut self, replaced: Vec<u64>) {
        let mut strangers: BTreeSet<u64> = replaced.into_iter().collect();
        strangers.retain(|number| !self.parts.registry.replace(*number));
        let gone = strangers.intersection(&self.strangers).copied();
        self.gone.extend(gone.map(|number| ConnectionId { node: self.parts.node, number }));
        self.strangers = strangers;
    }

    fn everybody(&self) -> BTreeMap<u64, Claim> {
        let claim = |(user, number, instance)| {
            let connection = ConnectionId { node: self.parts.node, number };
            let limit = self.parts.per_user;
            (number, Claim { user, connection, instance, limit, anew: true })
        };
        self.parts.registry.everybody().into_iter().map(claim).collect()
    }

    /// Claims connections again that are no longer counted. If the store fails, the rest waits.
    fn claim_anew(&mut self) {
        while !self.uncounted.is_empty() && self.claim_at <= Instant::now() {
            let some: Vec<Claim> = self.uncounted.values().take(TOGETHER).cloned().collect();
            for (claim, verdict) in some.iter().zip(self.verdicts(&some)) {
                match verdict {
                    Ok(Verdict::Admitted { .. }) => {}
                    Ok(Verdict::Full { .. } | Verdict::Superseded { .. })
                    | Err(StoreError::Unfit(_)) => {
                        self.parts.registry.end(claim.connection.number);
                    }
                    Err(error) => {
                        tracing::debug!(%error, "connections could not be recounted yet");
                        self.claim_at = Instant::now() + AGAIN;
                        return;
                    }
                }
                self.uncounted.remove(&claim.connection.number);
            }
        }
    }
}

#[cfg(test)]
mod tests;
