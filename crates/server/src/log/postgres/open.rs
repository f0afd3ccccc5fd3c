//! Opens a database: the URL, the pool, the schema, and the session settings of each connection.

use std::{
    fmt::{self, Debug, Formatter},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime,
};
use tidings_server_core::Ids;
use tokio_postgres::{Client, Config, NoTls, config::Host, config::SslMode};

use super::{
    Inner, Postgres,
    commit::Known,
    health::HealthWatch,
    row::words,
    schema, timeline,
    tls::Tls,
    url::{self, Location},
};
use crate::log::touched::Touched;

/// How to reach a database.
#[derive(Clone)]
pub struct Connector {
    /// `postgres://user:password@host/database?sslmode=require`. A secret.
    pub url: String,
    /// PEM file of the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Most connections.
    pub connections: usize,
    /// How long a call may take.
    pub patience: Duration,
}

impl Debug for Connector {
    /// The URL holds a password, so it stays out of logs.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("connections", &self.connections).finish_non_exhaustive()
    }
}

/// A database can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is not valid.
    #[error("`store.url` is no PostgreSQL URL such as postgres://user@host/database: {0}")]
    Url(String),
    /// The URL asks for something that this client does not support.
    #[error("`store.url` can't be used: {0}")]
    Parameter(String),
    /// TLS can't be set up.
    #[error("no TLS to PostgreSQL: {0}")]
    Tls(String),
    /// The database can't be reached, or refuses.
    #[error("PostgreSQL can't be used: {0}")]
    Postgres(String),
    /// The database can't store every text.
    #[error("the database keeps texts as {0}: make one with ENCODING 'UTF8'")]
    Encoding(String),
    /// The schema was made by an edited or foreign build.
    #[error(
        "the database's migration {0} is not the one this build has: use the build that made it"
    )]
    ForeignMigration(String),
    /// The schema is of a later version.
    #[error("the database has {newest} migrations, this build knows {known}: use a newer build")]
    NewerDatabase {
        /// Migrations the database has.
        newest: i64,
        /// Migrations this build knows.
        known: usize,
    },
    /// The operating system gives no random bytes, or no threads.
    #[error("the system lacks something: {0}")]
    System(String),
}

impl From<tokio_postgres::Error> for ConnectError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(words(&error))
    }
}

impl From<getrandom::Error> for ConnectError {
    fn from(error: getrandom::Error) -> Self {
        Self::System(error.to_string())
    }
}

/// Session settings, applied before a connection is used. A commit is answered only when it is
/// durable, even if the database's default is weaker. A node that lost its network must not hold
/// locks until the kernel notices.
const SESSION: &str = "
    SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') <> 'remote_apply';
    SET default_transaction_isolation = 'read committed';
    SET idle_in_transaction_session_timeout = '15s';
    SET tcp_user_timeout = '15s';
    SET tcp_keepalives_idle = 5;
    SET tcp_keepalives_interval = 3;
    SET tcp_keepalives_count = 3;";

impl Postgres {
    /// Opens the log in a database, and makes missing tables. Blocks the thread, so async code must
    /// not call it.
    ///
    /// Channels get new epochs when the database shows that acknowledged records may be gone.
    ///
    /// # Errors
    /// [`ConnectError`], whose text names the remedy.
    pub fn open(connector: &Connector) -> Result<Self, ConnectError> {
        Self::open_as(connector, false)
    }

    /// Opens the log and gives every channel a new epoch: for a database that was restored from a
    /// copy.
    ///
    /// # Errors
    /// As [`Postgres::open`].
    pub fn open_with_new_epochs(connector: &Connector) -> Result<Self, ConnectError> {
        Self::open_as(connector, true)
    }

