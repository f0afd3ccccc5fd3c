//! Settings of a client, with their defaults and reasons.

use std::{future::Future, path::PathBuf, sync::Arc, sync::atomic::AtomicBool, time::Duration};

use tidings_client_core::{Backoff, Config, Event, TransportKind, User};
use tidings_protocol::address::{AddressError, check_user};
use tokio::{
    runtime::Handle,
    sync::{Notify, broadcast, mpsc, watch},
};

use crate::{
    client::{Client, Shared},
    credential::{CredentialRequest, IntoCredential, Provider, provider},
    driver::{Asking, Driver, Inlets, Senders},
    endpoint::{Endpoint, EndpointError},
    state::State,
};

/// Calls that may wait for the task at once; further calls wait for room. Each is small and handled
/// within one turn of the task.
const INPUTS: usize = 64;

/// Why a client can't be built from these settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The URL is wrong.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The ticket function is missing.
    #[error("a client needs a ticket function: call .ticket(async || …)")]
    TicketMissing,
    /// A limit is 0.
    #[error("`{0}` must be at least 1")]
    Zero(&'static str),
    /// There is no transport, a transport is given twice, or it does not exist outside a browser.
    #[error("transports: {0}; name some of Ws, Sse and Poll, each once, the best first")]
    Transports(&'static str),
    /// The user id is not one: 1 to 128 bytes without control characters.
    #[error("the user id: {0}")]
    User(AddressError),
    /// The call is not inside a tokio runtime.
    #[error("build() must be called within a tokio runtime, on which the client's task will run")]
    NoRuntime,
    /// The state folder can't be opened or created.
    #[error("the state folder {0} can't be used: {1}")]
    State(String, String),
    /// The system gives no random numbers.
    #[error("the system gives no randomness: {0}")]
    Randomness(String),
}

/// Settings of a [`Client`]. Durations are rounded down to milliseconds.
#[must_use]
pub struct Builder {
    url: String,
    provider: Option<Provider>,
    user: User,
    buffer: usize,
    state: Option<PathBuf>,
    keep_channels: usize,
    config: Config,
}

impl Builder {
    pub(crate) fn new(url: String) -> Self {
        let mut config = Config::new(0, String::new(), String::new());
        config.library.0 = String::from("tidings-rust");
        config.library.1 = String::from(env!("CARGO_PKG_VERSION"));
        config.transports = vec![TransportKind::Ws, TransportKind::Sse, TransportKind::Poll];
        Self {
            url,
            provider: None,
            user: User::Unknown,
            buffer: 1_024,
            state: None,
            keep_channels: 256,
            config,
        }
    }

    /// Sets the ticket function. It is called for every attempt, with a deadline of 10 s.
    ///
    /// It returns a ticket as a `String`, a JWT as [`crate::Credential::Token`], or `None` when no
    /// user is signed in; each may be in a `Result`. Its future outlives the call, so a closure
    /// that captures values clones them into an `async move` block.
    pub fn ticket<F, Fut>(self, function: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoCredential> + Send + 'static,
    {
        self.credential(move |_| function())
    }

    /// As [`Self::ticket`], for a function that takes the user and the number of the attempt.
    pub fn credential<F, Fut>(mut self, function: F) -> Self
    where
        F: Fn(CredentialRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoCredential> + Send + 'static,
    {
        self.provider = Some(provider(function));
        self
    }

    /// Sets the client's user; a ticket of another user is refused. Default: the user that the
    /// ticket names.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = User::Named(user.into());
        self
    }

    /// Sets a folder for state that outlives the process: cursors, the newest items and messages,
    /// and intents without an answer.
    ///
    /// Use one folder per server. Several processes may share it: each sends the intents that an
    /// ended process left, and none takes those of a running one. The folder must be on a local
    /// disk, because the locks are the operating system's. Default: none, so all state ends with
    /// the client.
    pub fn state(mut self, folder: impl Into<PathBuf>) -> Self {
        self.state = Some(folder.into());
        self
    }

    /// Sets the most channels that may be subscribed at once, besides the inbox. Default 64.
    pub fn channels_max(mut self, channels: u32) -> Self {
        self.config.channels_max = channels;
        self
    }

    /// Sets the most intents without an answer; further intents fail with `outbox_full`. Default
    /// 1,000.
    pub fn outbox_max(mut self, intents: u32) -> Self {
        self.config.outbox_max = intents;
        self
    }

    /// Sets the delays of retries. Default: base 1 s, cap 30 s, no end.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.config.backoff = backoff;
        self
    }

    /// Sets the time between pings. Default 25 s; a shorter interval of the server takes
    /// precedence.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.config.heartbeat = millis(interval);
        self
    }

    /// Sets the transports, the best first. Default: WebSocket, then server-sent events, then long
    /// poll.
    ///
    /// If a transport does not get through, or a proxy holds it back, the client falls back to the
    /// next. Later it tries a better one beside the one in use; the app notices only
    /// [`crate::Connection::transport`]. A single transport has no fallback: it is retried without
    /// end.
    pub fn transports(mut self, transports: impl IntoIterator<Item = TransportKind>) -> Self {
        self.config.transports = transports.into_iter().collect();
        self
    }

    /// Sets the time on a transport other than the best until the client tries to upgrade. Each
    /// failed try makes it longer, up to 32 times; if the best transport worked before, it is a
    /// sixth. Default 60 s, at least 1 s.
    pub fn upgrade_after(mut self, time: Duration) -> Self {
        self.config.upgrade_after = millis(time);
        self
    }

    /// Sets the number of inbox items that are held in memory besides loaded pages. Default 50.
    pub fn keep(mut self, items: u32) -> Self {
        self.config.keep = items;
        self
    }

    /// Sets the number of channels per user whose newest messages the state folder stores; the
    /// channel that was written longest ago is dropped first. Default 256.
    pub fn keep_channels(mut self, channels: usize) -> Self {
        self.keep_channels = channels;
        self
    }

    /// Keeps the user's data, shown and stored, when the ticket function says that no user is
    /// signed in. Default: all of it is deleted, unsent intents included, so that the next user of
    /// the machine does not find it.
    pub fn keep_signed_out(mut self) -> Self {
        self.config.keep_signed_out = true;
        self
    }

    /// Sets the greatest age of a notification that still counts as arriving; `None`: any age, so
    /// that each record of a resume is reported. Default 60 s: an app that shows toasts does not
    /// want old ones.
    pub fn arrived_max_age(mut self, age: Option<Duration>) -> Self {
        self.config.arrived_max_age = age.map_or(u64::MAX, millis);
        self
    }

    /// Sets how many events a stream holds for a busy reader, rounded up to a power of two. Default
    /// 1,024, enough for a resume after an hour away. A reader that falls further behind gets
    /// [`crate::Lagged`].
    pub fn buffer(mut self, events: usize) -> Self {
        self.buffer = events;
        self
    }

    /// Starts the client's task on the current tokio runtime. The client connects on the first
    /// listener, mark or [`Client::connect`].
    ///
    /// # Errors
    /// [`BuildError`]: a wrong URL, no ticket function, a limit of 0, no transports, or no runtime.
    pub fn build(self) -> Result<Client, BuildError> {
        let runtime = Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let endpoint = Endpoint::of(&self.url)?;
        let provider = self.provider.ok_or(BuildError::TicketMissing)?;
        let mut config = self.config;
        let bounds = [
            ("buffer", self.buffer == 0),
            ("keep", config.keep == 0),
            ("keep_channels", self.keep_channels == 0),
        ];
        if let Some((name, _)) = bounds.into_iter().find(|(_, zero)| *zero) {
            return Err(BuildError::Zero(name));
        }
        if let User::Named(user) = &self.user {
            check_user(user).map_err(BuildError::User)?;
        }
        if let Some(what) = wrong_with(&config.transports) {
            return Err(BuildError::Transports(what));
        }
        // The channel allocates in powers of two, and panics above this size.
        let buffer = self.buffer.min(1 << 24);
        let state = match self.state {
            Some(folder) => {
                let name = folder.display().to_string();
                let opened = State::open(&folder, self.keep_channels);
                Some(opened.map_err(|error| BuildError::State(name, error.to_string()))?)
            }
            None => None,
        };
        config.storage = state.is_some();
        config.lanes = state.is_some();
        config.seed = random()?;
        config.instance = format!("{:016x}{:016x}", random()?, random()?);
        config.client_id = format!("{:016x}{:016x}", random()?, random()?);

        let mut core = tidings_client_core::Client::new(config.clone());
        let (connection, connection_reader) = watch::channel(core.connection().clone());
        let (inbox, inbox_reader) =
            watch::channel(core.inbox(&tidings_client_core::Filter::default()));
        let (outbox, outbox_reader) = watch::channel(core.outbox().clone());
        let events = broadcast::Sender::new(buffer);
        let (inputs, inputs_reader) = mpsc::channel(INPUTS);
        let wanted = Arc::new(Notify::new());
        let shared = Shared {
            connection: connection_reader,
            inbox: inbox_reader,
            outbox: outbox_reader,
            events: events.downgrade(),
            inputs,
            wanted: Arc::clone(&wanted),
            asked: AtomicBool::new(false),
        };
        let sender = shared.inputs.downgrade();
        let inlets = Inlets { inputs: inputs_reader, sender, wanted };
        let senders = Senders { connection, inbox, outbox, events };
        let asking = Asking::new(provider);
        let mut driver = Driver::new(core, endpoint, asking, state, inlets, senders);
        if self.user != User::Unknown {
            driver.feed(Event::UserChanged(self.user));
        }
        runtime.spawn(driver.run());
        Ok(Client::new(shared))
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("url", &self.url).field("config", &self.config).finish()
    }
}

