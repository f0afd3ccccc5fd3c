//! A complete server: building, serving, draining.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use tidings_protocol::rest::{Stored, TicketAnswer, TicketRequest};
use tidings_server_core::{
    Ids, Principal, Refused,
    follow::Event,
    hub::Hubs as _,
    service::{self, Caller},
    store::{IdempotencyKey, Retention, Store, StoreError, in_use},
};
use tokio::{
    net::TcpListener,
    task::JoinHandle,
    time::{Instant, interval, sleep, timeout_at},
};

use crate::{
    Config, Notification, NotifyError,
    api::{Api, InFlight, results},
    auth::{self, Asker, Auth},
    bus::{Bus, BusError, Redis},
    config::{ConfigError, DEV_KEY, Keys},
    driver::{Clock, Node, budgets, node, readers::Readers, retention_clock::RetentionClock},
    listen,
    log::{ConnectError, OpenError, Postgres, Sqlite},
    metrics,
    proxies::Proxies,
    refusals::Refusals,
    shares::Shares,
    transport::{
        origin::{Hosts, Origins},
        request_policy::RequestPolicy,
    },
};

/// A server without its listener. Dropping it ends its background tasks. Its connections end with
/// the runtime, or by [`Tidings::drain`].
#[derive(Debug)]
pub struct Tidings {
    api: Api,
    chores: [JoinHandle<()>; 4],
}

/// The reason why a server can't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder can't be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database can't be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The bus can't be used.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// A key can't be used, or revocations can't be read.
    #[error(transparent)]
    Auth(#[from] auth::StartError),
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system gives no thread or no randomness.
    #[error("the system lacks something: {0}")]
    System(#[from] std::io::Error),
}

/// Builds a [`Tidings`].
#[derive(Debug)]
pub struct Builder {
    config: Config,
    store: Option<Arc<dyn Store>>,
    bus: Option<Arc<dyn Bus>>,
}

impl Builder {
    /// Uses this bus instead of the one in the settings.
    #[must_use]
    pub fn bus(mut self, bus: impl Bus) -> Self {
        self.bus = Some(Arc::new(bus));
        self
    }

    /// Uses this store instead of the one in the settings. Signing keys are then in the data
    /// folder.
    #[must_use]
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Opens the log and starts the server's threads. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`]; its message says what to do.
    pub fn build(self) -> Result<Tidings, StartError> {
        let Self { config, store, bus } = self;
        config.check()?;
        // Installed before the first connection, so that everything is counted. `None`: the
        // embedding app has its own recorder.
        let _figures = metrics::recorder();
        let (store, auth_settings): (Arc<dyn Store>, _) = match (store, config.postgres()) {
            (Some(store), _) => (store, config.auth(&Keys::Folder(&config.data))?),
            (None, Some(connector)) => {
                let postgres = Postgres::open(&connector)?;
                let settings = config.auth(&Keys::Shared(&postgres))?;
                (Arc::new(postgres), settings)
            }
            (None, None) => {
                let sqlite = Sqlite::open(&config.data)?;
                (Arc::new(sqlite), config.auth(&Keys::Folder(&config.data))?)
            }
        };
        let bus = match bus {
            None if !config.bus.url.0.is_empty() => {
                Some(Arc::new(Redis::new(&config.bus.url.0)?) as _)
            }
            bus => bus,
        };
        let settings = config.driver();
        let limits = Arc::clone(&settings.limits);
        let origins = Arc::new(Origins::new(&config.origins, config.dev));
        let refusals = Arc::new(Refusals::default());
        let shares = Shares::new(Arc::clone(&refusals));
        let bounds = config.read_queue();
        let readers = Readers::start(&store, config.store.readers, bounds, shares.clone())?;
        let cookie =
            Some(auth_settings.cookie.as_str()).filter(|name| !name.is_empty()).map(Arc::from);
        let clock = Clock::start();
        let steady = RetentionClock::start(&*store, clock, config.doubts())?;
        let (auth, revoked) = Auth::start(
            auth_settings,
            &*store,
            readers.clone(),
            limits,
            Arc::clone(&origins),
            Arc::clone(&refusals),
            steady.clone(),
        )?;
        let auth = Arc::new(auth);
        let checks = Arc::clone(&auth) as Arc<_>;
        let parts = node::Parts {
            store,
            readers,
            bus,
            auth: checks,
            revoked,
            clock,
            steady,
            shares,
            refusals: Arc::clone(&refusals),
        };
        let node = Node::start(settings, parts)?;
        auth.store_by(node.writer.clone());
        let seed = getrandom::u64().map_err(|error| std::io::Error::other(error.to_string()))?;
        let proxies = Arc::new(Proxies::new(config.trusted_proxies.clone()));
        let policy = RequestPolicy {
            node: Arc::clone(&node),
            origins: Arc::clone(&origins),
            hosts: Arc::new(match config.dev {
                true => Hosts::of_this_machine_and(&config.dev_hosts),
                false => Hosts::any(),
            }),
            proxies,
            cookie,
            refusals: Arc::clone(&refusals),
        };
        let chores = [
            tokio::spawn(budgets::share_usage(Arc::clone(&node), Arc::clone(&refusals))),
            tokio::spawn(trim(Arc::clone(&node), config.clone())),
            tokio::spawn(metrics::upkeep()),
            tokio::spawn(sum_up(refusals)),
        ];
        let api = Api {
            node,
            auth,
            origins,
            policy,
            in_flight: Arc::new(InFlight::default()),
            ids: Arc::new(Mutex::new(Ids::new(seed))),
            dev: config.dev,
            metrics: config.serves_metrics(),
        };
        Ok(Tidings { api, chores })
    }
}

impl Tidings {
    /// A server with these settings.
    #[must_use]
    pub const fn builder(config: Config) -> Builder {
        Builder { config, store: None, bus: None }
    }

    /// The server's routes, for `nest` into any app.
    pub fn router<S>(&self) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        self.api.clone().router().with_state(())
    }

    /// The settings for a listener in front of the server.
    #[must_use]
    pub fn gate(&self) -> listen::Gate {
        let RequestPolicy { proxies, refusals, .. } = &self.api.policy;
        let (proxies, shares) = (Arc::clone(proxies), Shares::new(Arc::clone(refusals)));
        listen::Gate { proxies, shares }
    }

    /// The handle for handlers of the embedding app.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle { api: self.api.clone() }
    }

    /// Refuses new connections, tells all clients to reconnect within half of `within`, and closes
    /// the remaining connections after it. Acknowledged messages are in the log, so none is lost.
    pub async fn drain(&self, within: Duration) {
        let registry = &self.api.node.registry;
        let end = Instant::now() + within;
        registry.drain(u64::try_from(within.as_millis() / 2).unwrap_or(u64::MAX));
        let _left = timeout_at(end, registry.emptied()).await;
        registry.stop();
        let close = self.api.node.settings.close_timeout;
        let _closed = timeout_at(Instant::now() + close, registry.emptied()).await;
        if let Some(leases) = &self.api.node.leases {
            let _late = timeout_at(Instant::now() + close, leases.end()).await;
        }
    }
}

