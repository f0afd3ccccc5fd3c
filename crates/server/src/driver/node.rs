//! The parts of the server that connections and REST handlers share.

use std::{sync::Arc, time::Duration};

use tidings_server_core::{
    Limits, fair,
    follow::{Event, Polling},
    store::{Revocation, Store},
};

use super::{
    budgets::Budgets,
    clock::Clock,
    follower::{self, Follower},
    leases::{self, Leases},
    post_queue::PostQueue,
    readers::Readers,
    registry::{Bounds, Registry},
    request_context::Authenticate,
    retention_clock::RetentionClock,
    shards::Shards,
    writer::{FanOut, Writer},
};
use crate::{
    bus::{Bus, BusEvent, BusMessage},
    refusals::Refusals,
    shares::Shares,
};

/// Settings of a node, with the core's [`Limits`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// The core's limits.
    pub limits: Arc<Limits>,
    /// Bounds on connections.
    pub bounds: Bounds,
    /// How long a client may take no written bytes.
    pub send_timeout: Duration,
    /// How long a close handshake may take.
    pub close_timeout: Duration,
    /// Frames of one WebSocket message.
    pub fragments: u32,
    /// How long a request's body may take to arrive.
    pub body_timeout: Duration,
    /// Bounds of streams and polls.
    pub streams: Streams,
    /// Writes that may wait for the writer.
    pub write_queue: fair::Bounds,
    /// Shards of the hub.
    pub shards: usize,
    /// Interval of the poll for other nodes' records.
    pub poll: Duration,
    /// How long the node's connections are still counted after it died.
    pub lease: Duration,
}

/// The parts that a node is made of.
pub struct Parts {
    /// The log.
    pub store: Arc<dyn Store>,
    /// Reader threads.
    pub readers: Readers,
    /// The bus to the other nodes, if there is one.
    pub bus: Option<Arc<dyn Bus>>,
    /// Authentication.
    pub auth: Arc<dyn Authenticate>,
    /// Number of the newest revocation that `auth` knows.
    pub revoked: u64,
    /// The clocks.
    pub clock: Clock,
    /// The clock that decides when data is forgotten.
    pub steady: RetentionClock,
    /// Reports used-up shares.
    pub shares: Shares,
    /// Refusals in the log.
    pub(crate) refusals: Arc<Refusals>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("bus", &self.bus).finish_non_exhaustive()
    }
}

/// Bounds of the transports over plain HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    /// An `EventSource` reconnects after this to twice this, in milliseconds.
    pub retry_ms: u64,
    /// Longest wait of a poll for news, in milliseconds.
    pub poll_ms: u64,
    /// Bytes after which a poll is answered even if there is more.
    pub poll_bytes: usize,
}

