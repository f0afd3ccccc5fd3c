//! Two nodes on a real PostgreSQL and a real Redis, with a client of every user on each node. Each
//! part is killed in turn while backends publish through both nodes: 0 lost, 0 doubled, 0 out of
//! order.
//!
//! While a node or Redis is down, publishing and delivery go on. While PostgreSQL is down,
//! publishes are answered 503 with `Retry-After`; afterwards everything recovers by itself.
//! `TIDINGS_CHAOS_ROUNDS` makes the run longer: one round kills each of the four parts once.

use std::sync::Arc;

use futures_util::future::join_all;
use tidings_backing::{Postgres, Redis};
use tokio::task::JoinSet;

use crate::{
    Ledger, USERS, WAYS,
    api::Api,
    compare,
    dice::Dice,
    last_word, patiently,
    publisher::{Acknowledged, publish},
    server::{Server, binary},
    setting,
    storm::Storm,
    subscriber::Subscriber,
};

const PUBLISHERS: usize = 24;
const IN_FLIGHT: usize = 12;
const ROUNDS: u64 = 3;
/// Publishes that are acknowledged before each kill, and again while the part is down or after it
/// is back.
const BETWEEN: u64 = 120;

#[derive(Clone, Copy, Debug)]
enum Victim {
    One,
    Redis,
    Two,
    Postgres,
}

const VICTIMS: [Victim; 4] = [Victim::One, Victim::Redis, Victim::Two, Victim::Postgres];

struct Cluster {
    nodes: [Server; 2],
    redis: Redis,
    postgres: Postgres,
    http: reqwest::Client,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loses_doubles_and_reorders_nothing_when_any_part_of_a_cluster_is_killed() {
    let seed = setting("TIDINGS_CHAOS_SEED").unwrap_or_else(|| getrandom::u64().unwrap());
    let rounds = setting("TIDINGS_CHAOS_ROUNDS").unwrap_or(ROUNDS);
    println!("TIDINGS_CHAOS_SEED={seed}");
    let mut dice = Dice::new(seed);
    let mut cluster = Cluster::start().await;
    let urls: Vec<String> = cluster.nodes.iter().map(Server::url).collect();
    let subscribers = subscribers(&urls).await;
    let storm = Arc::new(Storm::new());
    let mut publishers = JoinSet::new();
    let users: Arc<[String]> = USERS.map(String::from).into();
    for publisher in 0..PUBLISHERS {
        let api = Api::of(urls.clone(), publisher);
        let (storm, users) = (Arc::clone(&storm), Arc::clone(&users));
        publishers.spawn(publish(api, storm, publisher, users, dice.roll()));
    }
    storm.open();

    let mut fewest = usize::MAX;
    for round in 0..rounds {
        for victim in VICTIMS {
            acknowledged(&storm, BETWEEN + dice.below(BETWEEN), &format!("life before {victim:?}"))
                .await;
            fewest = fewest.min(cluster.kill(victim, &storm).await);
            if let Victim::Postgres = victim {
                cluster.refuses(&urls).await;
            } else {
                acknowledged(&storm, BETWEEN, &format!("life without {victim:?}")).await;
            }
            cluster.restart(victim).await;
            println!(
                "round {round}: {victim:?} was killed, {} acknowledged",
                storm.read(|s| s.acknowledged)
            );
        }
    }
    acknowledged(&storm, BETWEEN, "life after all").await;
    storm.finish();
    let ended = patiently("the last acknowledgements", publishers.join_all()).await;
    let api = Api::of(urls, 0);
    let mut acknowledged: Vec<Acknowledged> = ended.into_iter().flatten().collect();
    acknowledged.push(last_word(&api).await);
    let (count, replayed) = (acknowledged.len(), storm.read(|state| state.replayed));
    println!(
        "{rounds} rounds, at least {fewest} in flight, {count} acknowledged, {replayed} of them by a repeat"
    );
    assert!(fewest >= IN_FLIGHT, "a weaker test than it claims to be");
    compare(&api, &Ledger::new(acknowledged).unwrap(), subscribers).await;
}

impl Cluster {
    async fn start() -> Self {
        let (redis, postgres) = (Redis::start(), Postgres::start());
        let store = postgres.database();
        let binary = binary();
        let node = || Server::node(binary.clone(), store.clone(), redis.url());
        let mut nodes = [node(), node()];
        let http = reqwest::Client::new();
        // Started together, to show that the tables are created only once.
        let [one, two] = &mut nodes;
        tokio::join!(one.start(&http), two.start(&http));
        Self { nodes, redis, postgres, http }
    }

    async fn kill(&mut self, victim: Victim, storm: &Storm) -> usize {
        let Self { nodes: [one, two], redis, postgres, .. } = self;
        storm
            .strike(IN_FLIGHT, || match victim {
                Victim::One => one.kill(),
                Victim::Two => two.kill(),
                Victim::Redis => redis.kill(),
                Victim::Postgres => postgres.kill(),
            })
            .await
    }

    async fn restart(&mut self, victim: Victim) {
        let node = match victim {
            Victim::One => &mut self.nodes[0],
            Victim::Two => &mut self.nodes[1],
            Victim::Redis => return tokio::task::block_in_place(|| self.redis.restart()),
            Victim::Postgres => return tokio::task::block_in_place(|| self.postgres.restart()),
        };
        node.bury();
        node.start(&self.http).await;
    }

    /// While the database is down, every node says so, and when to come back.
    async fn refuses(&self, urls: &[String]) {
        for url in urls {
            patiently("a refusal", async { while !self.refused(url).await {} }).await;
        }
    }

    async fn refused(&self, url: &str) -> bool {
        let body =
            serde_json::json!({ "to": { "user": "nobody" }, "type": "chaos", "title": "away" });
        let request = self.http.post(format!("{url}/v1/notifications")).bearer_auth("dev");
        let answer = request.json(&body).send().await.unwrap();
        if answer.status() == 201 {
            // PostgreSQL's child processes outlive it for a moment, and their commits are durable.
            return false;
        }
        assert_eq!(answer.status(), 503, "{url}");
        assert!(answer.headers().contains_key("retry-after"), "{url}");
        true
    }
}

/// Waits until this many more publishes are acknowledged.
async fn acknowledged(storm: &Storm, more: u64, what: &str) {
    let goal = storm.read(|state| state.acknowledged) + more;
    patiently(what, storm.until(|state| state.acknowledged >= goal)).await;
}

/// A client of every user on each node.
async fn subscribers(urls: &[String]) -> Vec<Subscriber> {
    let made = urls.iter().enumerate().flat_map(|(node, url)| {
        // The two clients of a user use different transports.
        let ways = WAYS.into_iter().cycle().skip(node);
        USERS.into_iter().zip(ways).map(move |(user, way)| async move {
            let name = format!("client of {user} on node {node} over {way:?}");
            Subscriber::new(&Api::new(url.clone()), url, user, way, name).await
        })
    });
    join_all(made).await
}
