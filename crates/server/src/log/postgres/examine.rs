//! The checks of `tidings doctor`: all rows, while servers go on.

use futures_util::TryStreamExt as _;
use tidings_protocol::Channel;
use tidings_server_core::store::StoreError;

use super::{
    Inner, Postgres,
    read::connection,
    row::{Trouble, uint},
};
use crate::log::checksum;

/// Most lines of damage in a report.
const LISTED: usize = 20;

/// The result of the checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Facts that an operator should know, a line each.
    pub notes: Vec<String>,
    /// The damage found, in words; at most twenty lines.
    pub damage: Vec<String>,
}

impl Postgres {
    /// Reads the whole log and verifies its checksums and that offsets are dense.
    ///
    /// # Errors
    /// The database can't be read at all.
    pub fn examine(&self) -> Result<Findings, StoreError> {
        self.wait(|inner| async move { examine(&inner).await.map_err(StoreError::from) })
    }
}

async fn examine(inner: &Inner) -> Result<Findings, Trouble> {
    let client = connection(inner).await?;
    client.batch_execute("SET statement_timeout = 0").await?;
    let mut findings = Findings::default();
    let row = client
        .query_one(
            "SELECT (SELECT count(*) FROM channel), (SELECT count(*) FROM record),
                (SELECT count(*) FROM item), current_setting('synchronous_standby_names')",
            &[],
        )
        .await?;
    let counts: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
    let [channels, records, items] = counts;
    findings
        .notes
        .push(format!("log         {channels} channels, {records} records, {items} items"));
    let standbys: &str = row.get(3);
    findings.notes.push(match standbys {
        "" => "standbys    none is waited for: a failover may lose acknowledged records (synchronous_standby_names)".to_owned(),
        names => format!("standbys    acknowledged means stored at {names} too"),
    });
    let mut note = |line: String| {
        if findings.damage.len() < LISTED {
            findings.damage.push(line);
        }
    };
    // Streamed, because the log may be larger than memory.
    let none: [&str; 0] = [];
    let records = client
        .query_raw(
            "SELECT c.name, r.\"offset\", r.frame, r.checksum
             FROM record r JOIN channel c ON c.id = r.channel",
            none,
        )
        .await?;
    let mut records = std::pin::pin!(records);
    while let Some(row) = records.try_next().await? {
        let (name, offset): (&str, u64) = (row.get(0), uint(row.get(1))?);
        let is_good = Channel::parse(name).is_ok_and(|channel| {
            checksum::of_record(&channel, offset, row.get(2)) == row.get::<_, i64>(3)
        });
        if !is_good {
            note(format!("record {offset} of {name}: its checksum differs"));
        }
    }
    let holes = client
        .query(
            "SELECT c.name, c.first, c.top FROM channel c LEFT JOIN record r ON r.channel = c.id
             GROUP BY c.id HAVING count(r.\"offset\") <> c.top + 1 - c.first
                OR coalesce(min(r.\"offset\"), c.top + 1) <> c.first LIMIT 20",
            &[],
        )
        .await?;
    for row in &holes {
        let (name, first, top): (&str, i64, i64) = (row.get(0), row.get(1), row.get(2));
        note(format!("{name}: offsets {first} to {top} are not all there"));
    }
    // This connection has no statement timeout, so it must not return to the pool.
    drop(deadpool_postgres::Object::take(client));
    Ok(findings)
}
