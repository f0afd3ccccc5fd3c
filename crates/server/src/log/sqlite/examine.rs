//! The checks of `tidings doctor`: all rows.

use rusqlite::{Connection, Row};
use tidings_server_core::store::StoreError;

use super::{Sqlite, read::Trouble, row::uint};
use crate::log::checksum;

/// Most lines of damage in a report.
const LISTED: usize = 20;

/// The result of the checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Number of channels.
    pub channels: u64,
    /// Number of records.
    pub records: u64,
    /// Number of items.
    pub items: u64,
    /// Number of commits.
    pub commits: u64,
    /// The damage found, in words; at most twenty lines.
    pub damage: Vec<String>,
}

impl Sqlite {
    /// Reads the whole log and verifies its structure, its checksums and that offsets are dense.
    ///
    /// # Errors
    /// The database can't be read at all.
    pub fn examine(&self) -> Result<Report, StoreError> {
        let reader = self.reader()?;
        examine(&reader).map_err(|error| Trouble::from(error).into())
    }
}

fn examine(db: &Connection) -> rusqlite::Result<Report> {
    let count = |sql: &str| db.query_row(sql, [], |row| uint(row, 0));
    let mut report = Report {
        channels: count("SELECT count(*) FROM channel")?,
        records: count("SELECT count(*) FROM record")?,
        items: count("SELECT count(*) FROM item")?,
        commits: count("SELECT number FROM commits")?,
        damage: Vec::new(),
    };
    let mut note = |line: String| {
        if report.damage.len() < LISTED {
            report.damage.push(line);
        }
    };
    let structure: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if structure != "ok" {
        note(structure);
    }
    each(
        db,
        "SELECT c.name, r.\"offset\", r.frame, r.checksum FROM record r JOIN channel c ON c.id = r.channel",
        |row| {
            let (name, offset): (String, u64) = (row.get(0)?, uint(row, 1)?);
            let frame = row.get_ref(2)?.as_bytes()?;
            if checksum::of(&[name.as_bytes(), &offset.to_le_bytes(), frame])
                != row.get::<_, i64>(3)?
            {
                note(format!("record {offset} of {name}: its checksum differs"));
            }
            Ok(())
        },
    )?;
    each(
        db,
        "SELECT c.name, i.\"offset\", i.id, i.kind, i.at, i.data, i.checksum FROM item i JOIN channel c ON c.id = i.channel",
        |row| {
            let (name, offset): (String, u64) = (row.get(0)?, uint(row, 1)?);
            let (id, kind, data): (String, String, String) =
                (row.get(2)?, row.get(3)?, row.get(5)?);
            if checksum::of_item(offset, &id, &kind, uint(row, 4)?, &data)
                != row.get::<_, i64>(6)?
            {
                note(format!("item {offset} of {name}: its checksum differs"));
            }
            Ok(())
        },
    )?;
    each(
        db,
        "SELECT c.name, c.first, c.top, count(r.\"offset\"), coalesce(min(r.\"offset\"), c.top + 1)
         FROM channel c LEFT JOIN record r ON r.channel = c.id GROUP BY c.id
         HAVING count(r.\"offset\") <> c.top + 1 - c.first OR coalesce(min(r.\"offset\"), c.top + 1) <> c.first",
        |row| {
            let name: String = row.get(0)?;
            note(format!("{name}: offsets {} to {} are not all there", uint(row, 1)?, uint(row, 2)?));
            Ok(())
        },
    )?;
    Ok(report)
}

fn each(
    db: &Connection,
    sql: &str,
    mut look: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        look(row)?;
    }
    Ok(())
}
