//! A batch of writes as one transaction, and the meaning of its failures.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use deadpool_postgres::{ClientWrapper, Object};
use futures_util::future::join_all;
use tidings_protocol::Channel;
use tidings_server_core::{
    log::{Needs, Rows},
    store::{StoreError, Write, Written},
};
use tokio::time::timeout;

use super::{
    Inner, load,
    open::pool_words,
    row::{Trouble, words},
    save,
};

/// How often a batch is tried if the database rolls it back because of other transactions.
const TRIES: u32 = 5;

/// Most channels that are remembered to have a row: more than a node serves in a minute, in at most
/// 10 MB.
const KNOWN: usize = 100_000;

pub(super) type Answers = Vec<Result<Written, StoreError>>;

/// Channels that are known to have a row. They need no insert.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashSet<Channel>>);

impl Known {
    /// The channels of `channels` that may have no row, in order.
    pub(super) fn missing<'a>(&self, channels: &'a BTreeSet<Channel>) -> Vec<&'a str> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        channels.iter().filter(|channel| !known.contains(*channel)).map(Channel::as_str).collect()
    }

    /// The rows of these channels are committed.
    fn learn(&self, channels: BTreeSet<Channel>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN {
            known.clear();
        }
        known.extend(channels);
    }

    /// These channels have no row after all: the database is another one, or was emptied.
    pub(super) fn forget(&self, channels: &BTreeSet<Channel>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|channel| !channels.contains(channel));
    }
}

/// The failure of a transaction.
enum Failure {
    /// Nothing is stored, and the same batch may succeed now.
    Passing(Trouble),
    /// Nothing is stored. One write of the batch can't be stored; it is not known which.
    OneOfThem(Trouble),
    /// Nothing is stored. The database is not available.
    Away(Trouble),
    /// `COMMIT` was sent, and no answer came.
    Unknown(String),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        if trouble.is_passing() {
            Self::Passing(trouble)
        } else if trouble.is_absence() {
            Self::Away(trouble)
        } else {
            Self::OneOfThem(trouble)
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Trouble::from(error).into()
    }
}

pub(super) async fn commit(
    inner: &Inner,
    stored: u64,
    writes: &[Write],
) -> Result<Answers, StoreError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match attempt(inner, stored, writes, All::Together).await {
            Ok(answers) => return Ok(answers),
            Err(Failure::OneOfThem(_)) if writes.len() > 1 => break,
            Err(Failure::Passing(_)) if tries < TRIES => {}
            Err(failure) => return ended(inner, failure, writes.len()),
        }
    }
    match attempt(inner, stored, writes, All::OneByOne).await {
        Ok(answers) => Ok(answers),
        Err(failure) => ended(inner, failure, writes.len()),
    }
}

/// Turns a failure into the answer of the batch. The failure of a single write is that write's
/// answer.
fn ended(inner: &Inner, failure: Failure, writes: usize) -> Result<Answers, StoreError> {
    if let Failure::Away(trouble) = &failure
        && trouble.is_full()
    {
        inner.health_watch.found_full();
    }
    match failure {
        Failure::OneOfThem(trouble) if writes == 1 => Ok(vec![Err(trouble.into())]),
        Failure::OneOfThem(trouble) | Failure::Away(trouble) | Failure::Passing(trouble) => {
            Err(trouble.into())
        }
        Failure::Unknown(why) => Err(StoreError::Unknown(why)),
    }
}

#[derive(Clone, Copy)]
enum All {
    Together,
    /// Each in a savepoint of its own.
    OneByOne,
}

/// One transaction on one connection. The connection is dropped if the transaction does not end in
/// time.
async fn attempt(
    inner: &Inner,
    stored: u64,
    writes: &[Write],
    all: All,
) -> Result<Answers, Failure> {
    let client = inner.pool.get().await.map_err(|error| {
        Failure::Away(Trouble::Store(StoreError::Unavailable(pool_words(&error))))
    })?;
    let sent = AtomicBool::new(false);
    let work = async {
        match all {
            All::Together => together(inner, &client, stored, writes, &sent).await,
            All::OneByOne => one_by_one(inner, &client, stored, writes, &sent).await,
        }
    };
    let result = timeout(inner.patience, work).await;
    match result {
        Ok(Ok(answers)) => Ok(answers),
        Ok(Err(failure @ (Failure::Passing(_) | Failure::OneOfThem(_)))) => {
            // A connection that can't even roll back is not used again.
            if client.batch_execute("ROLLBACK").await.is_err() {
                drop(Object::take(client));
            }
            Err(failure)
        }
        Ok(Err(failure)) => {
            drop(Object::take(client));
            Err(failure)
        }
        Err(_) => {
            drop(Object::take(client));
            let why = "PostgreSQL does not answer".to_owned();
            // Once `COMMIT` may have been sent, silence proves nothing: the writes may be stored.
            Err(match sent.load(Ordering::Relaxed) {
                true => Failure::Unknown(why),
                false => Failure::Away(Trouble::Store(StoreError::Unavailable(why))),
            })
        }
    }
}