impl Drop for Tidings {
    fn drop(&mut self) {
        for chore in &self.chores {
            chore.abort();
        }
    }
}

/// Regularly logs the refusals that had no line of their own.
async fn sum_up(refusals: Arc<Refusals>) {
    let mut turns = interval(Duration::from_secs(10));
    loop {
        turns.tick().await;
        refusals.sum_up(Clock::wall());
    }
}

/// Regularly removes data that retention no longer keeps, in small steps. This writes records
/// without a commit that announces them. So the logs must be read afterwards, whether or not all
/// steps succeeded: this node is told here, which can't be lost. Every other node reads them after
/// its own turn or at its next poll.
async fn trim(node: Arc<Node>, config: Config) {
    let mut turns = interval(config.trim_interval());
    let retention = config.retention();
    loop {
        turns.tick().await;
        prepare(&node, &retention).await;
        loop {
            let (own, retention) = (Arc::clone(&node), retention.clone());
            let step = tokio::task::spawn_blocking(move || {
                let (now, _) = own.steady.hear(&*own.store)?;
                own.store.trim(now, &retention)
            });
            match step.await {
                Ok(Ok(true)) => sleep(Duration::from_millis(10)).await,
                Ok(Ok(false)) => break,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "old records could not be removed");
                    break;
                }
                Err(error) => {
                    tracing::error!(%error, "the removal of old records broke off");
                    break;
                }
            }
        }
        node.follower.notify(Event::HintsLost);
    }
}

