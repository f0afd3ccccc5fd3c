//! Settings, which are checked once.

use crate::TransportKind;

/// The delay between attempts: `random(0, min(cap, base · 2^n))`, the first retry early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Milliseconds; default 1,000.
    pub base: u64,
    /// Milliseconds; default 30,000.
    pub cap: u64,
    /// Attempts before `Failed`; `None`: unlimited.
    pub max_attempts: Option<u32>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: 1_000, cap: 30_000, max_attempts: None }
    }
}

/// Settings of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Seed of the client's randomness (jitter).
    pub seed: u64,
    /// Random name of this page, 1–64 characters: a later connection replaces an earlier one of the
    /// same instance.
    pub instance: String,
    /// Random prefix of outbox lanes, unique per client instance; a lane is `{client_id}-{n}`.
    pub client_id: String,
    /// Library name and version stated in `connect`.
    pub library: (String, String),
    /// Retry delays.
    pub backoff: Backoff,
    /// Milliseconds between pings; a shorter interval of the server takes precedence. Default
    /// 25,000.
    pub heartbeat: u64,
    /// Milliseconds to wait for an answer. This and the next two hold for ordinary networks. On
    /// slow ones, a deadline lasts several measured round trips; after attempts that timed out it
    /// is two and four times as long, up to a minute. Default 10,000.
    pub timeout: u64,
    /// Milliseconds that a probe may take after the page wakes up. Default 2,000.
    pub probe_timeout: u64,
    /// Milliseconds for the ticket function. Default 10,000.
    pub credential_timeout: u64,
    /// Items kept in memory besides loaded pages, and in storage. Default 50.
    pub keep: u32,
    /// Most items held in memory, pages included. Default 1,000.
    pub items_max: u32,
    /// Most intents without an answer; further intents fail with `outbox_full`. Default 1,000.
    pub outbox_max: u32,
    /// Most failed intents that are remembered; the oldest is dropped first. Default 100.
    pub failed_max: u32,
    /// Greatest age of a notification that counts as arriving, in milliseconds. Default 60,000.
    pub arrived_max_age: u64,
    /// Milliseconds without a connection until `lost`. Default 5,000.
    pub lost_after: u64,
    /// Transports, the best first; if one does not get through, the client falls back to the next.
    /// Drivers that support `Request` name all three. Default: WebSocket only.
    pub transports: Vec<TransportKind>,
    /// Milliseconds on a transport other than the best until the client tries to upgrade. The time
    /// doubles with each failed try, up to 32 times, and is a sixth if the best transport worked
    /// before. Default 60,000.
    pub upgrade_after: u64,
    /// Whether there is storage: the client uses `Load` and `Save`.
    pub storage: bool,
    /// Whether it stores the outbox, too: the client uses `Keep`, `Claim` and `Release`.
    pub lanes: bool,
    /// While connected, milliseconds between checks for lanes of ended clients. Default 15,000.
    pub adopt_every: u64,
    /// Milliseconds that a channel stays subscribed after its last reader left. Default 5,000.
    pub linger: u64,
    /// Most channels subscribed at once, besides the inbox; further ones fail with `subscriptions`.
    /// Default 64.
    pub channels_max: u32,
    /// Most messages of one channel in memory, pages included, and in storage. Default 500.
    pub messages_max: u32,
    /// Most bytes of their payloads. Default 1 MiB.
    pub messages_bytes: u32,
    /// Whether shown and stored data stays when the ticket function says that no user is signed in.
    /// Default: it is deleted.
    pub keep_signed_out: bool,
    /// Whether all of the client's code is loaded. If not, the client asks with `LoadDeferred` for
    /// the part that a first connection does not need. Default: true.
    pub whole: bool,
}

impl Config {
    /// The defaults, with the values that only the driver knows.
    #[must_use]
    pub fn new(seed: u64, instance: String, client_id: String) -> Self {
        Self {
            seed,
            instance,
            client_id,
            library: (String::from("tidings"), String::from(env!("CARGO_PKG_VERSION"))),
            backoff: Backoff::default(),
            heartbeat: 25_000,
            timeout: 10_000,
            probe_timeout: 2_000,
            credential_timeout: 10_000,
            keep: 50,
            items_max: 1_000,
            outbox_max: 1_000,
            failed_max: 100,
            arrived_max_age: 60_000,
            lost_after: 5_000,
            transports: vec![TransportKind::Ws],
            upgrade_after: 60_000,
            storage: false,
            lanes: false,
            adopt_every: 15_000,
            linger: 5_000,
            channels_max: 64,
            messages_max: 500,
            messages_bytes: 1 << 20,
            keep_signed_out: false,
            whole: true,
        }
    }

    /// Brings settings into range that would stall the client or make it loop.
    pub(crate) fn check(&mut self) {
        self.backoff.base = self.backoff.base.clamp(10, 3_600_000);
        self.backoff.cap = self.backoff.cap.clamp(self.backoff.base, 3_600_000);
        self.heartbeat = self.heartbeat.clamp(1_000, 3_600_000);
        self.timeout = self.timeout.clamp(100, 3_600_000);
        self.probe_timeout = self.probe_timeout.clamp(100, self.timeout.max(100));
        self.credential_timeout = self.credential_timeout.clamp(100, 3_600_000);
        self.upgrade_after = self.upgrade_after.clamp(1_000, 3_600_000);
        self.keep = self.keep.max(1);
        self.items_max = self.items_max.max(self.keep);
    }
}
