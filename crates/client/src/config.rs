//! Settings, checked once.

/// How long to wait between attempts: `random(0, min(cap, base · 2^n))`, the first retry early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Milliseconds; default 1,000.
    pub base: u64,
    /// Milliseconds; default 30,000.
    pub cap: u64,
    /// Attempts before `Failed`; `None`: unlimited.
    pub max_attempts: Option<u32>,
}

/// What a client is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Seed of the client's randomness (jitter).
    pub seed: u64,
    /// Random name of this page, 1–64 characters: a later connection replaces an earlier one of the same instance.
    pub instance: String,
    /// Random prefix of outbox lanes, unique per client instance; a lane is `{client_id}-{n}`.
    pub client_id: String,
    /// Library name and version stated in `connect`.
    pub library: (String, String),
    /// Retry delays.
    pub backoff: Backoff,
    /// Milliseconds between pings; the server's wish wins when shorter. Default 25,000.
    pub heartbeat: u64,
    /// Milliseconds to wait for an answer. Default 10,000.
    pub timeout: u64,
    /// Milliseconds a wake-up's probe may take. Default 2,000.
    pub probe_timeout: u64,
    /// Milliseconds for the ticket function. Default 10,000.
    pub credential_timeout: u64,
    /// Items kept in memory below loaded pages, and in storage. Default 50.
    pub keep: u32,
    /// Most items held in memory, pages included. Default 1,000.
    pub items_max: u32,
    /// Most unanswered intents; more are refused with `outbox_full`. Default 1,000.
    pub outbox_max: u32,
    /// Most failed intents remembered; the oldest goes. Default 100.
    pub failed_max: u32,
    /// Oldest notification that counts as arriving, in milliseconds. Default 60,000.
    pub arrived_max_age: u64,
    /// Milliseconds without a connection until `lost`. Default 5,000.
    pub lost_after: u64,
    /// Transports in the order they are tried. Default: WebSocket only.
    pub transports: Vec<crate::TransportKind>,
    /// Storage exists: `Load` and `Save` are wanted.
    pub storage: bool,
}
