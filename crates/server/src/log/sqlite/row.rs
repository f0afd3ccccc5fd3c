//! Numbers, names and checksums between rows and Rust.

use rusqlite::{Row, types::Type};
use tidings_protocol::Epoch;

/// A number for SQLite, whose integers are signed. Offsets stay below 2^53; a larger number means
/// "without end".
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that is never negative.
pub(super) fn uint(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

/// An epoch.
pub(super) fn epoch(row: &Row<'_>, column: usize) -> rusqlite::Result<Epoch> {
    let text = row.get_ref(column)?.as_str()?;
    Epoch::parse(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_without_end_fit() {
        assert_eq!(int(u64::MAX), i64::MAX);
        assert_eq!(int(5), 5);
    }
}
