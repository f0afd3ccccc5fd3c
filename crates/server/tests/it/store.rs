//! SQLite against the suite that every backend runs, and what only a disk can show.

use std::{fs, path::Path};

use tempfile::TempDir;
use tidings_protocol::{Channel, Epoch, Json};
use tidings_server::log::{OpenError, Sqlite};
use tidings_server_core::{
    conformance,
    store::{Answer, Draft, Op, Query, Store, StoreError, Write, Written},
};

/// A store with the folder it lives in.
#[derive(Debug)]
struct Kept {
    store: Sqlite,
    _folder: TempDir,
}

impl Store for Kept {
    fn commit(
        &self,
        wall: u64,
        writes: &[Write],
    ) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
        self.store.commit(wall, writes)
    }

    fn read(&self, queries: &[Query]) -> Result<Vec<Result<Answer, StoreError>>, StoreError> {
        self.store.read(queries)
    }

    fn put_ticket(
        &self,
        wall: u64,
        hash: [u8; 32],
        ttl_ms: u64,
        grant: bytes::Bytes,
    ) -> Result<(), StoreError> {
        self.store.put_ticket(wall, hash, ttl_ms, grant)
    }

    fn take_ticket(&self, wall: u64, hash: [u8; 32]) -> Result<Option<bytes::Bytes>, StoreError> {
        self.store.take_ticket(wall, hash)
    }

    fn trim(
        &self,
        wall: u64,
        retention: &tidings_server_core::store::Retention,
    ) -> Result<bool, StoreError> {
        self.store.trim(wall, retention)
    }

    fn health(&self) -> Result<(), StoreError> {
        self.store.health()
    }
}

#[test]
fn sqlite_keeps_the_contract_of_every_store() {
    conformance::run(&|| {
        let folder = tempfile::tempdir().unwrap();
        Box::new(Kept { store: Sqlite::open(folder.path()).unwrap(), _folder: folder })
    });
}

fn room() -> Channel {
    Channel::parse("room:a").unwrap()
}

fn say(store: &Sqlite, id: &str) {
    let draft = Draft {
        channel: room(),
        id: id.to_owned(),
        kind: String::new(),
        at: 1,
        data: Json::string(id),
    };
    let write = Write { key: None, lane: None, op: Op::Message { draft, from: None } };
    assert!(matches!(store.commit(1, &[write]).unwrap()[0], Ok(Written::Records { .. })));
}

fn epoch(store: &Sqlite) -> Epoch {
    match store.read(&[Query::Heads(vec![room()])]).unwrap().remove(0) {
        Ok(Answer::Heads(heads)) => heads[0].unwrap().epoch,
        other => panic!("{other:?}"),
    }
}

fn read(store: &Sqlite) -> Result<Answer, StoreError> {
    let query = Query::Records { channel: room(), after: 0, limit: 10, bytes: u32::MAX };
    store.read(&[query]).unwrap().remove(0)
}

/// Says one message in a fresh folder and answers the channel's epoch.
fn said(folder: &Path) -> Epoch {
    let store = Sqlite::open(folder).unwrap();
    say(&store, "1");
    epoch(&store)
}

#[test]
fn a_log_is_the_same_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let before = said(folder.path());
    assert_eq!(epoch(&Sqlite::open(folder.path()).unwrap()), before);
}

#[test]
fn two_processes_cannot_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Sqlite::open(folder.path()).unwrap();
    let second = Sqlite::open(folder.path());
    assert!(matches!(&second, Err(OpenError::Locked(_))), "{second:?}");
    assert!(second.unwrap_err().to_string().contains("another server uses the data folder"));
}

#[test]
fn a_missing_proof_file_gives_new_epochs() {
    let folder = tempfile::tempdir().unwrap();
    let before = said(folder.path());
    fs::remove_file(folder.path().join("commits")).unwrap();
    assert_ne!(epoch(&Sqlite::open(folder.path()).unwrap()), before);
}

#[test]
fn a_proof_above_the_database_gives_new_epochs_once() {
    let folder = tempfile::tempdir().unwrap();
    let before = said(folder.path());
    fs::write(folder.path().join("commits"), "1000\n").unwrap();
    let after = epoch(&Sqlite::open(folder.path()).unwrap());
    assert_ne!(after, before);
    assert_eq!(epoch(&Sqlite::open(folder.path()).unwrap()), after);
}

#[test]
fn a_proof_behind_the_database_is_no_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let before = said(folder.path());
    fs::write(folder.path().join("commits"), "0\n").unwrap();
    assert_eq!(epoch(&Sqlite::open(folder.path()).unwrap()), before);
}

#[test]
fn new_epochs_can_be_asked_for_after_a_restore() {
    let folder = tempfile::tempdir().unwrap();
    let before = said(folder.path());
    assert_ne!(epoch(&Sqlite::open_with_new_epochs(folder.path()).unwrap()), before);
}

#[test]
fn a_damaged_record_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    said(folder.path());
    let db = rusqlite::Connection::open(folder.path().join("tidings.db")).unwrap();
    db.execute("UPDATE record SET frame = CAST(replace(frame, '\"1\"', '\"2\"') AS BLOB)", [])
        .unwrap();
    drop(db);
    let store = Sqlite::open(folder.path()).unwrap();
    assert_eq!(read(&store), Err(StoreError::Corrupt { channel: room(), offset: 1 }));
    say(&store, "the rest goes on");
}

#[test]
fn a_write_that_fails_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    said(folder.path());
    let db = rusqlite::Connection::open(folder.path().join("tidings.db")).unwrap();
    db.execute_batch(
        "CREATE TRIGGER broken BEFORE INSERT ON record WHEN new.id = 'bad'
         BEGIN SELECT raise(ABORT, 'refused by the test'); END",
    )
    .unwrap();
    drop(db);
    let store = Sqlite::open(folder.path()).unwrap();
    let write = |id: &str| {
        let draft = Draft {
            channel: room(),
            id: id.to_owned(),
            kind: String::new(),
            at: 1,
            data: Json::string(id),
        };
        Write { key: None, lane: None, op: Op::Message { draft, from: None } }
    };
    let answers = store.commit(1, &[write("good"), write("bad"), write("better")]).unwrap();
    assert!(matches!(&answers[1], Err(StoreError::Unavailable(_))), "{:?}", answers[1]);
    match read(&store).unwrap() {
        Answer::Records { records, .. } => {
            let ids: Vec<_> = records.iter().map(|record| (record.offset, &*record.id)).collect();
            assert_eq!(ids, [(1, "1"), (2, "good"), (3, "better")]);
        }
        other => panic!("{other:?}"),
    }
}
