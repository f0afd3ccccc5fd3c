//! TCP connections below HTTP: clients that stop sending or are idle, and for how long they may.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::harness::{Server, within};

/// A TCP connection that has sent this text.
async fn saying(server: &Server, text: &str) -> TcpStream {
    let mut link = TcpStream::connect(server.at).await.unwrap();
    link.write_all(text.as_bytes()).await.unwrap();
    link
}

/// A request's text.
fn request(line: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("{line} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

fn publish(title: &str) -> String {
    let body = json!({ "to": { "user": "mina" }, "type": "note", "title": title }).to_string();
    let headers = "authorization: Bearer dev\r\ncontent-type: application/json\r\n";
    request("POST /v1/notifications", headers, &body)
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Sends this text, stops sending, and reads to the end.
async fn answer_to_the_last_words(server: &Server, text: &str) -> String {
    let mut link = saying(server, text).await;
    link.shutdown().await.unwrap();
    let mut answer = String::new();
    within("the answer's end", link.read_to_string(&mut answer)).await.unwrap();
    answer
}

/// Reads until this text came.
async fn until(link: &mut TcpStream, text: &str) -> String {
    let mut received = Vec::new();
    within(text, async {
        while !String::from_utf8_lossy(&received).contains(text) {
            let read = link.read_buf(&mut received).await.unwrap();
            assert_ne!(read, 0, "ended before {text}: {}", String::from_utf8_lossy(&received));
        }
    })
    .await;
    String::from_utf8(received).unwrap()
}

/// A poll that waits for news.
async fn waiting_poll(server: &Server, user: &str) -> String {
    let ticket = server.ticket(user, json!({})).await;
    let first = server.request(http::Method::GET, &format!("/v1/poll?ticket={ticket}"));
    let lines = first.send().await.unwrap().text().await.unwrap();
    let head: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let [cursor, token] = ["cursor", "session_token"].map(|key| head[key].as_str().unwrap());
    let line = format!("GET /v1/poll?cursor={cursor}");
    request(&line, &format!("authorization: Bearer {token}\r\n"), "")
}

#[tokio::test]
async fn who_stops_speaking_after_a_request_is_answered() {
    let server = Server::start().await;
    for number in 0..20 {
        let answer = answer_to_the_last_words(&server, &publish(&number.to_string())).await;
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    }
    let two = publish("one of two") + &publish("two of two");
    let answers = answer_to_the_last_words(&server, &two).await;
    assert_eq!(answers.matches("HTTP/1.1 201 ").count(), 2, "{answers}");
    let token = server.token("mina").await;
    let inbox = request("GET /v1/inbox", &format!("authorization: Bearer {token}\r\n"), "");
    let answer = answer_to_the_last_words(&server, &inbox).await;
    assert!(answer.contains("two of two"), "{answer}");
    let ticket = server.ticket("mina", json!({})).await;
    let poll = request(&format!("GET /v1/poll?ticket={ticket}"), "", "");
    let answer = answer_to_the_last_words(&server, &poll).await;
    assert!(answer.contains("snapshot"), "{answer}");
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_not_taken_for_a_large_one() {
    let server = Server::start().await;
    let headers = "authorization: Bearer dev\r\ncontent-type: application/json\r\n";
    let publish = "POST /v1/notifications HTTP/1.1\r\nhost: localhost\r\n";
    let short = format!("{publish}{headers}content-length: 99\r\n\r\n{{}}");
    let garbled = format!("{publish}{headers}transfer-encoding: chunked\r\n\r\nno chunk\r\n");
    for text in [short, garbled] {
        let answer = answer_to_the_last_words(&server, &text).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("ended before its `Content-Length`"), "{answer}");
    }
}

#[tokio::test]
async fn a_poll_whose_peer_stops_speaking_is_answered_at_once() {
    let server = Server::with(|config| config.limits.poll_ms = 600_000).await;
    let poll = waiting_poll(&server, "mina").await;
    let answer = answer_to_the_last_words(&server, &poll).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("cursor"), "{answer}");
}

#[tokio::test]
async fn a_stream_whose_peer_stops_speaking_goes_on() {
    let server = Server::start().await;
    let ticket = server.ticket("mina", json!({})).await;
    let mut link = saying(&server, &request(&format!("GET /v1/sse?ticket={ticket}"), "", "")).await;
    link.shutdown().await.unwrap();
    until(&mut link, "snapshot").await;
    // The server checked whether the client is still there, and the client stayed.
    let mut received = String::new();
    while received.matches("\n:\n").count() < 3 {
        received.push_str(&until(&mut link, ":\n\n").await);
    }
    server.notify("mina", "still here").await;
    until(&mut link, "still here").await;
}

#[tokio::test]
async fn a_stream_whose_peer_is_gone_gives_its_permit_back() {
    let server = Server::with(|config| {
        config.limits.connections_per_user = 1;
        config.limits.heartbeat_ms = 600_000;
    })
    .await;
    let stream = format!("/v1/sse?ticket={}", server.ticket("mina", json!({})).await);
    let mut link = saying(&server, &request(&format!("GET {stream}"), "", "")).await;
    until(&mut link, "snapshot").await;
    drop(link);
    within("a free place", async {
        loop {
            let mut socket = server.connecting("mina", json!({})).await;
            if socket.next().await["type"] == "connected" {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_link_may_rest_longer_than_a_head_may_take() {
    let server = Server::with(|config| config.limits.header_timeout_ms = 50).await;
    let mut rests = saying(&server, HEALTH).await;
    until(&mut rests, "ok\n").await;
    // A later silent connection has ended, so the time is over.
    let mut silent = saying(&server, "").await;
    assert_eq!(within("its end", silent.read(&mut [0])).await.unwrap(), 0);
    rests.write_all(HEALTH.as_bytes()).await.unwrap();
    until(&mut rests, "ok\n").await;
    // The next head has no more time than the first.
    rests.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    assert_eq!(within("its end", rests.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn a_link_that_rests_too_long_is_ended() {
    let server = Server::with(|config| config.limits.keep_alive_ms = 50).await;
    let mut rests = saying(&server, HEALTH).await;
    until(&mut rests, "ok\n").await;
    assert_eq!(within("its end", rests.read(&mut [0])).await.unwrap(), 0);
}

async fn of_three_links() -> Server {
    Server::with(|config| {
        config.limits.links = 3;
        config.limits.connections = 2;
        config.limits.header_timeout_ms = 100;
    })
    .await
}

/// This many connections, one after the other, that were answered and are idle.
async fn rest(server: &Server, count: usize) -> Vec<TcpStream> {
    let mut resting = Vec::new();
    for _ in 0..count {
        let mut link = saying(server, HEALTH).await;
        until(&mut link, "ok\n").await;
        resting.push(link);
    }
    resting
}

#[tokio::test]
async fn links_that_rest_make_room_where_there_is_none() {
    let server = of_three_links().await;
    let _resting = rest(&server, 3).await;
    let mut comes = saying(&server, HEALTH).await;
    until(&mut comes, "ok\n").await;
}

#[tokio::test]
async fn links_rest_on_once_nobody_waits_for_their_place() {
    let server = of_three_links().await;
    let mut resting = rest(&server, 4).await;
    // One more, silent: two have made room, all places are taken, and it ends first, so the time is
    // over.
    let mut silent = saying(&server, "").await;
    assert_eq!(within("its end", silent.read(&mut [0])).await.unwrap(), 0);
    for link in &mut resting[2..] {
        link.write_all(HEALTH.as_bytes()).await.unwrap();
        until(link, "ok\n").await;
    }
}
