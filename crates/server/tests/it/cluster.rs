//! Two nodes on one PostgreSQL, with and without Redis between them.

use serde_json::json;
use tidings_backing::Redis;

use crate::{
    harness::{End, Server, created, text, within},
    postgres,
};

/// Two nodes on a new database.
pub(crate) async fn nodes(bus: &str) -> [Server; 2] {
    let url = postgres::server().database();
    [node(&url, bus, 1_000).await, node(&url, bus, 1_000).await]
}

/// `poll_ms` is how long other nodes' records take without a bus.
async fn node(url: &str, bus: &str, poll_ms: u64) -> Server {
    let (url, bus) = (url.to_owned(), bus.to_owned());
    Server::with(move |config| {
        config.store.url.0 = url;
        config.store.poll_ms = poll_ms;
        config.bus.url.0 = bus;
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_on_one_node_is_seen_on_the_other_once_and_in_order() {
    let redis = Redis::start();
    let [one, two] = nodes(&redis.url()).await;
    let mut sockets = [one.connect("mina").await, two.connect("mina").await];
    let titles: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    for (n, title) in titles.iter().enumerate() {
        let node = if n % 3 == 0 { &one } else { &two };
        node.notify("mina", title).await;
    }
    for socket in &mut sockets {
        assert_eq!(socket.titles(titles.len()).await, titles);
    }
    one.notify_to(json!({ "everyone": true }), "to all").await;
    for socket in &mut sockets {
        assert_eq!(socket.titles(1).await, ["to all"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_do_it_alone_where_nobody_polls() {
    let redis = Redis::start();
    let url = postgres::server().database();
    const NEVER: u64 = 3_600_000;
    let (one, two) = (node(&url, &redis.url(), NEVER).await, node(&url, &redis.url(), NEVER).await);
    let mut socket = two.connect("mina").await;
    // Messages that are sent before both ends of the bus are up get lost. A later one then brings
    // both.
    let published = async {
        for n in 0_u64.. {
            one.notify("mina", &n.to_string()).await;
            if let Ok(first) =
                tokio::time::timeout(std::time::Duration::from_secs(1), socket.titles(1)).await
            {
                return first;
            }
        }
        Vec::new()
    };
    assert_eq!(within("a hint", published).await, ["0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_bus_the_poll_brings_what_others_wrote() {
    let [one, two] = nodes("").await;
    let mut socket = two.connect("mina").await;
    one.notify("mina", "1").await;
    assert_eq!(socket.titles(1).await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn delivery_goes_on_while_redis_is_away() {
    let mut redis = Redis::start();
    let [one, two] = nodes(&redis.url()).await;
    let mut socket = two.connect("mina").await;
    one.notify("mina", "before").await;
    assert_eq!(socket.titles(1).await, ["before"]);
    redis.kill();
    one.notify("mina", "without").await;
    assert_eq!(socket.titles(1).await, ["without"]);
    let ready = one.request(reqwest::Method::GET, "/readyz").send().await.unwrap();
    assert_eq!(ready.status(), 200, "a node without its bus serves");
    redis.restart();
    one.notify("mina", "after").await;
    assert_eq!(socket.titles(1).await, ["after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_one_node_are_good_on_the_other_and_a_ticket_once() {
    let [one, two] = nodes("").await;
    let ticket = one.ticket("mina", json!({})).await;
    let mut first = two.open().await;
    first.say(json!({ "type": "connect", "version": 1, "ticket": ticket })).await;
    let connected = first.hear("connected").await;
    let mut second = one.open().await;
    second.say(json!({ "type": "connect", "version": 1, "ticket": ticket })).await;
    assert_eq!(second.end().await, End::new(4001, "ticket_invalid"));
    for credential in [
        json!({ "session_token": text(&connected["session_token"]) }),
        json!({ "token": two.token("mina").await }),
    ] {
        let mut socket = one.open().await;
        let mut connect = json!({ "type": "connect", "version": 1 });
        connect.as_object_mut().unwrap().extend(credential.as_object().unwrap().clone());
        socket.say(connect).await;
        socket.hear("connected").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_reaches_sockets_and_entrances_of_all_nodes() {
    let redis = Redis::start();
    for bus in ["", &*redis.url()] {
        let [one, two] = nodes(bus).await;
        let token = two.token("mina").await;
        let mut socket = two.connect("mina").await;
        // A JWT's issue time is in whole seconds: revoking the user hits older ones.
        let body = json!({ "user": "mina" });
        let revoked = one.backend("/v1/revocations").json(&body).send().await.unwrap();
        assert_eq!(revoked.status(), 202);
        assert_eq!(socket.end().await, End::new(4003, "revoked"), "bus {bus:?}");
        let mut late = two.open().await;
        late.say(json!({ "type": "connect", "version": 1, "token": token })).await;
        assert_eq!(late.end().await, End::new(4003, "revoked"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_limit_holds_over_nodes_and_who_leaves_makes_room() {
    let url = postgres::server().database();
    let start = || async {
        let url = url.clone();
        Server::with(move |config| {
            config.store.url.0 = url;
            config.limits.connections_per_user = 2;
        })
        .await
    };
    let (one, two) = (start().await, start().await);
    let first = one.connect("mina").await;
    let _second = two.connect("mina").await;
    let mut third = two.connecting("mina", json!({})).await;
    assert_eq!(third.end().await, End::new(4230, "connections"));
    drop(first);
    let room = async {
        loop {
            let mut socket = two.connecting("mina", json!({})).await;
            if socket.next().await["type"] == "connected" {
                return;
            }
        }
    };
    within("a place", room).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_comes_back_to_another_node_replaces_its_older_connection() {
    let redis = Redis::start();
    let [one, two] = nodes(&redis.url()).await;
    let page = json!({ "instance": "page" });
    let mut older = one.connecting("mina", page.clone()).await;
    older.hear("connected").await;
    let mut newer = two.connecting("mina", page).await;
    newer.hear("connected").await;
    assert_eq!(older.end().await.error, "replaced");
}

/// Two nodes without a bus, with one connection for each user.
async fn without_bus(url: &str) -> [Server; 2] {
    let start = || async {
        let url = url.to_owned();
        Server::with(move |config| {
            config.store.url.0 = url;
            config.store.lease_ms = 9_000;
            config.limits.connections_per_user = 1;
        })
        .await
    };
    [start().await, start().await]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_went_elsewhere_leaves_no_connection_behind_though_nothing_tells_of_it() {
    let url = postgres::server().database();
    let [one, two] = without_bus(&url).await;
    let page = json!({ "instance": "page" });
    for _ in 0..2 {
        let mut older = one.connecting("mina", page.clone()).await;
        older.hear("connected").await;
        let mut newer = two.connecting("mina", page.clone()).await;
        newer.hear("connected").await;
        assert_eq!(older.end().await, End::new(4105, "replaced"));
        two.notify("mina", "1").await;
        assert_eq!(newer.until("notification").await["data"]["title"], "1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_lease_ended_takes_no_place_from_a_page_that_went_elsewhere() {
    let url = postgres::server().database();
    let [one, two] = without_bus(&url).await;
    let page = json!({ "instance": "page" });
    let mut older = one.connecting("mina", page.clone()).await;
    older.hear("connected").await;
    // The first node is not told, because there is no bus.
    let mut newer = two.connecting("mina", page).await;
    newer.hear("connected").await;
    let ended = "DELETE FROM node WHERE id NOT IN (SELECT node FROM seat WHERE username <> '')";
    postgres::execute(&url, ended);
    assert_eq!(older.end().await, End::new(1012, "restart"), "it may come back as the newer one");
    let mut third = two.connecting("mina", json!({})).await;
    assert_eq!(third.end().await, End::new(4230, "connections"), "the newer one is counted");
    two.notify("mina", "1").await;
    assert_eq!(newer.until("notification").await["data"]["title"], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn publishes_are_refused_with_a_time_to_come_back_while_the_database_is_away() {
    let mut database = tidings_backing::Postgres::start();
    let node = node(&database.database(), "", 1_000).await;
    let mut socket = node.connect("mina").await;
    node.notify("mina", "before").await;
    assert_eq!(socket.titles(1).await, ["before"]);
    database.kill();
    let body = json!({ "to": { "user": "mina" }, "type": "note", "title": "x" });
    let publish = || node.backend("/v1/notifications").header("idempotency-key", "k").json(&body);
    let refused = publish().send().await.unwrap();
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    database.restart();
    let stored = async {
        while publish().send().await.unwrap().status() != 201 {}
        created(publish()).await
    };
    within("the database's return", stored).await;
    // The connection stayed open all the time.
    assert_eq!(socket.titles(1).await, ["x"]);
}
