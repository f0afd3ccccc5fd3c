//! Detects whether the epochs were made in another database than this one.
//!
//! A promoted standby, a recovery to a point in time and a dump in another database have another
//! timeline or system number. Each may lack acknowledged records, so all channels get new epochs
//! and clients start fresh. Each new connection is checked before it is used, so no node writes to
//! a new timeline under the old epochs. (A copy of the data folder has the same timeline and
//! number. It needs `tidings doctor --new-epochs`.)

use tokio_postgres::Client;

use super::open::ConnectError;
use crate::log::new_epoch;

/// Advisory lock for work that one node does while the others wait.
pub(super) const TURN: i64 = 0x7469_6469_6e67_7301;

/// Channels that get a new epoch in one statement.
const CHANNELS: usize = 10_000;

/// The identity of the database. The timeline is the first part of a WAL file's name; the one in
/// the control file lags behind a promotion.
const WHO: &str = "SELECT (SELECT system_identifier FROM pg_control_system())::text,
    ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int8";

/// Gives new epochs if this is another database than the last time.
pub(super) async fn check(client: &mut Client) -> Result<(), ConnectError> {
    let row = client.query_one(WHO, &[]).await?;
    let (system, timeline): (String, i64) = (row.get(0), row.get(1));
    let same = "SELECT 1 FROM origin WHERE system = $1 AND timeline = $2";
    if client.query_opt(same, &[&system, &timeline]).await?.is_some() {
        return Ok(());
    }
    settle(client, &system, timeline, Renaming::IfOther).await
}

/// Gives new epochs even to the same database.
pub(super) async fn rename_all(client: &mut Client) -> Result<(), ConnectError> {
    let row = client.query_one(WHO, &[]).await?;
    settle(client, row.get(0), row.get(1), Renaming::Always).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Renaming {
    IfOther,
    Always,
}

async fn settle(
    client: &mut Client,
    system: &str,
    timeline: i64,
    renaming: Renaming,
) -> Result<(), ConnectError> {
    let transaction = client.transaction().await?;
    transaction.batch_execute("SET LOCAL statement_timeout = 0").await?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&TURN]).await?;
    let known = transaction.query_opt("SELECT system, timeline FROM origin", &[]).await?;
    let known = known.map(|row| (row.get::<_, String>(0), row.get::<_, i64>(1)));
    let is_other = known.as_ref().is_some_and(|known| *known != (system.to_owned(), timeline));
    if is_other {
        tracing::warn!(
            timeline,
            "another database than before: acknowledged records may be gone, new epochs"
        );
    }
    if is_other || renaming == Renaming::Always {
        let ids = transaction.query("SELECT id FROM channel ORDER BY name FOR UPDATE", &[]).await?;
        let ids: Vec<i64> = ids.iter().map(|row| row.get(0)).collect();
        for ids in ids.chunks(CHANNELS) {
            let epoch = |_| Ok(new_epoch(getrandom::u64()?).as_str().to_owned());
            let epochs =
                ids.iter().map(epoch).collect::<Result<Vec<String>, getrandom::Error>>()?;
            transaction
                .execute(
                    "UPDATE channel c SET epoch = t.epoch
                     FROM unnest($1::int8[], $2::text[]) AS t (id, epoch) WHERE c.id = t.id",
                    &[&ids, &epochs],
                )
                .await?;
        }
    }
    if is_other || renaming == Renaming::Always {
        let rename = "UPDATE gone SET epoch = left(md5(random()::text || hash::text), 8)";
        transaction.execute(rename, &[]).await?;
    }
    transaction.execute("DELETE FROM origin", &[]).await?;
    transaction
        .execute("INSERT INTO origin (system, timeline) VALUES ($1, $2)", &[&system, &timeline])
        .await?;
    Ok(transaction.commit().await?)
}