/// Saves the steady clock, and marks the channels that have subscribers here.
async fn prepare(node: &Arc<Node>, retention: &Retention) {
    let own = Arc::clone(node);
    let reading = tokio::task::spawn_blocking(move || own.steady.hear(&*own.store)).await;
    let (now, clock) = match reading {
        Ok(Ok(reading)) => reading,
        Ok(Err(error)) => return tracing::warn!(%error, "the steady clock could not be read"),
        // The runtime ends.
        Err(_) => return,
    };
    let listened = (&*node.shards).listened();
    for write in clock.into_iter().chain(in_use(&listened, now, retention)) {
        if let Err(error) = node.writer.commit(Principal::Server, write).await {
            return tracing::warn!(%error, "the clock of retention could not be stored");
        }
    }
}

/// A user's JWT for development servers with these settings. Makes its key if it is missing. Blocks
/// on the store.
///
/// # Errors
/// The key can't be read or made, or this is no user id.
pub fn dev_token(config: &Config, user: &str) -> Result<String, StartError> {
    let key = match config.postgres() {
        Some(connector) => Keys::Shared(&Postgres::open(&connector)?).key(DEV_KEY)?,
        None => Keys::Folder(&config.data).key(DEV_KEY)?,
    };
    let wrong = |refused: Refused| ConfigError::Value("user", refused.detail);
    Ok(auth::dev_token(&key, user).map_err(wrong)?)
}

/// The server's handle for the embedding app.
#[derive(Clone, Debug)]
pub struct Handle {
    api: Api,
}

impl Handle {
    /// Publishes a notification. Returns once it is durable, with one entry for each user.
    ///
    /// # Errors
    /// [`NotifyError`].
    pub async fn notify(&self, notification: Notification) -> Result<Vec<Stored>, NotifyError> {
        let Notification { mut body, key, data } = notification;
        body.data = data.map_err(NotifyError::Payload)?;
        let key = match key {
            None => None,
            Some(key) => {
                let text = serde_json::to_vec(&body)
                    .map_err(|error| NotifyError::Payload(error.to_string()))?;
                let fingerprint = Sha256::digest(text).into();
                Some(IdempotencyKey { credential: "embedded".into(), key, fingerprint })
            }
        };
        let write = self.api.with_ids(|ids| service::notify(&body, key, self.api.wall(), ids))?;
        let written =
            self.api.node.writer.commit(Principal::Server, write).await.map_err(Refused::from)?;
        Ok(results(&service::outcome(&written)?).results)
    }

    /// A one-time ticket for a user of the app.
    ///
    /// # Errors
    /// `bad_request` if it is no user id, `full` if too many tickets are unspent.
    pub async fn ticket(&self, user: impl Into<String>) -> Result<Ticket, Refused> {
        self.ticket_for(TicketRequest { user: Some(user.into()), ..Default::default() }).await
    }

    /// A one-time ticket with rights, public info and length of its session.
    ///
    /// # Errors
    /// As [`Handle::ticket`].
    pub async fn ticket_for(&self, request: TicketRequest) -> Result<Ticket, Refused> {
        let own = auth::random_id("s-")?;
        let (wall, limits) = (self.api.wall(), self.api.limits());
        let grant = service::grant(Caller::Backend, request, own, wall, limits)?;
        // The embedding app has the rights of a backend with a key.
        let asker = Asker {
            whose: Principal::Server,
            caller: Caller::Backend,
            credential: "key:".to_owned(),
        };
        Ok(Ticket(self.api.auth.issue_ticket(asker, grant).await?))
    }
}

/// A ticket as the answer of the app's own route: JSON that must not be cached.
#[derive(Debug)]
pub struct Ticket(pub TicketAnswer);

impl IntoResponse for Ticket {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, axum::Json(self.0)).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// The least time for requests in progress after all connections are gone.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Serves until `shutdown` is done, then drains and returns. Clients are asked to reconnect
/// elsewhere, and requests in progress are answered. New requests are answered too, each on a TCP
/// connection that ends with the answer, so that a readiness check of `/readyz` sees the shutdown.
///
/// # Errors
/// [`StartError`].
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), StartError> {
    run_and_say(config, listener, || {}, shutdown).await
}

/// As [`run`], and calls `ready` once everything is open. Before that, the start may still fail.
///
/// # Errors
/// [`StartError`].
pub async fn run_and_say(
    config: Config,
    listener: TcpListener,
    ready: impl FnOnce(),
    shutdown: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let (bounds, within) = (config.listener(), config.drain());
    let tidings = Tidings::builder(config).build()?;
    ready();
    let drained = async {
        shutdown.await;
        tracing::info!("draining");
        let end = Instant::now() + within;
        tidings.drain(within).await;
        end.max(Instant::now() + LAST_ANSWERS)
    };
    listen::serve(listener, tidings.router(), bounds, tidings.gate(), drained).await;
    Ok(())
}
