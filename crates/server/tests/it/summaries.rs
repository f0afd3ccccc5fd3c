//! Records that are in the log although their commit seemed to fail: subscribers get them, without
//! another write.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::json;
use tempfile::TempDir;
use tidings_server::log::Sqlite;
use tidings_server_core::{
    retention_clock::Moment,
    store::{Answer, Query, Retention, Store, StoreError, Ticket, Write, Written},
};

use super::harness::{Server, refused, within};

/// SQLite that loses the answer to the next commit on demand.
#[derive(Debug)]
struct Forgetful {
    sqlite: Sqlite,
    loses: Arc<AtomicBool>,
    _folder: TempDir,
}

impl Store for Forgetful {
    fn commit(
        &self,
        wall: u64,
        writes: &[Write],
    ) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
        let answer = self.sqlite.commit(wall, writes);
        match self.loses.swap(false, Ordering::SeqCst) {
            true => Err(StoreError::Unknown("the answer was lost".into())),
            false => answer,
        }
    }

    fn read(&self, queries: &[Query]) -> Result<Vec<Result<Answer, StoreError>>, StoreError> {
        self.sqlite.read(queries)
    }

    fn put_ticket(&self, wall: u64, ticket: &Ticket) -> Result<(), StoreError> {
        self.sqlite.put_ticket(wall, ticket)
    }

    fn take_ticket(&self, wall: u64, hash: [u8; 32]) -> Result<Option<bytes::Bytes>, StoreError> {
        self.sqlite.take_ticket(wall, hash)
    }

    fn trim(&self, now: Moment, retention: &Retention) -> Result<bool, StoreError> {
        self.sqlite.trim(now, retention)
    }

    fn health(&self) -> Result<(), StoreError> {
        self.sqlite.health()
    }
}

#[tokio::test]
async fn what_was_stored_though_its_commit_had_no_answer_is_heard() {
    let folder = TempDir::new().unwrap();
    let loses = Arc::new(AtomicBool::new(false));
    let sqlite = Sqlite::open(folder.path()).unwrap();
    let store = Forgetful { sqlite, loses: Arc::clone(&loses), _folder: folder };
    let server = Server::on(store).await;
    let mut socket = server.connect("mina").await;
    server.notify("mina", "answered").await;
    assert_eq!(socket.titles(1).await, ["answered"]);
    loses.store(true, Ordering::SeqCst);
    let body = json!({ "to": { "user": "mina" }, "type": "note", "title": "stored after all" });
    let (status, code) = refused(server.backend("/v1/notifications").json(&body)).await;
    assert_eq!((status, &*code), (503, "storage_unavailable"));
    assert_eq!(socket.titles(1).await, ["stored after all"]);
}

#[tokio::test]
async fn an_idle_client_hears_that_its_list_was_trimmed() {
    let server = Server::with(|config| {
        config.retention.items = 1;
        config.store.trim_interval_ms = 20;
    })
    .await;
    let mut socket = server.connect("mina").await;
    server.notify("mina", "one").await;
    server.notify("mina", "two").await;
    assert_eq!(socket.titles(2).await, ["one", "two"]);
    let trimmed = socket.hear("trimmed").await;
    assert_eq!((&trimmed["offset"], &trimmed["up_to"]), (&json!(3), &json!(1)));
}

#[tokio::test]
async fn a_server_that_went_lets_its_store_go() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_owned();
    let sqlite = Sqlite::open(&path).unwrap();
    let loses = Arc::new(AtomicBool::new(false));
    let mut server = Server::on(Forgetful { sqlite, loses, _folder: folder }).await;
    let socket = server.connect("mina").await;
    server.notify("mina", "the last").await;
    drop(socket);
    server.drain();
    server.gone().await;
    // The server's threads hold the store, and the store holds its folder.
    within("the end of its threads", async {
        while path.exists() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
