//! SQLite against the suite that every backend passes, and tests that need a disk.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tidings_protocol::{Channel, Epoch, Json};
use tidings_server::log::{OpenError, Sqlite};
use tidings_server_core::{
    conformance,
    retention_clock::Moment,
    store::{Answer, Draft, Op, Query, Retention, Store, StoreError, Ticket, Write, Written},
};

/// A store with its folder.
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

    fn put_ticket(&self, wall: u64, ticket: &Ticket) -> Result<(), StoreError> {
        self.store.put_ticket(wall, ticket)
    }

    fn take_ticket(&self, wall: u64, hash: [u8; 32]) -> Result<Option<bytes::Bytes>, StoreError> {
        self.store.take_ticket(wall, hash)
    }

    fn trim(&self, now: Moment, retention: &Retention) -> Result<bool, StoreError> {
        self.store.trim(now, retention)
    }

    fn health(&self) -> Result<(), StoreError> {
        self.store.health()
    }
}

#[test]
fn sqlite_keeps_the_contract_of_every_store() {
    conformance::run(&|| {
        let folder = tempfile::tempdir().unwrap();
        Box::new(Kept { store: open(folder.path()), _folder: folder })
    });
}

const RETENTION: Retention = Retention {
    records: 9,
    age_ms: 1 << 40,
    items: 9,
    keys_ms: 1 << 40,
    lanes_ms: 1 << 40,
    empty_lanes_ms: 1 << 40,
    channels_ms: 1 << 40,
};

fn room() -> Channel {
    Channel::parse("room:a").unwrap()
}

fn say(store: &Sqlite, id: &str) {
    assert!(matches!(try_to_say(store, id), Ok(Written::Records { .. })));
}

fn try_to_say(store: &Sqlite, id: &str) -> Result<Written, StoreError> {
    let draft = Draft {
        channel: room(),
        id: id.to_owned(),
        kind: String::new(),
        at: 1,
        data: Json::string(id),
    };
    let write = Write { key: None, lane: None, op: Op::Message { draft, from: None } };
    store.commit(1, &[write])?.remove(0)
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

/// Opens a folder once its lock is free. A process that another test starts has this process' open
/// files until it runs its own program.
fn unlocked(open: impl Fn() -> Result<Sqlite, OpenError>) -> Result<Sqlite, OpenError> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match open() {
            Err(OpenError::Locked(_)) if Instant::now() < deadline => thread::yield_now(),
            opened => return opened,
        }
    }
}

fn open(folder: &Path) -> Sqlite {
    unlocked(|| Sqlite::open(folder)).unwrap()
}

fn said(folder: &Path) -> Epoch {
    let store = open(folder);
    say(&store, "1");
    epoch(&store)
}

#[test]
fn a_log_is_the_same_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let before = said(folder.path());
    assert_eq!(epoch(&open(folder.path())), before);
}

#[test]
fn two_processes_cannot_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path());
    let second = Sqlite::open(folder.path());
    assert!(matches!(&second, Err(OpenError::Locked(_))), "{second:?}");
    assert!(second.unwrap_err().to_string().contains("another server uses the data folder"));
}

#[test]
fn a_missing_proof_file_gives_new_epochs() {
    let folder = tempfile::tempdir().unwrap();
    let before = said(folder.path());
    fs::remove_file(folder.path().join("commits")).unwrap();
    assert_ne!(epoch(&open(folder.path())), before);
}

#[test]
fn a_proof_above_the_database_gives_new_epochs_once() {
    let folder = tempfile::tempdir().unwrap();
    let before = said(folder.path());
    fs::write(folder.path().join("commits"), "1000\n").unwrap();
    let after = epoch(&open(folder.path()));
    assert_ne!(after, before);
    assert_eq!(epoch(&open(folder.path())), after);
}

#[test]
fn a_proof_behind_the_database_is_no_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let before = said(folder.path());
    fs::write(folder.path().join("commits"), "0\n").unwrap();
    assert_eq!(epoch(&open(folder.path())), before);
}

#[test]
fn new_epochs_can_be_asked_for_after_a_restore() {
    let folder = tempfile::tempdir().unwrap();
    let before = said(folder.path());
    assert_ne!(epoch(&unlocked(|| Sqlite::open_with_new_epochs(folder.path())).unwrap()), before);
}

