//! Kills the real server fifty times while backends publish and clients listen, and loses nothing.
//!
//! Clients use every transport. At each kill at least twenty publishes are in flight; ten thousand
//! are acknowledged in all. A publisher without an answer repeats with the same `Idempotency-Key`.
//! In the end the acknowledged publishes, the clients' callbacks and the server's list must be the
//! same: 0 lost, 0 doubled, 0 out of order.
//!
//! `TIDINGS_CHAOS_SEED` repeats a run (as far as the operating system's scheduling allows),
//! `TIDINGS_CHAOS_KILLS` makes it longer or shorter, and `TIDINGS_BIN` names another server binary.
//! SIGKILL keeps the page cache, so this proves nothing about power loss; a test of the server
//! shows that `fdatasync` comes before each answer.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod api;
mod cluster;
mod dice;
mod ledger;
mod publisher;
#[allow(dead_code, reason = "goodbyes are another suite's")]
mod server;
mod storm;
mod subscriber;

use std::{env, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tidings_client::TransportKind::{self, Poll, Sse, Ws};
use tidings_protocol::rest::Target;
use tokio::task::JoinSet;

use api::{Api, Published};
use dice::Dice;
use ledger::Ledger;
use publisher::{Acknowledged, notification, publish};
use server::{Server, binary};
use storm::Storm;
use subscriber::Subscriber;

const PUBLISHERS: usize = 32;
const IN_FLIGHT: usize = 20;
const KILLS: u64 = 50;
/// Publishes acknowledged per kill; the number until the next kill is random, up to twice this.
const PER_KILL: u64 = 220;
const USERS: [&str; 6] = ["mina", "jo:el", "zoë", "li/u", "sam", "ada"];
/// The transports of clients, in turn.
const WAYS: [&[TransportKind]; 4] = [&[Ws, Sse, Poll], &[Sse], &[Poll], &[Ws]];
const LAST_WORD: &str = "last word";
/// A hang is a failure that names its place.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loses_doubles_and_reorders_nothing_over_fifty_kills() {
    let seed = setting("TIDINGS_CHAOS_SEED").unwrap_or_else(|| getrandom::u64().unwrap());
    let kills = setting("TIDINGS_CHAOS_KILLS").unwrap_or(KILLS);
    println!("TIDINGS_CHAOS_SEED={seed}");
    let mut dice = Dice::new(seed);
    let mut server = Server::new(binary());
    let api = Api::new(server.url());
    server.start(&api.http).await;

    let subscribers = subscribers(&api, &server.url()).await;
    let storm = Arc::new(Storm::new());
    let mut publishers = JoinSet::new();
    let users: Arc<[String]> = USERS.map(String::from).into();
    for publisher in 0..PUBLISHERS {
        let (api, storm, users) = (api.clone(), Arc::clone(&storm), Arc::clone(&users));
        publishers.spawn(publish(api, storm, publisher, users, dice.roll()));
    }
    storm.open();

    let mut fewest = usize::MAX;
    for kill in 1..=kills {
        let goal = (kill - 1) * PER_KILL + dice.below(2 * PER_KILL);
        patiently("acknowledgements", storm.until(|state| state.acknowledged >= goal)).await;
        // Not always right after an answer: a random number of the publishers' turns later.
        for _ in 0..dice.below(1_000) {
            tokio::task::yield_now().await;
        }
        let killed = storm.kill(IN_FLIGHT, || server.kill());
        let in_flight = patiently("a moment to kill", killed).await;
        server.bury();
        fewest = fewest.min(in_flight);
        server.start(&api.http).await;
        storm.open();
    }
    let enough = storm.until(|state| state.acknowledged >= kills * PER_KILL);
    patiently("the last publishes", enough).await;
    storm.finish();
    let acknowledged = patiently("the publishers' ends", publishers.join_all()).await;
    let mut acknowledged: Vec<_> = acknowledged.into_iter().flatten().collect();
    acknowledged.push(last_word(&api).await);

    let count = acknowledged.len();
    let replayed = storm.read(|state| state.replayed);
    println!(
        "{kills} kills, at least {fewest} in flight, {count} acknowledged, {replayed} of them by a repeat"
    );
    assert!(
        fewest >= IN_FLIGHT && count as u64 > kills * PER_KILL,
        "a weaker test than it claims to be"
    );
    compare(&api, &Ledger::new(acknowledged).unwrap(), subscribers).await;
}

/// One client for each user, and a second device of the first user: with one transport each, or
/// with all of them.
async fn subscribers(api: &Api, url: &str) -> Vec<Subscriber> {
    let users = USERS.into_iter().chain([USERS[0]]).zip(WAYS.into_iter().cycle());
    let made = users.enumerate().map(|(n, (user, way))| {
        let name = format!("client {n} of {user} over {way:?}");
        Subscriber::new(api, url, user, way, name)
    });
    join_all(made).await
}

/// The last publish, repeated until it is acknowledged: doubled records come before it.
async fn last_word(api: &Api) -> Acknowledged {
    let key = String::from(LAST_WORD);
    let body = notification(&key, Target { everyone: Some(true), ..Target::default() });
    // A node whose database was killed may need another moment, though the other node serves.
    let stored = async {
        loop {
            if let Published::Stored { stored, .. } = api.publish(&body, &key).await {
                return stored;
            }
        }
    };
    let stored = patiently("the last publish", stored).await;
    Acknowledged { key, stored }
}

async fn compare(api: &Api, ledger: &Ledger, subscribers: Vec<Subscriber>) {
    ledger.check_dense().unwrap();
    ledger.check_publishers().unwrap();
    for user in USERS {
        let stored = ledger.check_stored(user, &api.inbox(user).await);
        stored.unwrap_or_else(|difference| panic!("{user}: {difference}"));
    }
    for subscriber in subscribers {
        // The last publish is in `system:all`; the inbox is another channel with its own order.
        let expected = ledger.records_of(&subscriber.user);
        let (subscriber, received, unread) = subscriber.until(LAST_WORD, expected).await;
        let compared = ledger.check_received(&subscriber.user, &received);
        compared.unwrap_or_else(|difference| panic!("{}: {difference}", subscriber.name));
        assert_eq!(unread, expected, "the count of {} drifted", subscriber.name);
        subscriber.close().await;
    }
}

async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.unwrap_or_else(|_| panic!("waited {} s for {what}", PATIENCE.as_secs()))
}

fn setting(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not `{text}`")))
}
