//! Redis Pub/Sub: one connection (RESP3) that both publishes and listens.
//!
//! The client library could reconnect and subscribe again by itself, but the node would not learn
//! of it. Messages are lost meanwhile, so the node must then read the log. So each connection is
//! used until it fails, and a new one begins with [`BusEvent::Missed`].

use std::{
    fmt::{self, Debug, Formatter},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo as _, ProtocolVersion, PushInfo, PushKind,
    Value, aio::MultiplexedConnection,
};
use tokio::{
    runtime::Runtime,
    sync::mpsc,
    time::{Instant, interval_at, sleep},
};

use super::{Bus, BusEvent, BusMessage, message};

/// The Pub/Sub channel of all nodes.
const CHANNEL: &str = "tidings:signals";
/// Messages that may wait to be sent. More are lost, as all are while Redis is away.
const WAITING: usize = 4_096;
/// Signals in one message.
const TOGETHER: usize = 500;
/// Received messages that may wait for the node. If there are more, the poll finds their content.
const UNREAD: usize = 4_096;
/// How long Redis may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Interval of the pings that check the connection.
const PING: Duration = Duration::from_secs(2);
/// Pauses between attempts to connect.
const PAUSES: [u64; 5] = [50, 100, 250, 500, 1_000];

/// Redis can't be used at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// The URL is invalid.
    #[error("`bus.url` is no Redis URL such as redis://host:6379/ or rediss://host:6379/: {0}")]
    Url(String),
    /// The operating system gives no threads or no randomness.
    #[error("the system lacks something: {0}")]
    System(String),
}

/// A bus over a Redis server. An unreachable server is no error: messages are then lost, and polls
/// find their content.
pub struct Redis {
    outbox: mpsc::Sender<Vec<BusMessage>>,
    shared: Arc<Shared>,
    /// Taken by `listen`.
    waiting: std::sync::Mutex<Option<mpsc::Receiver<Vec<BusMessage>>>>,
    /// Taken on drop: a bus may be dropped where waiting for a runtime is not allowed.
    runtime: Option<Runtime>,
}

struct Shared {
    client: Client,
    node: u64,
    up: AtomicBool,
}

impl Debug for Redis {
    /// Leaves out the URL, which may hold a password.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("is_up", &self.is_up()).finish_non_exhaustive()
    }
}

impl Redis {
    /// A bus over this server. It connects once `listen` is called.
    ///
    /// # Errors
    /// [`BusError`].
    pub fn new(url: &str) -> Result<Self, BusError> {
        let wrong = |error: redis::RedisError| BusError::Url(error.to_string());
        let system = |error: String| BusError::System(error);
        let info = url.into_connection_info().map_err(wrong)?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.set_redis_settings(settings)).map_err(wrong)?;
        let node = getrandom::u64().map_err(|error| system(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("tidings-redis")
            .enable_all()
            .build()
            .map_err(|error| system(error.to_string()))?;
        let (outbox, waiting) = mpsc::channel(WAITING);
        let shared = Arc::new(Shared { client, node, up: AtomicBool::new(false) });
        let waiting = std::sync::Mutex::new(Some(waiting));
        Ok(Self { outbox, shared, waiting, runtime: Some(runtime) })
    }
}

impl Bus for Redis {
    fn publish(&self, messages: &[BusMessage]) {
        if messages.is_empty() || !self.is_up() {
            return;
        }
        if self.outbox.try_send(messages.to_vec()).is_err() {
            metrics::counter!("tidings_bus_lost_total").increment(messages.len() as u64);
        }
    }

    fn listen(&self, on_event: Box<dyn Fn(BusEvent) + Send + Sync>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let (Some(waiting), Some(runtime)) = (waiting.take(), &self.runtime) {
            let shared = Arc::clone(&self.shared);
            drop(runtime.spawn(async move { run(&shared, waiting, &*on_event).await }));
        }
    }