/// Why these transports can't be used, if they can't.
fn wrong_with(transports: &[TransportKind]) -> Option<&'static str> {
    if transports.is_empty() {
        return Some("none is named");
    }
    if transports.contains(&TransportKind::Relay) {
        return Some("Relay is for tabs of a browser");
    }
    let twice = |(index, kind)| transports.iter().skip(index + 1).any(|other| other == kind);
    transports.iter().enumerate().any(twice).then_some("one is named twice")
}

fn random() -> Result<u64, BuildError> {
    getrandom::u64().map_err(|error| BuildError::Randomness(error.to_string()))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready() -> Builder {
        Client::builder("http://127.0.0.1:1").ticket(async || String::new())
    }

    #[test]
    fn needs_a_runtime() {
        assert_eq!(ready().build().err(), Some(BuildError::NoRuntime));
    }

    #[tokio::test]
    async fn refuses_to_change_to_a_user_that_cannot_be() {
        let client = ready().build().unwrap();
        for wrong in ["", "u1\troom:1"] {
            let refused = client.set_user(Some(wrong.into())).await.unwrap_err();
            assert_eq!(refused.code, "invalid_argument", "{wrong:?}");
        }
        client.set_user(Some("u1".into())).await.unwrap();
    }

    #[tokio::test]
    async fn says_which_setting_is_wrong() {
        let bare = Client::builder("http://127.0.0.1:1").build();
        assert_eq!(bare.err(), Some(BuildError::TicketMissing));
        assert_eq!(ready().buffer(0).build().err(), Some(BuildError::Zero("buffer")));
        assert_eq!(ready().keep(0).build().err(), Some(BuildError::Zero("keep")));
        let none = ready().keep_channels(0).build().err();
        assert_eq!(none, Some(BuildError::Zero("keep_channels")));
        for wrong in [&[][..], &[TransportKind::Relay], &[TransportKind::Poll; 2]] {
            let built = ready().transports(wrong.iter().copied()).build();
            assert!(matches!(built.err(), Some(BuildError::Transports(_))), "{wrong:?}");
        }
        assert!(ready().transports([TransportKind::Poll, TransportKind::Ws]).build().is_ok());
        for wrong in ["", "u1\troom:1", "u1\nu2", &"x".repeat(129)] {
            let built = ready().user(wrong).build();
            assert!(matches!(built.err(), Some(BuildError::User(_))), "{wrong:?}");
        }
        let scheme = Client::builder("ftp://x").ticket(async || String::new()).build();
        assert!(matches!(scheme.err(), Some(BuildError::Endpoint(EndpointError::Scheme(_)))));
    }
}
