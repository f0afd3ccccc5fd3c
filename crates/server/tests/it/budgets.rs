//! A user's rates over all transports and REST: one user with a valid credential attacks the
//! binary, while a hundred other users work normally.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use http::{Method, StatusCode};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use tidings_backing::Redis;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    harness::{
        End, Process, Server, Socket, answered, created, http, problem, refused, text, text_of,
        within,
    },
    postgres,
};

/// An hour, which is longer than any test: used units do not come back.
const LONG: u64 = 3_600_000;
/// Users beside an attack.
pub(crate) const HONEST: usize = 100;

/// The binary, with rates of one unit an hour.
pub(crate) struct Attacked {
    process: Process,
    http: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Attacked {
    pub(crate) fn start(limits: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Process::serve(folder.path(), &format!("[limits]\n{limits}"));
        Self { process, http: http(), _folder: folder }
    }

    /// A user with all rights in rooms: an admitted socket, its session and the session token.
    pub(crate) async fn enter(&self, user: &str) -> (Socket, String, String) {
        let allow = ["subscribe", "publish", "history"];
        let rights = json!([{ "pattern": "room:*", "allow": allow }]);
        let ask = json!({ "user": user, "channels": rights });
        let ticket = created(self.process.backend("/v1/tickets").json(&ask)).await;
        let mut socket = self.process.open().await;
        let ticket = &ticket["ticket"];
        socket.say(json!({ "type": "connect", "version": 1, "ticket": ticket })).await;
        let connected = socket.hear("connected").await;
        socket.until("snapshot").await;
        (socket, text(&connected["session"]), text(&connected["session_token"]))
    }

    pub(crate) fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.process.at);
        self.http.request(method, url).bearer_auth(token)
    }

    fn publish(&self, token: &str) -> RequestBuilder {
        let path = "/v1/channels/room:1/messages";
        self.request(Method::POST, path, token).json(&json!({ "data": 1 }))
    }

    /// Connects, publishes by socket and by REST, reads, and gets each answer.
    async fn honest(&self, number: usize) {
        let user = format!("honest{number}");
        let (mut socket, session, token) = self.enter(&user).await;
        socket
            .say(json!({ "type": "publish", "id": 1, "channel": "room:1", "data": number }))
            .await;
        socket.until("ack").await;
        answered(self.publish(&token), StatusCode::CREATED).await;
        let path = format!("/v1/sessions/{session}/messages");
        let ping = self.request(Method::POST, &path, &token).json(&json!({ "type": "ping" }));
        assert_eq!(answered(ping, StatusCode::OK).await["type"], "pong");
        answered(self.request(Method::GET, "/v1/inbox", &token), StatusCode::OK).await;
        let history = self.request(Method::GET, "/v1/channels/room:1/messages?limit=1", &token);
        answered(history, StatusCode::OK).await;
    }

    pub(crate) async fn hundred(&self) {
        within("a hundred honest users", join_all((0..HONEST).map(|one| self.honest(one)))).await;
    }
}

/// Whether the request was let through. A refusal has a code and a retry time.
async fn passed(answer: Response) -> bool {
    if answer.status().is_success() {
        return true;
    }
    assert!(text_of(&answer, "retry-after").is_some_and(|wait| wait.parse::<u64>().unwrap() > 0));
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    // A problem, or the message that streams and polls answer.
    let body = answer.text().await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["code"], "flood", "{body}");
    false
}

