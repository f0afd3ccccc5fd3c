//! Loading settings from text.

use std::{
    ffi::OsString,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

use super::Config;

/// The prefix of this program's environment variables.
const PREFIX: &str = "TIDINGS_";

/// The command line's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--dev`.
    pub dev: bool,
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--data`.
    pub data: Option<PathBuf>,
    /// `--config`.
    pub config: Option<PathBuf>,
}

/// The settings are unusable. The message names the key and says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read the settings in {}: {cause}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        cause: io::Error,
    },
    /// A key is unknown, or its value has another type.
    #[error("in {origin}: {cause}")]
    Wrong {
        /// The file, or the environment.
        origin: String,
        /// The error and its position.
        cause: Box<toml::de::Error>,
    },
    /// The file is not UTF-8 text.
    #[error("the settings in {} are not UTF-8: {why}", .path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The position of the fault, or the actual encoding.
        why: String,
    },
    /// An environment variable of this program is not UTF-8.
    #[error("the environment variable {0} is not UTF-8")]
    Variable(String),
    /// A value is unusable.
    #[error("`{0}` {1}")]
    Value(&'static str, String),
    /// `--dev` with an address that other machines can reach.
    #[error(
        "--dev gives every client all rights, so the server listens on loopback only: {0} is not a loopback address"
    )]
    PublicDev(SocketAddr),
}

/// Half of the largest message that the Rust client takes (4 MiB), because a page has some bytes
/// around its entries.
const MESSAGE_MOST: usize = 2 * 1024 * 1024;

impl Config {
    /// Loads all settings. `environment` holds names and values from `std::env::vars_os`; variables
    /// of other programs need not be text.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(
        flags: &Flags,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let mut table = match &flags.config {
            Some(path) => from_file(path)?,
            None => Table::new(),
        };
        let wrong = |cause| ConfigError::Wrong {
            origin: "the environment".to_owned(),
            cause: Box::new(cause),
        };
        let known = Table::try_from(Self::default())
            .map_err(|error| ConfigError::Value("defaults", error.to_string()))?;
        for (name, text) in environment {
            let Some(name) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
                continue;
            };
            let text =
                text.into_string().map_err(|_| ConfigError::Variable(format!("{PREFIX}{name}")))?;
            if let Some((path, like)) = find(&known, &name.to_ascii_lowercase()) {
                set(&mut table, &path, parsed(&text, like));
            }
        }
        let mut config: Self = table.try_into().map_err(wrong)?;
        config.dev = flags.dev;
        config.listen = flags.listen.unwrap_or(config.listen);
        if let Some(data) = &flags.data {
            config.data.clone_from(data);
        }
        config.check()?;
        Ok(config)
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.dev && !self.listen.ip().is_loopback() {
            return Err(ConfigError::PublicDev(self.listen));
        }
        self.check_matches()?;
        let at_least_one: [(&'static str, u64); 40] = [
            ("limits.connections", self.limits.connections as u64),
            ("limits.connections_per_user", self.limits.connections_per_user as u64),
            ("limits.links", self.limits.links as u64),
            ("limits.links_per_user", self.limits.links_per_user as u64),
            ("limits.unauthenticated", self.limits.unauthenticated as u64),
            ("limits.unauthenticated_per_address", self.limits.unauthenticated_per_address as u64),
            ("limits.accept_queue", self.limits.accept_queue as u64),
            ("limits.accept_queue_per_address", self.limits.accept_queue_per_address as u64),
            ("limits.accept_per_second", self.limits.accept_per_second.into()),
            ("limits.keep_alive_ms", self.limits.keep_alive_ms),
            ("limits.outstanding", self.limits.outstanding as u64),
            ("limits.message_burst", self.limits.message_burst),
            ("limits.user_message_burst", self.limits.user_message_burst),
            ("limits.user_bytes_burst", self.limits.user_bytes_burst),
            ("limits.user_bytes_per_second", self.limits.user_bytes_per_second),
            ("limits.user_read_burst", self.limits.user_read_burst),
            ("limits.user_open_burst", self.limits.user_open_burst),
            ("limits.user_ticket_burst", self.limits.user_ticket_burst),
            ("limits.user_visits", self.limits.user_visits as u64),
            ("limits.user_publish_bytes", self.limits.user_publish_bytes as u64),
            ("limits.tickets", self.limits.tickets),
            ("limits.user_tickets", self.limits.user_tickets),
            ("limits.user_lanes", self.limits.user_lanes),
            ("limits.stream_ms", self.limits.stream_ms),
            ("limits.page", self.limits.page.into()),
            ("limits.page_bytes", self.limits.page_bytes.into()),
            ("limits.snapshot_bytes", self.limits.snapshot_bytes.into()),
            ("limits.catch_up_records", self.limits.catch_up_records.into()),
            ("auth.jwks_refresh_ms", self.auth.jwks_refresh_ms),
            ("auth.jwks_pause_ms", self.auth.jwks_pause_ms),
            ("auth.jwks_timeout_ms", self.auth.jwks_timeout_ms),
            ("store.timeout_ms", self.store.timeout_ms),
            ("store.poll_ms", self.store.poll_ms),
            ("store.lease_ms", self.store.lease_ms),
            ("store.readers", self.store.readers as u64),
            ("store.write_queue", self.store.write_queue as u64),
            ("store.write_queue_each", self.store.write_queue_each as u64),
            ("store.read_queue", self.store.read_queue as u64),
            ("store.read_queue_each", self.store.read_queue_each as u64),
            ("store.trim_interval_ms", self.store.trim_interval_ms),
        ];
        if let Some((key, _)) = at_least_one.iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::Value(key, "must be at least 1".to_owned()));
        }
        let limits = &self.limits;
        let sizes: [(&'static str, usize); 3] = [
            ("limits.page_bytes", limits.page_bytes as usize),
            ("limits.snapshot_bytes", limits.snapshot_bytes as usize),
            ("limits.publish_bytes", limits.publish_bytes),
        ];
        if let Some((key, _)) = sizes.iter().find(|(_, bytes)| *bytes > MESSAGE_MOST) {
            let why = format!("must be at most {MESSAGE_MOST}: clients take no larger messages");
            return Err(ConfigError::Value(key, why));
        }
        if self.limits.links < self.limits.connections {
            let why = format!(
                "must be at least `limits.connections` ({}): each connection is a link",
                self.limits.connections
            );
            return Err(ConfigError::Value("limits.links", why));
        }
        let url = &self.store.url.0;
        if !(url.is_empty() || url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            let why = "is no PostgreSQL URL such as postgres://user@host/database".to_owned();
            return Err(ConfigError::Value("store.url", why));
        }
        if url.is_empty() && !self.bus.url.0.is_empty() {
            let why =
                "needs `store.url`: servers without a shared log have no use for a bus".to_owned();
            return Err(ConfigError::Value("bus.url", why));
        }
        if self.store.connections < 2 {
            let why = "must be at least 2: one to write and one to read".to_owned();
            return Err(ConfigError::Value("store.connections", why));
        }
        if self.limits.subscriptions < 2 {
            let why = "must be at least 2: each connection has its inbox and system:all".to_owned();
            return Err(ConfigError::Value("limits.subscriptions", why));
        }
        Ok(())
    }
}

fn from_file(path: &Path) -> Result<Table, ConfigError> {
    let bytes =
        fs::read(path).map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
    let text = as_text(bytes).map_err(|why| ConfigError::NotUtf8 { path: path.to_owned(), why })?;
    let wrong =
        |cause| ConfigError::Wrong { origin: path.display().to_string(), cause: Box::new(cause) };
    // Parsed as settings first: only this error can name line and column.
    toml::from_str::<Config>(&text).map_err(wrong)?;
    toml::from_str(&text).map_err(wrong)
}

/// A file's text, without the byte order mark that some editors write.
fn as_text(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("they are UTF-16, save them as UTF-8".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        format!("look at line {line}")
    })?;
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}

/// The key whose path, joined by `_`, is this name; with its default.
fn find<'a>(table: &'a Table, name: &str) -> Option<(Vec<String>, &'a Value)> {
    table.iter().find_map(|(key, value)| {
        if key == name && !value.is_table() {
            return Some((vec![key.clone()], value));
        }
        let rest = name.strip_prefix(key.as_str())?.strip_prefix('_')?;
        let (mut path, value) = find(value.as_table()?, rest)?;
        path.insert(0, key.clone());
        Some((path, value))
    })
}

/// Parses an environment variable by the type of the default. A text that does not parse stays
/// text, and is refused by its type later.
fn parsed(text: &str, like: &Value) -> Value {
    match like {
        Value::Integer(_) => text.parse().map_or_else(|_| text.into(), Value::Integer),
        Value::Boolean(_) => text.parse().map_or_else(|_| text.into(), Value::Boolean),
        Value::Array(_) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Value::Array(parts.map(Into::into).collect())
        }
        _ => text.into(),
    }
}

fn set(table: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => {
            table.insert(key.clone(), value);
        }
        [key, rest @ ..] => {
            let inner = table.entry(key.clone()).or_insert_with(|| Table::new().into());
            if let Value::Table(inner) = inner {
                set(inner, rest, value);
            }
        }
    }
}
