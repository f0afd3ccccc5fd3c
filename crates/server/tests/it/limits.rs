//! Limits: input over them is refused with an error, and memory stays within them.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::harness::{Bystander, End, Server, within};

#[tokio::test]
async fn a_user_has_only_so_many_connections() {
    let server = Server::with(|config| config.limits.connections_per_user = 2).await;
    let first = server.connect("mina").await;
    let _second = server.connect("mina").await;
    let mut third = server.connecting("mina", json!({})).await;
    assert_eq!(third.end().await, End::new(4230, "connections"));
    let _other = server.connect("tom").await;
    drop(first);
    // The room is free once the server notices the end of the first connection.
    within("a free place", async {
        loop {
            let mut again = server.connecting("mina", json!({})).await;
            if again.next().await["type"] == "connected" {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_that_comes_again_needs_no_further_place() {
    let server = Server::with(|config| config.limits.connections_per_user = 1).await;
    for _ in 0..5 {
        let mut socket = server.connecting("mina", json!({ "instance": "page" })).await;
        socket.hear("connected").await;
        std::mem::forget(socket);
    }
}

#[tokio::test]
async fn a_full_server_tells_so() {
    let server = Server::with(|config| {
        config.limits.connections = 2;
        config.limits.close_timeout_ms = 50;
    })
    .await;
    let _members = [server.connect("mina").await, server.connect("tom").await];
    let _silent = server.open().await;
    let mut third = server.connecting("ann", json!({})).await;
    assert_eq!(third.end().await, End::new(1013, "busy"));
    // A client that does not agree to the close is cut off: refused sockets can't pile up.
    let mut stubborn = server.connecting("ann", json!({})).await;
    within("the cut", stubborn.raw().read_to_end(&mut Vec::new())).await.unwrap();
}

#[tokio::test]
async fn a_flood_is_told_when_to_go_on_and_then_cut_off() {
    let server = Server::with(|config| {
        config.limits.message_burst = 5;
        config.limits.message_interval_ms = 60_000;
        config.limits.flood_strikes = 3;
    })
    .await;
    let mut bystander = Bystander::enter(&server).await;
    let mut socket = server.connect("mina").await;
    // `connect` was the first of the five.
    for number in 1..=8 {
        socket.say(json!({ "type": "ping", "id": number })).await;
    }
    for number in 1..=4 {
        assert_eq!(socket.hear("pong").await["id"], number);
    }
    for number in 5..=7 {
        let error = socket.hear("error").await;
        assert_eq!((&error["code"], &error["id"]), (&json!("flood"), &json!(number)));
        let wait = error["retry_after_ms"].as_u64().unwrap();
        // The time until the whole burst is available again: a client may have as many messages in
        // flight.
        assert!((240_000..=300_000).contains(&wait), "{wait}");
    }
    assert_eq!(socket.end().await, End::new(4229, "flood"));
    bystander.is_unharmed(&server, "a flood").await;
}

#[tokio::test]
async fn a_connection_has_only_so_many_channels() {
    let server = Server::with(|config| config.limits.subscriptions = 3).await;
    let mut socket = server.connect("mina").await;
    let subscribe = |name: &str| json!({ "type": "subscribe", "channel": format!("room:{name}") });
    socket.say(subscribe("1")).await;
    socket.hear("subscribed").await;
    socket.say(subscribe("2")).await;
    assert_eq!(socket.hear("error").await["code"], "subscriptions");
    socket.say(json!({ "type": "unsubscribe", "channel": "room:1" })).await;
    socket.hear("unsubscribed").await;
    socket.say(subscribe("2")).await;
    socket.hear("subscribed").await;
}

#[tokio::test]
async fn a_socket_that_says_nothing_is_not_held() {
    let server = Server::with(|config| config.limits.connect_ms = 50).await;
    let mut socket = server.open().await;
    assert_eq!(socket.end().await, End::new(4210, "timeout"));
}

#[tokio::test]
async fn a_link_that_sends_no_headers_is_not_held() {
    let server = Server::with(|config| config.limits.header_timeout_ms = 50).await;
    let mut link = tokio::net::TcpStream::connect(server.at).await.unwrap();
    link.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n").await.unwrap();
    let mut answer = Vec::new();
    within("the cut", link.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}

/// More than sockets and mailbox hold together.
const RECORDS: usize = 400;

async fn publish_much(server: &Server, user: &str) {
    let filler = "x".repeat(32 * 1024);
    for number in 1..=RECORDS {
        let body = json!({ "to": { "user": user }, "type": "note", "title": number.to_string(), "data": filler });
        let answer = server.backend("/v1/notifications").json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 201);
    }
}

#[tokio::test]
async fn who_does_not_read_for_a_while_misses_nothing() {
    let server = Server::with(|config| config.limits.mailbox_bytes = 128 * 1024).await;
    let mut bystander = Bystander::enter(&server).await;
    let mut slow = server.connect("mina").await;
    publish_much(&server, "mina").await;
    bystander.is_unharmed(&server, "a slow reader").await;
    for number in 1..=RECORDS {
        let record = slow.hear("notification").await;
        assert_eq!(record["offset"], number);
        assert_eq!(record["data"]["title"], number.to_string());
    }
    server.notify("mina", "live again").await;
    assert_eq!(slow.titles(1).await, ["live again"]);
}

#[tokio::test]
async fn who_does_not_read_at_all_is_let_go() {
    let server = Server::with(|config| {
        config.limits.mailbox_bytes = 64 * 1024;
        config.limits.send_timeout_ms = 100;
        config.limits.close_timeout_ms = 100;
        config.limits.connections_per_user = 1;
    })
    .await;
    let mut bystander = Bystander::enter(&server).await;
    let _stuck = server.connect("mina").await;
    publish_much(&server, "mina").await;
    // The connection's room is free again, although the client never closed it.
    within("a free place", async {
        loop {
            let mut again = server.connecting("mina", json!({})).await;
            if again.next().await["type"] == "connected" {
                break;
            }
        }
    })
    .await;
    bystander.is_unharmed(&server, "a stuck reader").await;
}

#[tokio::test]
async fn requests_over_the_outstanding_bound_wait_in_the_socket() {
    let server = Server::with(|config| {
        config.limits.outstanding = 2;
        config.limits.message_burst = 1_000;
    })
    .await;
    let mut socket = server.connect("mina").await;
    for number in 1..=100 {
        socket
            .say(json!({ "type": "publish", "id": number, "channel": "room:1", "data": number }))
            .await;
    }
    for number in 1..=100 {
        let ack = socket.hear("ack").await;
        assert_eq!(
            (&ack["id"], &ack["offset"]),
            (&json!(number), &json!(number)),
            "in order, none lost"
        );
    }
}

#[tokio::test]
async fn a_page_is_never_larger_than_allowed() {
    let server = Server::with(|config| config.limits.page = 3).await;
    let mut socket = server.connecting("mina", json!({})).await;
    assert_eq!(socket.hear("connected").await["limits"]["page"], 3);
    socket.until("snapshot").await;
    for number in 0..5 {
        server.notify("mina", &number.to_string()).await;
    }
    socket.say(json!({ "type": "history", "channel": "inbox:mina", "limit": 100 })).await;
    let page = socket.until("page").await;
    assert_eq!((page["items"].as_array().unwrap().len(), &page["more"]), (3, &Value::Bool(true)));
    let token = server.token("mina").await;
    let path = "/v1/channels/room:1/messages";
    let history = server.request(http::Method::GET, path).bearer_auth(token);
    super::harness::answered(history, http::StatusCode::OK).await;
}
