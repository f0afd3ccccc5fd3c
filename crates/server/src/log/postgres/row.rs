//! Numbers, epochs and errors between rows and Rust.

use std::error::Error as _;

use tidings_protocol::Epoch;
use tidings_server_core::store::StoreError;
use tokio_postgres::error::SqlState;

/// The reason of a failure.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The database or the connection to it failed.
    Postgres(tokio_postgres::Error),
    /// The store itself found an error.
    Store(StoreError),
}

/// A number for PostgreSQL, whose integers are signed. Offsets stay below 2^53; a larger number
/// means "without end".
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that is never negative.
pub(super) fn uint(number: i64) -> Result<u64, Trouble> {
    let negative = |_| Trouble::damaged(format!("a row holds {number} where nothing is negative"));
    u64::try_from(number).map_err(negative)
}

/// An epoch.
pub(super) fn epoch(text: &str) -> Result<Epoch, Trouble> {
    Epoch::parse(text).map_err(|error| Trouble::damaged(error.to_string()))
}

/// An error with its cause, which `tokio_postgres` leaves out.
pub(super) fn words(error: &tokio_postgres::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

impl Trouble {
    pub(super) const fn damaged(why: String) -> Self {
        Self::Store(StoreError::Unavailable(why))
    }

    /// The database rolled the transaction back because of other transactions. The same one may
    /// succeed now.
    pub(super) fn is_passing(&self) -> bool {
        let Self::Postgres(error) = self else { return false };
        error.code().is_some_and(|code| {
            *code == SqlState::T_R_DEADLOCK_DETECTED || *code == SqlState::T_R_SERIALIZATION_FAILURE
        })
    }

    /// The database has no room.
    pub(super) fn is_full(&self) -> bool {
        let Self::Postgres(error) = self else { return false };
        error.code() == Some(&SqlState::DISK_FULL)
    }

    /// The database is not available, or has no room. No write is at fault.
    pub(super) fn is_absence(&self) -> bool {
        let Self::Postgres(error) = self else { return true };
        let Some(code) = error.code() else { return true };
        // Classes: connection, resources, intervention by the operator, system.
        ["08", "53", "57", "58", "XX"].iter().any(|class| code.code().starts_with(class))
            || *code == SqlState::READ_ONLY_SQL_TRANSACTION
    }
}

/// A value that no column takes. Classes: data, integrity, limits of the program.
fn is_unfit(error: &tokio_postgres::Error) -> bool {
    let is_of = |class: &&str| error.code().is_some_and(|code| code.code().starts_with(*class));
    ["22", "23", "54"].iter().any(is_of)
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Postgres(error) if is_unfit(&error) => Self::Unfit(words(&error)),
            Trouble::Postgres(error) => Self::Unavailable(words(&error)),
            Trouble::Store(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_without_end_fit_and_negative_ones_are_damage() {
        assert_eq!(int(u64::MAX), i64::MAX);
        assert_eq!(uint(int(5)).unwrap(), 5);
        assert!(uint(-1).is_err());
    }
}