async fn together(
    inner: &Inner,
    client: &ClientWrapper,
    stored: u64,
    writes: &[Write],
    sent: &AtomicBool,
) -> Result<Answers, Failure> {
    load::prepare(client).await?;
    save::prepare(client).await?;
    let needs = Needs::of(writes);
    // `join!` polls in this order, so `BEGIN` is sent before the locks, in the same round trip.
    let (begun, rows) =
        tokio::join!(client.batch_execute("BEGIN"), load::load(client, &inner.known, &needs));
    begun?;
    let Some(mut rows) = rows? else { return Err(unloaded()) };
    let answers: Answers = writes.iter().map(|write| rows.write(stored, write)).collect();
    finish(client, &rows, sent).await?;
    inner.known.learn(needs.channels());
    Ok(answers)
}

/// Stores and commits in one round trip. A statement that fails turns `COMMIT` into a rollback.
async fn finish(client: &ClientWrapper, rows: &Rows, sent: &AtomicBool) -> Result<(), Failure> {
    sent.store(true, Ordering::Relaxed);
    // Polled, and so sent, in this order: all changes, then `COMMIT`. No answer is awaited between
    // them.
    let saving = save::save(client, rows);
    let (saved, committed) = tokio::join!(join_all(saving), client.batch_execute("COMMIT"));
    if let Some(trouble) = saved.into_iter().find_map(Result::err) {
        return Err(match trouble {
            // This error did not come from the database, which may have committed everything.
            Trouble::Postgres(error) if error.as_db_error().is_none() => {
                Failure::Unknown(words(&error))
            }
            trouble => trouble.into(),
        });
    }
    committed.map_err(|error| Failure::Unknown(words(&error)))
}

async fn one_by_one(
    inner: &Inner,
    client: &ClientWrapper,
    stored: u64,
    writes: &[Write],
    sent: &AtomicBool,
) -> Result<Answers, Failure> {
    client.batch_execute("BEGIN").await?;
    // All locks first, in the order that all nodes use. Locks taken write by write could deadlock.
    let all = Needs::of(writes);
    if load::load(client, &inner.known, &all).await?.is_none() {
        return Err(unloaded());
    }
    let mut answers = Vec::with_capacity(writes.len());
    for write in writes {
        client.batch_execute("SAVEPOINT one").await?;
        let answer = alone(inner, client, stored, write).await;
        match answer {
            Ok(answer) => {
                client.batch_execute("RELEASE one").await?;
                answers.push(answer);
            }
            Err(trouble) if trouble.is_absence() || trouble.is_passing() => {
                return Err(trouble.into());
            }
            Err(trouble) => {
                client.batch_execute("ROLLBACK TO one").await?;
                answers.push(Err(trouble.into()));
            }
        }
    }
    sent.store(true, Ordering::Relaxed);
    client.batch_execute("COMMIT").await.map_err(|error| Failure::Unknown(words(&error)))?;
    Ok(answers)
}

async fn alone(
    inner: &Inner,
    client: &ClientWrapper,
    stored: u64,
    write: &Write,
) -> Result<Result<Written, StoreError>, Trouble> {
    let needs = Needs::of(std::slice::from_ref(write));
    let loaded = load::load(client, &inner.known, &needs).await?;
    let Some(mut rows) = loaded else {
        return Err(Trouble::damaged("a channel's row has gone".to_owned()));
    };
    let answer = rows.write(stored, write);
    if answer.is_ok() {
        for saving in save::save(client, &rows) {
            saving.await?;
        }
    }
    Ok(answer)
}

fn unloaded() -> Failure {
    Failure::Passing(Trouble::damaged("a channel's row has gone".to_owned()))
}