/// A running server without its listeners: the parts that connections and REST handlers share.
pub struct Node {
    /// The clocks.
    pub clock: Clock,
    /// The clock that decides when data is forgotten.
    pub steady: RetentionClock,
    /// Settings.
    pub settings: Settings,
    /// The log.
    pub store: Arc<dyn Store>,
    /// The writer threads.
    pub writer: Writer,
    /// Reader threads.
    pub readers: Readers,
    /// Subscriptions.
    pub shards: Arc<Shards>,
    /// Finds records that this node did not commit.
    pub follower: Follower,
    /// Connections.
    pub registry: Arc<Registry>,
    /// Sessions that send posts and polls.
    pub posts: PostQueue,
    /// The accounts of users.
    pub budgets: Arc<Budgets>,
    /// Authentication.
    pub auth: Arc<dyn Authenticate>,
    /// The bus to the other nodes, if there is one.
    pub bus: Option<Arc<dyn Bus>>,
    /// Refusals in the log.
    pub(crate) refusals: Arc<Refusals>,
    /// Counts a user's connections over all nodes, if several nodes share a store.
    pub leases: Option<Leases>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Node {
    /// Starts the node's threads.
    ///
    /// # Errors
    /// The operating system gave no thread, or no randomness.
    pub fn start(settings: Settings, parts: Parts) -> std::io::Result<Arc<Self>> {
        let Parts { store, readers, bus, auth, revoked, clock, steady, shares, refusals } = parts;
        let shards = Arc::new(Shards::new(settings.shards));
        let registry = Arc::new(Registry::new(settings.bounds, shares.clone()));
        let is_shared = store.leases().is_some();
        let polling = match is_shared {
            true => Polling::Every { ms: settings.poll.as_millis().try_into().unwrap_or(u64::MAX) },
            false => Polling::Never,
        };
        let follower = Follower::start(follower::Parts {
            store: Arc::clone(&store),
            shards: Arc::clone(&shards),
            clock,
            polling,
            revoked,
            heed: heed(&auth, &registry),
        })?;
        let number = getrandom::u64().map_err(std::io::Error::other)?;
        let leases = match is_shared {
            true => Some(Leases::start(leases::Parts {
                store: Arc::clone(&store),
                registry: Arc::clone(&registry),
                bus: bus.clone(),
                node: number,
                per_user: settings.bounds.per_user,
                lease: settings.lease,
            })?),
            false => None,
        };
        let limits = Arc::clone(&settings.limits);
        let budgets = Arc::new(Budgets::new(limits, clock, settings.bounds.total));
        if let Some(bus) = &bus {
            let ears = Ears {
                follower: follower.clone(),
                registry: Arc::clone(&registry),
                budgets: Arc::clone(&budgets),
            };
            listen(&**bus, ears, number);
        }
        let fan_out =
            FanOut { shards: Arc::clone(&shards), follower: follower.clone(), bus: bus.clone() };
        Ok(Arc::new(Self {
            clock,
            writer: Writer::start(&store, fan_out, steady.clone(), settings.write_queue, shares)?,
            steady,
            readers,
            registry,
            posts: PostQueue::new(settings.limits.outstanding),
            budgets,
            settings,
            store,
            shards,
            follower,
            auth,
            bus,
            refusals,
            leases,
        }))
    }

    /// Applies a revocation on this node, and notifies the other nodes.
    pub fn revoke(&self, revocation: &Revocation) {
        // New credential checks first, then open connections: otherwise a connection could be
        // admitted between the two steps.
        let hits = self.auth.heed(revocation);
        self.registry.revoke(&hits);
        if let Some(bus) = &self.bus {
            bus.publish(&[BusMessage::Revoked]);
        }
    }
}

/// Applies another node's revocation here. The reference to `auth` is weak: `auth` holds the
/// writer, and the follower's thread must not keep the writer alive, because the writer's thread
/// holds the follower.
fn heed(auth: &Arc<dyn Authenticate>, registry: &Arc<Registry>) -> Box<dyn Fn(Revocation) + Send> {
    let (auth, registry) = (Arc::downgrade(auth), Arc::clone(registry));
    Box::new(move |revocation| {
        if let Some(auth) = auth.upgrade() {
            registry.revoke(&auth.heed(&revocation));
        }
    })
}

/// The receivers of the bus's messages.
struct Ears {
    follower: Follower,
    registry: Arc<Registry>,
    budgets: Arc<Budgets>,
}

fn listen(bus: &dyn Bus, ears: Ears, node: u64) {
    let Ears { follower, registry, budgets } = ears;
    bus.listen(Box::new(move |event| match event {
        BusEvent::Message(BusMessage::Hint(hint)) => follower.hint(hint),
        BusEvent::Message(BusMessage::Revoked) => follower.notify(Event::RevocationHinted),
        BusEvent::Message(BusMessage::Replaced(older)) if older.node == node => {
            registry.replace(older.number);
        }
        BusEvent::Message(BusMessage::Replaced(_)) => {}
        BusEvent::Message(BusMessage::Used { user, cost }) => budgets.used_elsewhere(&user, cost),
        BusEvent::Missed => follower.notify(Event::HintsLost),
    }));
}