    fn is_up(&self) -> bool {
        self.shared.up.load(Ordering::Relaxed)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

type Listener = dyn Fn(BusEvent) + Send + Sync;

async fn run(shared: &Shared, mut outbox: mpsc::Receiver<Vec<BusMessage>>, on_event: &Listener) {
    let mut failures = 0;
    loop {
        match connect(shared).await {
            Ok((connection, pushed)) => {
                if failures > 0 {
                    tracing::info!("Redis is back");
                }
                failures = 0;
                // These messages were queued while Redis was away: the other nodes' polls find
                // their content.
                while outbox.try_recv().is_ok() {}
                shared.set_up(true);
                on_event(BusEvent::Missed);
                let why = serve(shared, connection, pushed, &mut outbox, on_event).await;
                shared.set_up(false);
                let Some(why) = why else { return };
                metrics::counter!("tidings_bus_reconnects_total").increment(1);
                tracing::warn!(error = %why, "Redis is away: nodes find each other's records by polling");
            }
            Err(error) if failures == 0 => {
                tracing::warn!(%error, "Redis is away: nodes find each other's records by polling");
                failures = 1;
            }
            Err(_) => failures += 1,
        }
        let pause = PAUSES.get(failures).or(PAUSES.last()).copied().unwrap_or_default();
        sleep(Duration::from_millis(pause)).await;
    }
}

async fn connect(
    shared: &Shared,
) -> redis::RedisResult<(MultiplexedConnection, mpsc::Receiver<PushInfo>)> {
    let (sender, pushed) = mpsc::channel(UNREAD);
    let overflow = sender.clone();
    let push = move |info: PushInfo| match overflow.try_send(info) {
        // The poll finds the content of a lost message. Only a closed queue ends this connection.
        Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => Ok(()),
        Err(mpsc::error::TrySendError::Closed(_)) => Err(redis::aio::SendError),
    };
    drop(sender);
    let config = AsyncConnectionConfig::new()
        .set_push_sender(push)
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let mut connection =
        shared.client.get_multiplexed_async_connection_with_config(&config).await?;
    connection.subscribe(CHANNEL).await?;
    Ok((connection, pushed))
}

/// Serves the connection until it breaks, and returns the reason. `None`: the node ends.
async fn serve(
    shared: &Shared,
    mut connection: MultiplexedConnection,
    mut pushed: mpsc::Receiver<PushInfo>,
    outbox: &mut mpsc::Receiver<Vec<BusMessage>>,
    on_event: &Listener,
) -> Option<String> {
    let mut pings = interval_at(Instant::now() + PING, PING);
    loop {
        tokio::select! {
            told = outbox.recv() => {
                let mut messages = told?;
                while messages.len() < TOGETHER && let Ok(more) = outbox.try_recv() {
                    messages.extend(more);
                }
                let published: redis::RedisResult<()> = redis::cmd("PUBLISH")
                    .arg(CHANNEL)
                    .arg(message::encode(shared.node, &messages))
                    .query_async(&mut connection)
                    .await;
                if let Err(error) = published {
                    return Some(error.to_string());
                }
                metrics::counter!("tidings_bus_signals_total", "way" => "out")
                    .increment(messages.len() as u64);
            }
            info = pushed.recv() => match info {
                None => return Some("the connection ended".to_owned()),
                Some(PushInfo { kind: PushKind::Disconnection, .. }) => {
                    return Some("the connection broke".to_owned());
                }
                Some(info) => receive(shared, &info, on_event),
            },
            _ = pings.tick() => {
                let asked: redis::RedisResult<()> =
                    redis::cmd("PING").query_async(&mut connection).await;
                if let Err(error) = asked {
                    return Some(error.to_string());
                }
            }
        }
    }
}

/// A message has the form `[channel, text]`.
fn receive(shared: &Shared, info: &PushInfo, on_event: &Listener) {
    let (PushKind::Message, Some(Value::BulkString(text))) = (&info.kind, info.data.get(1)) else {
        return;
    };
    let Some((from, messages)) = str::from_utf8(text).ok().and_then(message::decode) else {
        return;
    };
    if from != shared.node {
        metrics::counter!("tidings_bus_signals_total", "way" => "in")
            .increment(messages.len() as u64);
        messages.into_iter().for_each(|message| on_event(BusEvent::Message(message)));
    }
}

impl Shared {
    fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::Relaxed);
        metrics::gauge!("tidings_bus_up").set(f64::from(u8::from(up)));
    }
}
