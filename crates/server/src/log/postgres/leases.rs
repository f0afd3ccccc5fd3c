//! Leases of connections: rows that count while their node's lease is valid, by the database's
//! clock.

use std::collections::BTreeMap;

use tidings_server_core::{
    leases::{Claim, ConnectionId, ConnectionLeases, Lease, Taken, Verdict, decide},
    store::StoreError,
};

use super::{
    Inner, Postgres,
    read::connection,
    row::{Trouble, int},
    turns::turn,
};

const TURNS: &str = "SELECT pg_advisory_xact_lock(turn) FROM unnest($1::int8[]) AS turn";

const PLACES: &str = "SELECT s.username, s.node, s.number, s.instance FROM seat s
    JOIN node n ON n.id = s.node AND n.ends > clock_timestamp()
        AND n.ends < clock_timestamp() + interval '1 day' WHERE s.username = ANY($1)";

const TAKE: &str = "INSERT INTO seat (node, number, username, instance)
    SELECT DISTINCT * FROM unnest($1::int8[], $2::int8[], $3::text[], $4::text[])
    ON CONFLICT (node, number) DO UPDATE SET username = excluded.username,
        instance = excluded.instance";

/// A connection that was replaced from another node belongs to no user until its own node deletes
/// the row. No user has an empty name.
const REPLACE: &str = "UPDATE seat s SET username = '', instance = NULL
    FROM unnest($1::int8[], $2::int8[]) AS t (node, number)
    WHERE s.node = t.node AND s.number = t.number";

const REPLACED: &str = "SELECT number FROM seat WHERE username = '' AND node = $1";

const LEAVE: &str = "DELETE FROM seat s USING unnest($1::int8[], $2::int8[]) AS t (node, number)
    WHERE s.node = t.node AND s.number = t.number";

/// Deletes ended leases with their connections, which would count again with the node's next lease.
/// A lease with an end in the far future was given while the database's clock was ahead; a running
/// node renews it.
const END: &str = "WITH ended AS (DELETE FROM node WHERE ends <= clock_timestamp()
        OR ends >= clock_timestamp() + interval '1 day' OR id = $1 AND $2 RETURNING id)
    DELETE FROM seat s USING ended WHERE s.node = ended.id";

const RENEW: &str =
    "INSERT INTO node (id, ends) VALUES ($1, clock_timestamp() + $2 * interval '1 millisecond')
    ON CONFLICT (id) DO UPDATE SET ends = excluded.ends RETURNING xmax <> 0";

impl ConnectionLeases for Postgres {
    fn claim(&self, _wall: u64, claims: &[Claim]) -> Result<Vec<Verdict>, StoreError> {
        let claims = claims.to_vec();
        self.wait_shortly(|inner| async move { claim(&inner, &claims).await })
    }

    fn leave(&self, connections: &[ConnectionId]) -> Result<(), StoreError> {
        let connections = connections.to_vec();
        self.wait_shortly(|inner| async move {
            let client = connection(&inner).await?;
            let (nodes, numbers) = columns(connections.iter().copied());
            let leave = async {
                let statement = client.prepare_cached(LEAVE).await?;
                client.execute(&statement, &[&nodes, &numbers]).await
            };
            leave.await.map(drop).map_err(|error| Trouble::from(error).into())
        })
    }

    fn renew(&self, _wall: u64, node: u64, ttl_ms: u64) -> Result<Lease, StoreError> {
        self.wait_shortly(|inner| async move { renew(&inner, node, ttl_ms).await })
    }
}

/// Numbers of nodes are random bits; PostgreSQL's integers are signed.
fn columns(connections: impl Iterator<Item = ConnectionId>) -> (Vec<i64>, Vec<i64>) {
    connections.map(|connection| (connection.node.cast_signed(), int(connection.number))).unzip()
}

