//! Whether the database is there: asked each second, and told at once when a call failed.

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

/// How often it is asked.
const EVERY: Duration = Duration::from_secs(1);
/// How often while it is away: what waits for it should wait no longer than it must.
const AWAY: Duration = Duration::from_millis(250);

/// Knows whether the database answers.
pub(super) struct HealthWatch {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Why not, if it does not.
    trouble: RwLock<Option<StoreError>>,
    /// A write found no room: to answer questions is not enough then.
    full: AtomicBool,
    ask: Notify,
}

impl HealthWatch {
    /// Starts asking, on the runtime of the caller.
    pub(super) fn start(pool: Pool, patience: Duration) -> Self {
        let shared = Arc::new(Shared::default());
        drop(tokio::spawn(run(pool, patience, Arc::clone(&shared))));
        Self { shared }
    }

    /// What the last word was.
    pub(super) fn health(&self) -> Result<(), StoreError> {
        match &*self.shared.trouble.read().unwrap_or_else(PoisonError::into_inner) {
            Some(why) => Err(why.clone()),
            None => Ok(()),
        }
    }

    /// The database has no room for what is written.
    pub(super) fn found_full(&self) {
        self.shared.full.store(true, Ordering::Relaxed);
        self.shared.ask.notify_one();
    }

    /// A call ended like this: one that failed is looked into at once.
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
        // Asked early or in time, the answer is the same question.
        let _ = timeout(wait, shared.ask.notified()).await;
    }
}

async fn ask(pool: &Pool, full: &AtomicBool) -> Result<(), String> {
    let client = pool.get().await.map_err(|error| pool_words(&error))?;
    let failed = |error: tokio_postgres::Error| super::row::words(&error);
    // A standby that was a primary a moment ago answers too, and can't be written.
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

/// Writes more than a row and takes it back.
async fn try_room(client: &ClientWrapper) -> Result<(), tokio_postgres::Error> {
    // Random, so that it is stored as long as it is.
    let text = "SELECT string_agg(sha256(random()::text::bytea), '') FROM generate_series(1, 2000)";
    let insert = format!("INSERT INTO kept (hash, text, until) SELECT '\\x00'::bytea, ({text}), 0");
    let tried = client.batch_execute(&format!("BEGIN; {insert}; ROLLBACK")).await;
    if tried.is_err() {
        client.batch_execute("ROLLBACK").await?;
    }
    tried
}
