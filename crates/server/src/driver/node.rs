//! Everything a connection needs of its server.

use std::{sync::Arc, time::Duration};

use tidings_server_core::{Limits, store::Store};

use super::{
    clock::Clock,
    entrance::Authenticate,
    readers::Readers,
    registry::{Bounds, Registry},
    shards::Shards,
    writer::Writer,
};

/// What a node is made with, besides the core's [`Limits`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// The core's bounds.
    pub limits: Arc<Limits>,
    /// Bounds on connections.
    pub bounds: Bounds,
    /// How long a connection may take nothing of what is written to it.
    pub send_timeout: Duration,
    /// How long a close handshake may take.
    pub close_timeout: Duration,
    /// Writes that may wait for the writer.
    pub write_queue: usize,
    /// Reads that may wait for the readers.
    pub read_queue: usize,
    /// Threads that read.
    pub readers: usize,
    /// Shards of the hub.
    pub shards: usize,
}

/// A running server without its doors: what connections and REST handlers share.
pub struct Node {
    /// The clocks.
    pub clock: Clock,
    /// Settings.
    pub settings: Settings,
    /// The log.
    pub store: Arc<dyn Store>,
    /// Commits.
    pub writer: Writer,
    /// Reads.
    pub readers: Readers,
    /// Subscriptions.
    pub shards: Arc<Shards>,
    /// Connections.
    pub registry: Arc<Registry>,
    /// Who checks credentials.
    pub auth: Arc<dyn Authenticate>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Node {
    /// Starts the store's threads.
    ///
    /// # Errors
    /// The operating system gave no thread.
    pub fn start(
        settings: Settings,
        store: Arc<dyn Store>,
        auth: Arc<dyn Authenticate>,
    ) -> std::io::Result<Arc<Self>> {
        let shards = Arc::new(Shards::new(settings.shards));
        Ok(Arc::new(Self {
            clock: Clock::start(),
            writer: Writer::start(&store, &shards, settings.write_queue)?,
            readers: Readers::start(&store, settings.readers, settings.read_queue)?,
            registry: Arc::new(Registry::new(settings.bounds)),
            settings,
            store,
            shards,
            auth,
        }))
    }
}