async fn claim(inner: &Inner, claims: &[Claim]) -> Result<Vec<Verdict>, StoreError> {
    let mut client = connection(inner).await?;
    let claim = async {
        let transaction = client.transaction().await?;
        // One user's claims are decided one after the other, across all nodes. All nodes lock in
        // the same order, so they can't deadlock.
        let mut turns: Vec<i64> =
            claims.iter().map(|claim| turn("seat", &claim.user, "")).collect();
        turns.sort_unstable();
        turns.dedup();
        let statement = transaction.prepare_cached(TURNS).await?;
        transaction.query(&statement, &[&turns]).await?;
        let users: Vec<&str> = claims.iter().map(|claim| claim.user.as_str()).collect();
        let statement = transaction.prepare_cached(PLACES).await?;
        let rows = transaction.query(&statement, &[&users]).await?;
        let mut refs: BTreeMap<String, Vec<Taken>> = BTreeMap::new();
        for row in &rows {
            let node = row.get::<_, i64>(1).cast_unsigned();
            let connection = ConnectionId { node, number: row.get::<_, i64>(2).cast_unsigned() };
            refs.entry(row.get(0)).or_default().push(Taken { connection, instance: row.get(3) });
        }
        let verdict = |claim: &Claim| decide(refs.entry(claim.user.clone()).or_default(), claim);
        let verdicts: Vec<Verdict> = claims.iter().map(verdict).collect();
        let given: Vec<&Claim> = claims
            .iter()
            .zip(&verdicts)
            .filter(|(_, verdict)| matches!(verdict, Verdict::Admitted { .. }))
            .map(|(claim, _)| claim)
            .collect();
        let replaced = claims.iter().zip(&verdicts).filter_map(|(claim, verdict)| match verdict {
            Verdict::Admitted { replaced } => replaced.map(|older| (older, claim.connection.node)),
            Verdict::Full { .. } | Verdict::Superseded { .. } => None,
        });
        let (own, others): (Vec<_>, Vec<_>) = replaced.partition(|(older, by)| older.node == *by);
        let (nodes, numbers) = columns(given.iter().map(|claim| claim.connection));
        let users: Vec<&str> = given.iter().map(|claim| claim.user.as_str()).collect();
        let instances: Vec<Option<&str>> =
            given.iter().map(|claim| claim.instance.as_deref()).collect();
        let statement = transaction.prepare_cached(TAKE).await?;
        transaction.execute(&statement, &[&nodes, &numbers, &users, &instances]).await?;
        // After the inserts: a batch may hold both a connection and its replacement.
        for (replaced, change) in [(own, LEAVE), (others, REPLACE)] {
            let (nodes, numbers) = columns(replaced.into_iter().map(|(older, _)| older));
            if !nodes.is_empty() {
                let statement = transaction.prepare_cached(change).await?;
                transaction.execute(&statement, &[&nodes, &numbers]).await?;
            }
        }
        transaction.commit().await?;
        Ok(verdicts)
    };
    claim.await.map_err(|error: tokio_postgres::Error| Trouble::from(error).into())
}

async fn renew(inner: &Inner, node: u64, ttl_ms: u64) -> Result<Lease, StoreError> {
    let client = connection(inner).await?;
    let node = node.cast_signed();
    let renew = async {
        let statement = client.prepare_cached(END).await?;
        client.execute(&statement, &[&node, &(ttl_ms == 0)]).await?;
        if ttl_ms == 0 {
            return Ok(Lease::Ended);
        }
        let statement = client.prepare_cached(RENEW).await?;
        let row = client.query_one(&statement, &[&node, &(int(ttl_ms) as f64)]).await?;
        if !row.get::<_, bool>(0) {
            return Ok(Lease::Ended);
        }
        let statement = client.prepare_cached(REPLACED).await?;
        let rows = client.query(&statement, &[&node]).await?;
        let number = |row: &tokio_postgres::Row| row.get::<_, i64>(0).cast_unsigned();
        Ok(Lease::Held { replaced: rows.iter().map(number).collect() })
    };
    renew.await.map_err(|error: tokio_postgres::Error| Trouble::from(error).into())
}
