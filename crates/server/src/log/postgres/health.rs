//! Whether the database is available. It is checked each second, and at once after a call failed.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::{ClientWrapper, Pool};
use tidings_server_core::store::StoreError;
use tokio::{sync::Notify, time::timeout};

use super::open::pool_words;

/// Time between two checks.
const EVERY: Duration = Duration::from_secs(1);
/// Time between two checks while the database is away, so that waiting calls go on soon.
const AWAY: Duration = Duration::from_millis(250);

/// Knows whether the database answers.
pub(super) struct HealthWatch {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The error of the last check, if it failed.
    trouble: RwLock<Option<StoreError>>,
    /// A write found no room. The next checks write, because a query alone succeeds on a full disk.
    full: AtomicBool,
    ask: Notify,
}

impl HealthWatch {
    /// Starts the checks, on the runtime of the caller.
    pub(super) fn start(pool: Pool, patience: Duration) -> Self {
        let shared = Arc::new(Shared::default());
        drop(tokio::spawn(run(pool, patience, Arc::clone(&shared))));
        Self { shared }
    }

    /// The result of the last check.
    pub(super) fn health(&self) -> Result<(), StoreError> {
        match &*self.shared.trouble.read().unwrap_or_else(PoisonError::into_inner) {
            Some(why) => Err(why.clone()),
            None => Ok(()),
        }
    }

    /// The database had no room for a write.
    pub(super) fn found_full(&self) {
        self.shared.full.store(true, Ordering::Relaxed);
        self.shared.ask.notify_one();
    }

    /// Notes the result of a call. A failure leads to a check at once.
    pub(super) fn note(&self, failed: Option<&StoreError>) {
        if let Some(StoreError::Unavailable(_) | StoreError::Unknown(_)) = failed {
            self.shared.ask.notify_one();
        }
    }
}

async fn run(pool: Pool, patience: Duration, shared: Arc<Shared>) {
    let mut is_there = true;
    loop {
        let asked = timeout(patience, ask(&pool, &shared.full)).await;
        let asked = asked.unwrap_or_else(|_| Err("PostgreSQL does not answer".to_owned()));
        let trouble = asked.err().map(StoreError::Unavailable);
        match (&trouble, is_there) {
            (Some(why), true) => tracing::error!(error = %why, "PostgreSQL is away"),
            (None, false) => {
                metrics::counter!("tidings_store_reconnects_total").increment(1);
                tracing::info!("PostgreSQL is back");
            }
            _ => {}
        }
        is_there = trouble.is_none();
        metrics::gauge!("tidings_store_up").set(f64::from(u8::from(is_there)));
        *shared.trouble.write().unwrap_or_else(PoisonError::into_inner) = trouble;
        let wait = if is_there { EVERY } else { AWAY };
        // The timeout and the wakeup both lead to the next check.
        let _ = timeout(wait, shared.ask.notified()).await;
    }
}

async fn ask(pool: &Pool, full: &AtomicBool) -> Result<(), String> {
    let client = pool.get().await.map_err(|error| pool_words(&error))?;
    let failed = |error: tokio_postgres::Error| super::row::words(&error);
    // A former primary that is a standby now answers too, and can't be written to.
    let sql = "SELECT pg_is_in_recovery()";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let row = client.query_one(&statement, &[]).await.map_err(failed)?;
    if row.get(0) {
        drop(deadpool_postgres::Object::take(client));
        return Err("this PostgreSQL is a standby and can't be written".to_owned());
    }
    if full.load(Ordering::Relaxed) {
        try_room(&client)
            .await
            .map_err(|error| format!("no room: {}", super::row::words(&error)))?;
        full.store(false, Ordering::Relaxed);
    }
    Ok(())
}

/// Writes more than a row, and rolls it back.
async fn try_room(client: &ClientWrapper) -> Result<(), tokio_postgres::Error> {
    // Random bytes can't be compressed, so they take their full size.
    let text = "SELECT string_agg(sha256(random()::text::bytea), '') FROM generate_series(1, 2000)";
    let insert = format!("INSERT INTO kept (hash, text, until) SELECT '\\x00'::bytea, ({text}), 0");
    let tried = client.batch_execute(&format!("BEGIN; {insert}; ROLLBACK")).await;
    if tried.is_err() {
        client.batch_execute("ROLLBACK").await?;
    }
    tried
}