/// Sends this many publishes at once, and counts the acknowledged ones.
async fn publish_by_socket(socket: &mut Socket, count: usize) -> usize {
    for id in 0..count {
        socket.say(json!({ "type": "publish", "id": id, "channel": "room:1", "data": 1 })).await;
    }
    let mut acks = 0;
    for _ in 0..count {
        let answer = socket.next().await;
        match answer["type"].as_str() {
            Some("ack") => acks += 1,
            _ => {
                assert_eq!(answer["code"], "flood", "{answer}");
                assert!(answer["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0));
            }
        }
    }
    acks
}

#[tokio::test(flavor = "multi_thread")]
async fn one_users_messages_at_every_entrance_are_one_budget_and_a_hundred_others_are_served() {
    const BURST: usize = 150;
    let server = Attacked::start(&format!(
        "user_message_burst = {BURST}\nuser_message_interval_ms = {LONG}"
    ));
    let (mut one, session, token) = server.enter("mina").await;
    let (mut two, _, other_token) = server.enter("mina").await;
    let taken = AtomicUsize::new(0);
    let by_rest = async |token: &str| {
        for _ in 0..60 {
            if passed(server.publish(token).send().await.unwrap()).await {
                taken.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let by_posts = async {
        let line = json!({ "type": "publish", "id": 1, "channel": "room:1", "data": 1 });
        let lines = vec![line.to_string(); 10].join("\n");
        for _ in 0..6 {
            let path = format!("/v1/sessions/{session}/messages");
            let post = server.request(Method::POST, &path, &token);
            let post = post.header("content-type", "application/json").body(lines.clone());
            let answers = post.send().await.unwrap().text().await.unwrap();
            let acks = answers.lines().filter(|line| line.contains("\"ack\"")).count();
            assert_eq!(answers.lines().count(), 10, "{answers}");
            taken.fetch_add(acks, Ordering::Relaxed);
        }
    };
    let by_sockets = async {
        let acks = tokio::join!(publish_by_socket(&mut one, 60), publish_by_socket(&mut two, 60));
        taken.fetch_add(acks.0 + acks.1, Ordering::Relaxed);
    };
    let attack =
        async { tokio::join!(by_rest(&token), by_rest(&other_token), by_posts, by_sockets) };
    tokio::join!(attack, server.hundred());
    assert_eq!(taken.into_inner(), BURST, "of 300 publishes by five ways");
    // The budget is used up, and the connection still works.
    one.say(json!({ "type": "ping", "id": 9 })).await;
    assert_eq!(one.hear("pong").await["id"], 9);
    // A backend's publishes do not count for the user.
    let by_backend = server.process.backend("/v1/channels/room:1/messages");
    created(by_backend.json(&json!({ "data": 1 }))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_users_reads_are_one_budget_and_a_hundred_others_are_served() {
    const BURST: usize = 40;
    let server =
        Attacked::start(&format!("user_read_burst = {BURST}\nuser_read_interval_ms = {LONG}"));
    let (mut socket, _, token) = server.enter("mina").await;
    let taken = AtomicUsize::new(0);
    let by_rest = async |path: &str| {
        for _ in 0..30 {
            let asked = server.request(Method::GET, path, &token).send().await.unwrap();
            if passed(asked).await {
                taken.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let by_socket = async {
        for id in 0..30 {
            socket.say(json!({ "type": "history", "id": id, "channel": "room:1" })).await;
            if socket.next().await["type"] == "page" {
                taken.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let history = by_rest("/v1/channels/room:1/messages");
    let attack =
        async { tokio::join!(by_rest("/v1/inbox"), history, by_rest("/v1/poll"), by_socket) };
    tokio::join!(attack, server.hundred());
    assert_eq!(taken.into_inner(), BURST, "of 120 reads by four ways");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_users_sessions_are_one_budget_and_a_hundred_others_are_served() {
    let server = Attacked::start(&format!("user_open_burst = 5\nuser_open_interval_ms = {LONG}"));
    let token = server.enter("mina").await.2;
    let attack = async {
        let mut taken = 1;
        for _ in 0..10 {
            let mut socket = server.process.open().await;
            let connect = json!({ "type": "connect", "version": 1, "session_token": token });
            socket.say(connect).await;
            match socket.next().await {
                connected if connected["type"] == "connected" => taken += 1,
                error => {
                    assert_eq!(error["code"], "flood", "{error}");
                    assert!(error["retry_after_ms"].is_u64());
                    assert_eq!(socket.end().await, End::new(4229, ""));
                }
            }
            let stream = server.request(Method::POST, "/v1/sse", &token);
            let connect = json!({ "type": "connect", "version": 1 });
            taken += usize::from(passed(stream.json(&connect).send().await.unwrap()).await);
        }
        taken
    };
    let (taken, ()) = tokio::join!(attack, server.hundred());
    assert_eq!(taken, 5, "of 21 sessions by two ways");
}

#[tokio::test]
async fn pings_of_a_socket_are_held_to_the_rate_of_messages() {
    let server = Server::start().await;
    // One after the other, as an impatient client does: no refusal.
    let mut honest = server.connect("mina").await;
    for number in 0..50_u8 {
        honest.say_message(Message::Ping(vec![number].into())).await;
        let pong = within("a pong", honest.frame()).await;
        assert_eq!(pong, Some(Message::Pong(vec![number].into())));
    }
    let mut flooding = server.connect("tom").await;
    for _ in 0..3_000 {
        flooding.say_message(Message::Ping(Vec::new().into())).await;
    }
    let error = within("a word", async {
        loop {
            match flooding.frame().await {
                Some(Message::Text(text)) => break text.to_string(),
                Some(_) => {}
                None => panic!("it ended without a word"),
            }
        }
    })
    .await;
    assert_eq!(serde_json::from_str::<Value>(&error).unwrap()["code"], "flood");
    let mut after = server.connect("tom").await;
    after.say(json!({ "type": "ping" })).await;
    after.hear("pong").await;
}

#[tokio::test]
async fn a_user_publishes_no_more_at_once_by_rest_than_by_socket() {
    let server = Server::start().await;
    let token = server.token("mina").await;
    let body = json!({ "data": "x".repeat(11_000) });
    let path = "/v1/channels/room:1/messages";
    let by_user = server.request(Method::POST, path).bearer_auth(&token).json(&body);
    assert_eq!(refused(by_user).await, (413, "too_large".to_owned()));
    created(server.backend(path).json(&body)).await;
    let generous = Server::with(|config| config.limits.user_publish_bytes = 20_000).await;
    let token = generous.token("mina").await;
    created(generous.request(Method::POST, path).bearer_auth(&token).json(&body)).await;
}

#[tokio::test]
async fn what_was_refused_is_told_in_the_figures() {
    let server = Server::with(|config| {
        config.limits.user_message_burst = 1;
        config.limits.user_message_interval_ms = LONG;
    })
    .await;
    let token = server.token("mina").await;
    let publish = || {
        let post = server.request(Method::POST, "/v1/channels/room:1/messages");
        post.bearer_auth(&token).json(&json!({ "data": 1 }))
    };
    created(publish()).await;
    assert_eq!(refused(publish()).await, (429, "flood".to_owned()));
    within("a figure", async {
        loop {
            let figures = server.request(Method::GET, "/metrics").send().await.unwrap();
            let figures = figures.text().await.unwrap();
            if figures.contains("tidings_budget_refusals_total{kind=\"messages\"}") {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_one_budget_over_two_nodes() {
    const BURST: u64 = 64;
    let redis = Redis::start();
    let url = postgres::server().database();
    let start = async || {
        let (url, bus) = (url.clone(), redis.url());
        Server::with(move |config| {
            config.store.url.0 = url;
            config.bus.url.0 = bus;
            // With such a poll, immediate messages can only come by the bus.
            config.store.poll_ms = LONG;
            config.limits.user_message_burst = BURST;
            config.limits.user_message_interval_ms = LONG;
        })
        .await
    };
    let (one, two) = (start().await, start().await);
    let mut socket = two.connect("tom").await;
    within("the bus", async {
        loop {
            one.notify("tom", "are you there?").await;
            let received = tokio::time::timeout(std::time::Duration::from_secs(1), socket.next());
            if received.await.is_ok() {
                break;
            }
        }
    })
    .await;
    let token = one.token("mina").await;
    let publish = |node: &Server, token: &str| {
        let post = node.request(Method::POST, "/v1/channels/room:1/messages");
        post.bearer_auth(token).json(&json!({ "data": 1 }))
    };
    for _ in 0..BURST {
        created(publish(&one, &token)).await;
    }
    // The other node learns of it within about a second; until then it may let some through.
    let token = two.token("mina").await;
    let mut taken = 0;
    let mut turns = tokio::time::interval(std::time::Duration::from_millis(50));
    while taken < BURST {
        turns.tick().await;
        if !passed(publish(&two, &token).send().await.unwrap()).await {
            break;
        }
        taken += 1;
    }
    assert!(taken < BURST, "the second node never heard of what was used on the first");
    let other = two.token("lea").await;
    created(publish(&two, &other)).await;
}

/// Requests all tickets at once. Returns how many came, and how many were refused as `full`.
async fn tickets(asks: impl IntoIterator<Item = RequestBuilder>) -> (usize, usize) {
    let answers = join_all(asks.into_iter().map(async |ask| {
        let answer = ask.send().await.unwrap();
        let status = answer.status();
        if status != StatusCode::CREATED {
            assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
            assert!(text_of(&answer, "retry-after").is_some());
            assert_eq!(problem(answer).await["code"], "full");
        }
        status
    }));
    let answers = within("the tickets", answers).await;
    let given = answers.iter().filter(|status| **status == StatusCode::CREATED).count();
    (given, answers.len() - given)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_backend_leaves_the_others_their_share_of_tickets() {
    const SHOP: &str = "the-shops-own-key-0123456789";
    let shop = "55759606321e41736099b240b4f5b1262612b438ff57e3a51943ad27013045e5";
    let server = Attacked::start(&format!(
        "tickets = 1000\n[[auth.api_keys]]\nname = \"shop\"\nsha256 = \"{shop}\""
    ));
    let ask = |_| server.request(Method::POST, "/v1/tickets", SHOP).json(&json!({ "user": "u" }));
    let attack = tickets((0..600).map(ask));
    let (taken, ()) = tokio::join!(attack, server.hundred());
    assert_eq!(taken, (450, 150), "two keys: each has half of nine tenths");
}

#[tokio::test]
async fn a_user_has_only_so_many_tickets_waiting_and_asks_only_so_often() {
    let server = Server::with(|config| config.limits.user_tickets = 3).await;
    let token = server.token("mina").await;
    let ask = |token: &str| {
        server.request(Method::POST, "/v1/tickets").bearer_auth(token).json(&json!({}))
    };
    assert_eq!(tickets((0..5).map(|_| ask(&token))).await, (3, 2));
    // Other users are not affected, and tickets that her backend requests count for the backend.
    created(ask(&server.token("tom").await)).await;
    server.ticket("mina", json!({})).await;
    let server = Server::with(|config| {
        config.limits.user_ticket_burst = 2;
        config.limits.user_ticket_interval_ms = LONG;
    })
    .await;
    let token = server.token("mina").await;
    let ask = || server.request(Method::POST, "/v1/tickets").bearer_auth(&token).json(&json!({}));
    created(ask()).await;
    created(ask()).await;
    assert_eq!(refused(ask()).await, (429, "flood".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_of_a_backend_are_one_share_over_two_nodes() {
    let url = postgres::server().database();
    let start = async || {
        let url = url.clone();
        Server::with(move |config| {
            config.store.url.0 = url;
            config.limits.tickets = 100;
        })
        .await
    };
    let (one, two) = (start().await, start().await);
    let asks = (0..120).map(|number| {
        let node = if number % 2 == 0 { &one } else { &two };
        node.backend("/v1/tickets").json(&json!({ "user": "mina" }))
    });
    assert_eq!(tickets(asks).await, (90, 30), "one key has nine tenths, on whichever node");
}