#[test]
fn a_damaged_record_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    said(folder.path());
    let db = rusqlite::Connection::open(folder.path().join("tidings.db")).unwrap();
    db.execute("UPDATE record SET frame = CAST(replace(frame, '\"1\"', '\"2\"') AS BLOB)", [])
        .unwrap();
    drop(db);
    let store = open(folder.path());
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
    let store = open(folder.path());
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

/// Modes of a folder and of the files in it.
fn modes(folder: &Path) -> Vec<(PathBuf, u32)> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let all = std::iter::once(folder.to_owned()).chain(files);
    all.map(|path| (path.clone(), fs::metadata(&path).unwrap().permissions().mode() & 0o777))
        .collect()
}

fn loosen(folder: &Path) {
    for (path, _) in modes(folder) {
        let mode = if path == *folder { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

fn are_private(folder: &Path) {
    let modes = modes(folder);
    assert!(modes.len() > 4, "{modes:?}");
    for (path, mode) in modes {
        assert_eq!(mode, if path == *folder { 0o700 } else { 0o600 }, "{}", path.display());
    }
}

#[test]
fn what_a_server_makes_is_its_own_and_what_was_open_is_closed() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("data");
    let store = open(&folder);
    say(&store, "1");
    are_private(&folder);
    drop(store);
    // The modes that earlier versions set.
    loosen(&folder);
    let store = open(&folder);
    say(&store, "2");
    are_private(&folder);
}

#[test]
fn a_folder_that_holds_other_things_stays_as_open_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("shared.txt"), "for all").unwrap();
    loosen(folder.path());
    let store = open(folder.path());
    say(&store, "1");
    for (path, mode) in modes(folder.path()) {
        let is_ours = path != folder.path() && !path.ends_with("shared.txt");
        assert_eq!(mode & 0o077 == 0, is_ours, "{} {mode:o}", path.display());
    }
}

#[test]
fn a_proof_that_can_not_be_read_is_no_evidence_of_a_loss() {
    let folder = tempfile::tempdir().unwrap();
    said(folder.path());
    let proof = folder.path().join("commits");
    fs::remove_file(&proof).unwrap();
    fs::create_dir(&proof).unwrap();
    let opened = unlocked(|| Sqlite::open(folder.path()));
    assert!(matches!(opened, Err(OpenError::Io(_))), "{opened:?}");
}

/// A loss: its name and its cause.
type Loss = (&'static str, fn(&Path));

/// Losses that a folder may suffer under a running server.
const LOSSES: [Loss; 7] = [
    ("the folder is removed", |folder| fs::remove_dir_all(folder).unwrap()),
    ("the folder is renamed", |folder| fs::rename(folder, folder.with_extension("old")).unwrap()),
    ("the folder is replaced", |folder| {
        fs::rename(folder, folder.with_extension("old")).unwrap();
        drop(open(folder));
    }),
    ("the database is replaced", |folder| {
        let database = folder.join("tidings.db");
        fs::copy(&database, folder.join("copy")).unwrap();
        fs::rename(folder.join("copy"), database).unwrap();
    }),
    ("the write-ahead log is removed", |folder| {
        fs::remove_file(folder.join("tidings.db-wal")).unwrap();
    }),
    ("the shared memory is removed", |folder| {
        fs::remove_file(folder.join("tidings.db-shm")).unwrap();
    }),
    ("the lock is removed", |folder| fs::remove_file(folder.join("lock")).unwrap()),
];

#[test]
fn nothing_is_acknowledged_into_files_that_are_gone() {
    for (what, lose) in LOSSES {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("data");
        let store = open(&folder);
        say(&store, "1");
        lose(&folder);
        let said = try_to_say(&store, "2");
        assert!(matches!(said, Err(StoreError::Unavailable(_))), "{what}: {said:?}");
        assert!(store.health().is_err(), "{what}");
        let trimmed = store.trim(1.into(), &RETENTION);
        assert!(trimmed.is_err(), "{what}: {trimmed:?}");
        // The proof thread must not write into another owner's file.
        let proof = fs::read_to_string(folder.join("commits"));
        drop(store);
        assert_eq!(fs::read_to_string(folder.join("commits")).ok(), proof.ok(), "{what}");
    }
}

#[test]
fn files_that_are_gone_are_found_out_though_nobody_writes() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("data");
    let store = open(&folder);
    fs::remove_dir_all(&folder).unwrap();
    let began = Instant::now();
    while store.health().is_ok() {
        assert!(began.elapsed() < Duration::from_secs(60), "health does not notice");
        thread::yield_now();
    }
}
