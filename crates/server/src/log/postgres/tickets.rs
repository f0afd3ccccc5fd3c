//! One-time tickets by the hash of their secret. One atomic delete spends a ticket, on any node.
//! The database's clock decides when it expires.

use bytes::Bytes;
use tidings_server_core::store::{Share, StoreError, TICKETS, Ticket, USERS_TICKETS};

use super::{
    Inner,
    read::connection,
    row::{Trouble, int},
    turns::turn,
};

/// Parts of a large share. Each part is counted and locked alone, so that a ticket costs one small
/// count and waits for few others. The hash of a ticket chooses its part, so parts fill evenly: a
/// share is full from about nine tenths of its bound, and never above it.
const PARTS: u64 = 64;
/// Smaller shares have one part.
const LARGE: u64 = 6_400;

/// Answers which bound is reached. 0: none, and the ticket is stored; 1: the credential's; 2: the
/// user's.
const PUT: &str = "SELECT put_ticket($1, $2, $3, $4, $5, $6, $7, $8, $9)";

const TAKE: &str = "DELETE FROM ticket WHERE hash = $1 RETURNING granted, ends > clock_timestamp()";

pub(super) async fn put(inner: &Inner, ticket: &Ticket) -> Result<(), StoreError> {
    let Ticket { hash, ttl_ms, grant, share: Share { of, most, user } } = ticket;
    let parts = if *most >= LARGE { PARTS } else { 1 };
    let part = u64::from(hash[0]) % parts;
    let (user, users_most) = user.as_ref().map_or(("", 0), |(user, most)| (&**user, *most));
    let mut turns = vec![turn("tickets", of, &part.to_string())];
    if !user.is_empty() {
        turns.push(turn("tickets of a user", of, user));
    }
    // In one order, so that two nodes can't deadlock.
    turns.sort_unstable();
    let client = connection(inner).await?;
    let put = async {
        let statement = client.prepare_cached(PUT).await?;
        // The far end of a long life does not fit the database's time type; a century does.
        let ttl = int(*ttl_ms).min(100 * 366 * 86_400_000) as f64;
        let (part, most, users_most) = (int(part), int(most.div_ceil(parts)), int(users_most));
        let row = client
            .query_one(
                &statement,
                &[&&hash[..], &ttl, &&grant[..], of, &part, &most, &user, &users_most, &turns],
            )
            .await?;
        Ok::<_, tokio_postgres::Error>(row.get::<_, i32>(0))
    };
    match put.await.map_err(Trouble::from)? {
        0 => Ok(()),
        1 => Err(StoreError::TooMany(TICKETS)),
        _ => Err(StoreError::TooMany(USERS_TICKETS)),
    }
}

pub(super) async fn take(inner: &Inner, hash: [u8; 32]) -> Result<Option<Bytes>, StoreError> {
    let client = connection(inner).await?;
    let take = async {
        let statement = client.prepare_cached(TAKE).await?;
        client.query_opt(&statement, &[&&hash[..]]).await
    };
    let row = take.await.map_err(Trouble::from)?;
    Ok(row.filter(|row| row.get(1)).map(|row| Bytes::from(row.get::<_, Vec<u8>>(0))))
}
