//! Migrations: numbered SQL files. Each is applied once, and the database remembers its hash. Nodes
//! that start together take turns.

use sha2::{Digest as _, Sha256};
use tokio_postgres::Client;

use super::{open::ConnectError, timeline::TURN};

/// Every migration in order. A released file is never edited: databases that already have it would
/// differ from new ones.
const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_log", include_str!("../../../migrations/postgres/0001_log.sql")),
    ("0002_kept", include_str!("../../../migrations/postgres/0002_kept.sql")),
    ("0003_dues", include_str!("../../../migrations/postgres/0003_dues.sql")),
    ("0004_shares", include_str!("../../../migrations/postgres/0004_shares.sql")),
    ("0005_lanes", include_str!("../../../migrations/postgres/0005_lanes.sql")),
];

/// Brings a database up to date. Applies all missing migrations or none.
pub(super) async fn migrate(client: &mut Client) -> Result<(), ConnectError> {
    apply(client, MIGRATIONS).await
}

async fn apply(client: &mut Client, migrations: &[(&str, &str)]) -> Result<(), ConnectError> {
    let transaction = client.transaction().await?;
    // Held until the commit. The loop below then sees the migrations of other nodes.
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&TURN]).await?;
    transaction
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS migration (
                number bigint PRIMARY KEY, name text NOT NULL, hash bytea NOT NULL
             )",
        )
        .await?;
    for (number, (name, sql)) in (1i64..).zip(migrations) {
        let hash = Sha256::digest(sql.as_bytes()).to_vec();
        let known = transaction
            .query_opt("SELECT hash FROM migration WHERE number = $1", &[&number])
            .await?
            .map(|row| row.get::<_, Vec<u8>>(0));
        match known {
            Some(known) if known == hash => {}
            Some(_) => return Err(ConnectError::ForeignMigration((*name).to_owned())),
            None => {
                transaction.batch_execute(sql).await?;
                transaction
                    .execute(
                        "INSERT INTO migration (number, name, hash) VALUES ($1, $2, $3)",
                        &[&number, name, &hash],
                    )
                    .await?;
            }
        }
    }
    let newest: i64 =
        transaction.query_one("SELECT coalesce(max(number), 0) FROM migration", &[]).await?.get(0);
    if newest > migrations.len() as i64 {
        return Err(ConnectError::NewerDatabase { newest, known: migrations.len() });
    }
    Ok(transaction.commit().await?)
}