    fn open_as(connector: &Connector, new_epochs: bool) -> Result<Self, ConnectError> {
        let lacks = |error: std::io::Error| ConnectError::System(error.to_string());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("tidings-postgres")
            .enable_all()
            .build()
            .map_err(lacks)?;
        let (sender, opened) = std::sync::mpsc::sync_channel(1);
        let connector = connector.clone();
        runtime.spawn(async move {
            // The send fails if the caller no longer waits: the process ends.
            let _ = sender.send(open(connector, new_epochs).await);
        });
        let gone = |_| ConnectError::System("the store's runtime ended".to_owned());
        match opened.recv().map_err(gone).and_then(|opened| opened) {
            Ok(inner) => Ok(Self { inner, runtime: Some(runtime) }),
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }
}

async fn open(connector: Connector, new_epochs: bool) -> Result<Arc<Inner>, ConnectError> {
    let (config, tls) = settings(&connector)?;
    let mut client = connect(&config, tls.clone()).await?;
    session(&client, connector.patience).await?;
    check_encoding(&client).await?;
    schema::migrate(&mut client).await?;
    if new_epochs {
        timeline::rename_all(&mut client).await?;
    }
    warn_of_risks(&client).await?;
    let pool = pool(config, tls, &connector)?;
    // The pool checks the timeline on each new connection. This one is made now, so that the epochs
    // are right before the first call.
    let _first = pool.get().await.map_err(|error| ConnectError::Postgres(pool_words(&error)))?;
    let health_watch = HealthWatch::start(pool.clone(), connector.patience);
    Ok(Arc::new(Inner {
        pool,
        health_watch,
        known: Known::default(),
        ids: Mutex::new(Ids::new(getrandom::u64()?)),
        touched: Touched::default(),
        round: Mutex::default(),
        patience: connector.patience,
    }))
}

fn settings(connector: &Connector) -> Result<(Config, Option<Tls>), ConnectError> {
    let Location { mut config, ca_file } = url::read(&connector.url)?;
    let ca_file = connector.ca_file.as_deref().or(ca_file.as_deref());
    if config.get_application_name().is_none() {
        config.application_name("tidings");
    }
    config.connect_timeout(connector.patience);
    config.tcp_user_timeout(Duration::from_secs(15));
    config.keepalives_idle(Duration::from_secs(5));
    if config.get_ssl_mode() == SslMode::Require {
        let tls = Tls::new(ca_file).map_err(ConnectError::Tls)?;
        return Ok((config, Some(tls)));
    }
    let is_near = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        }
    };
    if !config.get_hosts().iter().all(is_near) {
        tracing::warn!(
            "`store.url` does not ask for TLS (sslmode=require): passwords and messages go over the network as they are"
        );
    }
    Ok((config, None))
}

async fn connect(config: &Config, tls: Option<Tls>) -> Result<Client, ConnectError> {
    // The errors of the connection reach the client's calls.
    Ok(match tls {
        Some(tls) => {
            let (client, connection) = config.connect(tls).await?;
            drop(tokio::spawn(connection));
            client
        }
        None => {
            let (client, connection) = config.connect(NoTls).await?;
            drop(tokio::spawn(connection));
            client
        }
    })
}

fn pool(config: Config, tls: Option<Tls>, connector: &Connector) -> Result<Pool, ConnectError> {
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = match tls {
        Some(tls) => Manager::from_config(config, tls, recycling),
        None => Manager::from_config(config, NoTls, recycling),
    };
    let patience = connector.patience;
    let prepared = Hook::async_fn(move |client: &mut deadpool_postgres::ClientWrapper, _| {
        Box::pin(async move {
            let failed = |error: ConnectError| HookError::message(error.to_string());
            session(client, patience).await.map_err(failed)?;
            timeline::check(client).await.map_err(failed)
        })
    });
    Pool::builder(manager)
        .max_size(connector.connections)
        .wait_timeout(Some(patience))
        .create_timeout(Some(patience))
        .post_create(prepared)
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| ConnectError::System(error.to_string()))
}

async fn session(client: &Client, patience: Duration) -> Result<(), ConnectError> {
    client.batch_execute(SESSION).await?;
    let timeout = format!("SET statement_timeout = {}", patience.as_millis());
    Ok(client.batch_execute(&timeout).await?)
}

/// Other encodings lack characters. Names and messages with such a character would always be
/// refused.
async fn check_encoding(client: &Client) -> Result<(), ConnectError> {
    let row = client.query_one("SELECT current_setting('server_encoding')", &[]).await?;
    match row.get(0) {
        "UTF8" => Ok(()),
        other => Err(ConnectError::Encoding(other.to_owned())),
    }
}

/// Warns of settings of the database that break the promise of `stored`.
async fn warn_of_risks(client: &Client) -> Result<(), ConnectError> {
    let row = client
        .query_one("SELECT current_setting('fsync'), current_setting('full_page_writes')", &[])
        .await?;
    if [row.get::<_, &str>(0), row.get(1)].contains(&"off") {
        tracing::warn!(
            "PostgreSQL runs with fsync or full_page_writes off: a crash of its machine loses acknowledged records"
        );
    }
    Ok(())
}

pub(super) fn pool_words(error: &PoolError) -> String {
    match error {
        PoolError::Backend(error) => words(error),
        PoolError::PostCreateHook(HookError::Message(words)) => words.to_string(),
        other => other.to_string(),
    }
}
