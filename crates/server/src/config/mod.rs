//! Settings: defaults, then the file, then the environment, then flags.
//!
//! `config.default.toml` documents every key; a test keeps it equal to the defaults here.

mod auth;
mod check;
mod limits;
mod load;
mod parts;

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

pub use auth::{ApiKeySetting, AuthSettings, JwtSetting, ProviderSetting};
pub(crate) use auth::{DEV_KEY, Keys};
pub use limits::LimitSettings;
pub use load::{ConfigError, Flags};

use crate::proxies::Network;

/// All settings. `config.default.toml` explains each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The data folder.
    pub data: PathBuf,
    /// Origins of pages that may connect.
    pub origins: Vec<String>,
    /// Further host names of a development server, besides those of this machine.
    pub dev_hosts: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<Network>,
    /// Logs.
    pub log: LogSettings,
    /// Credentials.
    pub auth: AuthSettings,
    /// Limits.
    pub limits: LimitSettings,
    /// The log's location, threads and queues.
    pub store: StoreSettings,
    /// The bus to other nodes.
    pub bus: BusSettings,
    /// Retention.
    pub retention: RetentionSettings,
    /// How long a drain may take, in milliseconds.
    pub drain_ms: u64,
    /// Whether `GET /metrics` is served.
    pub metrics: bool,
    /// Development: a known API key, tokens for any user, pages of this machine. Set by flag only.
    #[serde(skip)]
    pub dev: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            data: PathBuf::from("tidings-data"),
            origins: Vec::new(),
            dev_hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            log: LogSettings::default(),
            auth: AuthSettings::default(),
            limits: LimitSettings::default(),
            store: StoreSettings::default(),
            bus: BusSettings::default(),
            retention: RetentionSettings::default(),
            drain_ms: 20_000,
            metrics: true,
            dev: false,
        }
    }
}

/// How logs are written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// JSON or plain text.
    pub format: LogFormat,
    /// A filter in the syntax of `tracing-subscriber`.
    pub level: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Json, level: "info".to_owned() }
    }
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Plain text.
    Text,
}

/// A URL that may hold a password.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretUrl(pub String);

impl std::fmt::Debug for SecretUrl {
    /// Leaves the URL out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "(a secret)" })
    }
}

/// The log, and threads and queues around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// URL of a PostgreSQL database. Empty: SQLite in the data folder.
    pub url: SecretUrl,
    /// File of the certificate authorities to trust instead of the system's. Empty: the system's.
    pub ca_file: PathBuf,
    /// Most connections to the database.
    pub connections: usize,
    /// How long the database may take, in milliseconds.
    pub timeout_ms: u64,
    /// Interval of the poll for other nodes' records, in milliseconds.
    pub poll_ms: u64,
    /// How long a node's connections are still counted after it died, in milliseconds.
    pub lease_ms: u64,
    /// Threads that read.
    pub readers: usize,
    /// Shards of the fan-out. 0: one for each core.
    pub shards: usize,
    /// Writes that may wait.
    pub write_queue: usize,
    /// Those of one user, API key or address.
    pub write_queue_each: usize,
    /// Reads that may wait.
    pub read_queue: usize,
    /// Those of one user, API key or address.
    pub read_queue_each: usize,
    /// Interval of retention, in milliseconds.
    pub trim_interval_ms: u64,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            url: SecretUrl::default(),
            ca_file: PathBuf::new(),
            connections: 8,
            timeout_ms: 5_000,
            poll_ms: 1_000,
            lease_ms: 15_000,
            readers: 2,
            shards: 0,
            write_queue: 4_096,
            write_queue_each: 2_048,
            read_queue: 16_384,
            read_queue_each: 2_048,
            trim_interval_ms: 60_000,
        }
    }
}

/// The bus between nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BusSettings {
    /// URL of a Redis server. Empty: no bus.
    pub url: SecretUrl,
}

/// How much is stored, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionSettings {
    /// Most records of a channel.
    pub records: u64,
    /// Age of a record, in milliseconds.
    pub age_ms: u64,
    /// Most items of an inbox.
    pub items: u64,
    /// Life of an idempotency key, in milliseconds.
    pub keys_ms: u64,
    /// Life of an idle lane, in milliseconds.
    pub lanes_ms: u64,
    /// Life of an idle lane that made no record, in milliseconds.
    pub empty_lanes_ms: u64,
    /// Life of a channel without records and subscribers, in milliseconds.
    pub channels_ms: u64,
    /// A difference from the expected wall-clock time above which the clock made a step, in
    /// milliseconds.
    pub clock_step_ms: u64,
    /// A longer absence counts after the wall clock was steady for this long, in milliseconds.
    pub clock_trust_ms: u64,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        const DAY: u64 = 24 * 3_600_000;
        Self {
            records: 100_000,
            age_ms: 7 * DAY,
            items: 1_000,
            keys_ms: DAY,
            lanes_ms: 30 * DAY,
            empty_lanes_ms: DAY,
            channels_ms: 30 * DAY,
            clock_step_ms: DAY / 96,
            clock_trust_ms: DAY / 4,
        }
    }
}

#[cfg(test)]
mod tests;
