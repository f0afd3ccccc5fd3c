//! Migrations: numbered SQL files. Each is applied once, and the database remembers its hash.

use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use super::open::OpenError;

/// Every migration in order. A released file is never edited: databases that already have it would
/// differ from new ones.
const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_log", include_str!("../../../migrations/sqlite/0001_log.sql")),
    ("0002_kept", include_str!("../../../migrations/sqlite/0002_kept.sql")),
    ("0003_dues", include_str!("../../../migrations/sqlite/0003_dues.sql")),
    ("0004_lanes", include_str!("../../../migrations/sqlite/0004_lanes.sql")),
];

/// Brings a database up to date, each migration in a transaction of its own.
pub(super) fn migrate(db: &mut Connection) -> Result<(), OpenError> {
    apply(db, MIGRATIONS)
}

fn apply(db: &mut Connection, migrations: &[(&str, &str)]) -> Result<(), OpenError> {
    db.execute_batch(
        "CREATE TABLE IF NOT EXISTS migration (
            number INTEGER PRIMARY KEY, name TEXT NOT NULL, hash BLOB NOT NULL
         ) STRICT",
    )?;
    for (number, (name, sql)) in (1i64..).zip(migrations) {
        let hash: [u8; 32] = Sha256::digest(sql.as_bytes()).into();
        let known: Option<Vec<u8>> = db
            .query_row("SELECT hash FROM migration WHERE number = ?1", [number], |row| row.get(0))
            .optional()?;
        match known {
            Some(known) if known == hash => {}
            Some(_) => return Err(OpenError::ForeignMigration((*name).to_owned())),
            None => {
                let transaction = db.transaction()?;
                transaction.execute_batch(sql)?;
                transaction.execute(
                    "INSERT INTO migration (number, name, hash) VALUES (?1, ?2, ?3)",
                    params![number, name, hash.as_slice()],
                )?;
                transaction.commit()?;
            }
        }
    }
    let newest: i64 =
        db.query_row("SELECT coalesce(max(number), 0) FROM migration", [], |row| row.get(0))?;
    if newest > migrations.len() as i64 {
        return Err(OpenError::NewerDatabase { newest, known: migrations.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    #[test]
    fn migrations_are_applied_once() {
        let mut db = memory();
        migrate(&mut db).unwrap();
        migrate(&mut db).unwrap();
        let count: i64 =
            db.query_row("SELECT count(*) FROM migration", [], |row| row.get(0)).unwrap();
        assert_eq!(count, MIGRATIONS.len() as i64);
    }

    #[test]
    fn lanes_of_an_older_version_stay_as_long_as_they_did() {
        let mut db = memory();
        apply(&mut db, &MIGRATIONS[..3]).unwrap();
        db.execute("INSERT INTO lane (user, client_id, last, at) VALUES ('u', 'c', 1, 1)", [])
            .unwrap();
        migrate(&mut db).unwrap();
        let has_record: bool =
            db.query_row("SELECT has_record FROM lane", [], |row| row.get(0)).unwrap();
        assert!(has_record, "as a lane with a record");
    }

    #[test]
    fn an_edited_migration_is_refused() {
        let mut db = memory();
        apply(&mut db, &[("0001_a", "CREATE TABLE a (x INTEGER) STRICT")]).unwrap();
        let edited = apply(&mut db, &[("0001_a", "CREATE TABLE a (y INTEGER) STRICT")]);
        assert!(matches!(edited, Err(OpenError::ForeignMigration(name)) if name == "0001_a"));
    }

    #[test]
    fn a_database_of_a_newer_version_is_refused() {
        let mut db = memory();
        let both = [("0001_a", "CREATE TABLE a (x INTEGER) STRICT"), ("0002_b", "SELECT 1")];
        apply(&mut db, &both).unwrap();
        let older = apply(&mut db, &both[..1]);
        assert!(matches!(older, Err(OpenError::NewerDatabase { newest: 2, known: 1 })));
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing() {
        let mut db = memory();
        let broken = apply(&mut db, &[("0001_a", "CREATE TABLE a (x INTEGER) STRICT; nonsense")]);
        assert!(broken.is_err());
        apply(&mut db, &[("0001_a", "CREATE TABLE a (x INTEGER) STRICT")]).unwrap();
    }
}
