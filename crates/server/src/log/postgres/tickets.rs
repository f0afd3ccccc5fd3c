//! One-time tickets by the hash of their secret. Whichever node is shown one, it is spent by one atomic delete; the database's clock says when it ends.

use bytes::Bytes;
use tidings_server_core::store::StoreError;

use super::{
    Inner,
    read::connection,
    row::{Trouble, int},
};

/// Most tickets that wait to be spent, as counted each second: what 3,000 new connections a second need for 30 s each.
const MOST: u64 = 100_000;

const PUT: &str = "INSERT INTO ticket (hash, ends, granted)
    VALUES ($1, clock_timestamp() + $2 * interval '1 millisecond', $3)
    ON CONFLICT (hash) DO NOTHING";

const TAKE: &str = "DELETE FROM ticket WHERE hash = $1 RETURNING granted, ends > clock_timestamp()";

pub(super) async fn put(
    inner: &Inner,
    hash: [u8; 32],
    ttl_ms: u64,
    grant: &Bytes,
) -> Result<(), StoreError> {
    if inner.keeper.tickets() >= MOST {
        return Err(StoreError::Full("tickets"));
    }
    let client = connection(inner).await?;
    let put = async {
        let statement = client.prepare_cached(PUT).await?;
        // Far ends don't fit the database's time; a century does.
        let ttl = int(ttl_ms).min(100 * 366 * 86_400_000) as f64;
        client.execute(&statement, &[&&hash[..], &ttl, &&grant[..]]).await
    };
    put.await.map(drop).map_err(|error| Trouble::from(error).into())
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
