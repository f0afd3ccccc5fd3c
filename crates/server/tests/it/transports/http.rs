//! Properties of only the transports over plain HTTP: addresses, bodies, heads.

use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    connect_request::{ConnectRequest, Ended, Kind, Offer},
    link::Link,
};
use crate::{
    bad_input::patient,
    harness::{Bystander, Process, Server, http, refused, text, within},
};

pub(super) async fn enter(server: &Server, kind: Kind, user: &str) -> Link {
    let offer = Offer::Ticket(server.ticket(user, json!({})).await);
    let mut link = Link::open(kind, server.at, offer, ConnectRequest::default()).await;
    link.until("snapshot").await;
    link
}

#[tokio::test]
async fn addresses_that_are_wrong_are_refused_by_what_is_wrong() {
    let server = patient().await;
    let mut bystander = Bystander::enter(&server).await;
    let many: Vec<_> = (0..21).map(|number| format!("room:{number}")).collect();
    let many = format!("channels={}", many.join(","));
    let cases = [
        ("no channel", "channels=42", 404, "unknown_channel"),
        ("a control character", "channels=room:a%00", 404, "unknown_channel"),
        ("the same twice", "channels=room:1,room:1", 400, "bad_request"),
        ("what everybody has", "channels=system:all", 400, "bad_request"),
        ("too many", &many, 400, "bad_request"),
        ("no cursor", "cursor=hello", 400, "bad_request"),
        ("too few cursors", "cursor=aaaaaaaa.1", 400, "bad_request"),
        ("an offset above all", "cursor=aaaaaaaa.9007199254740992,-", 400, "bad_request"),
        ("no number", "wait=a", 400, "bad_request"),
        ("no credential", "", 401, "unauthorized"),
        ("a credential without end", &format!("ticket={}", "x".repeat(9_000)), 401, "unauthorized"),
    ];
    for (what, query, status, code) in cases {
        let poll = server.request(Method::GET, &format!("/v1/poll?{query}"));
        let answer = poll.send().await.unwrap();
        assert_eq!(answer.status(), status, "{what}");
        let error: Value = answer.json().await.unwrap();
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!(code)), "{what}");
        let stream = server.request(Method::GET, &format!("/v1/sse?{query}"));
        let status = if status == 401 { 401 } else { 204 };
        assert_eq!(stream.send().await.unwrap().status(), status, "{what}");
        bystander.is_unharmed(&server, what).await;
    }
    for (id, status) in [("7", 204), ("ended", 204), ("-,-~st_x.y", 401), (&"x".repeat(3_000), 204)]
    {
        let stream = server.request(Method::GET, "/v1/sse").header("last-event-id", id);
        assert_eq!(stream.send().await.unwrap().status(), status, "{id}");
    }
}

#[tokio::test]
async fn bodies_that_are_wrong_are_refused_by_what_is_wrong() {
    let server = patient().await;
    let link = enter(&server, Kind::FetchedPoll, "mina").await;
    let (resume, _) = link.leave();
    let large = json!({ "type": "connect", "version": 1, "x": "x".repeat(65_536) }).to_string();
    let cases: [(&str, &[u8], u16, &str); 6] = [
        ("no JSON", b"hello", 400, "bad_request"),
        ("nothing", b"", 400, "bad_request"),
        ("another message", br#"{"type":"ping"}"#, 400, "bad_request"),
        ("another version", br#"{"type":"connect","version":9}"#, 400, "version"),
        ("invalid UTF-8", b"\"\xff\"", 400, "invalid_utf8"),
        ("more than 64 KiB", large.as_bytes(), 413, "too_large"),
    ];
    for (what, body, status, code) in cases {
        for path in ["/v1/sse", "/v1/poll"] {
            let post =
                server.request(Method::POST, path).header("content-type", "application/json");
            let answer = post.body(body.to_vec()).send().await.unwrap();
            assert_eq!(answer.status(), status, "{what} {path}");
            let error: Value = answer.json().await.unwrap();
            assert_eq!(error["code"], code, "{what} {path}");
        }
    }
    let path = format!("/v1/sessions/{}/messages", resume.session);
    let post = |token: &str, body: Vec<u8>| {
        let post = server.request(Method::POST, &path).header("content-type", "application/json");
        post.bearer_auth(token).body(body)
    };
    let ping = br#"{"type":"ping"}"#.to_vec();
    assert_eq!(refused(post("x", ping.clone())).await, (401, "unauthorized".into()));
    assert_eq!(refused(post(&resume.token, large.into())).await, (413, "too_large".into()));
    assert_eq!(refused(post(&resume.token, b"\xff".to_vec())).await, (400, "invalid_utf8".into()));
    let other = server.request(Method::POST, "/v1/sessions/another/messages");
    assert_eq!(
        refused(other.bearer_auth(&resume.token).json(&json!({}))).await,
        (403, "forbidden".into())
    );
    let text = server.request(Method::POST, &path).bearer_auth(&resume.token).body(ping);
    assert_eq!(refused(text).await, (415, "unsupported_media_type".into()));
}

#[tokio::test]
async fn what_a_post_says_is_answered_line_by_line() {
    let server = patient().await;
    let mut link = enter(&server, Kind::EventSource, "mina").await;
    let large = json!({ "type": "ping", "x": "x".repeat(10 * 1024) }).to_string();
    let body = "\n{\"type\":\"ping\",\"id\":1}\n\nhello\n{\"type\":\"subscribe\",\"id\":2,\"channel\":\"room:1\"}\n";
    let (status, lines) = link.post(body).await;
    assert_eq!(status, 200);
    let told: Vec<_> =
        lines.iter().map(|line| (text(&line["type"]), line["code"].clone())).collect();
    let bad = json!("bad_request");
    assert_eq!(
        told,
        [("pong".into(), Value::Null), ("error".into(), bad.clone()), ("error".into(), bad)]
    );
    let (_, lines) = link.post(&large).await;
    assert_eq!(lines[0]["code"], "too_large");
    let (status, lines) = link.post("").await;
    assert_eq!((status.as_u16(), lines.len()), (200, 0));
    server.notify("mina", "the stream is not concerned").await;
    link.hear("notification").await;
}

#[tokio::test]
async fn a_post_is_carried_out_in_order_and_within_its_bounds() {
    let server = Server::with(|config| {
        config.limits.outstanding = 2;
        config.limits.message_burst = 1_000;
    })
    .await;
    let token = server.token("mina").await;
    let body = json!({ "type": "connect", "version": 1, "token": token });
    let poll = server.request(Method::POST, "/v1/poll").json(&body).send().await.unwrap();
    let poll = poll.text().await.unwrap();
    let head: Value = serde_json::from_str(poll.lines().next().unwrap()).unwrap();
    let publishes: Vec<_> = (1..=60)
        .map(|id| {
            json!({ "type": "publish", "id": id, "channel": "room:1", "data": id }).to_string()
        })
        .collect();
    let path = format!("/v1/sessions/{}/messages", text(&head["session"]));
    let visit = server
        .request(Method::POST, &path)
        .bearer_auth(text(&head["session_token"]))
        .header("content-type", "application/json")
        .body(publishes.join("\n"));
    let acks = visit.send().await.unwrap().text().await.unwrap();
    let acks: Vec<Value> = acks.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(acks.len(), 60);
    for (ack, number) in acks.iter().zip(1..) {
        assert_eq!((&ack["id"], &ack["offset"]), (&json!(number), &json!(number)));
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let server = Server::with(|config| config.limits.body_timeout_ms = 100).await;
    for path in ["/v1/poll", "/v1/sse", "/v1/notifications"] {
        let mut link = tokio::net::TcpStream::connect(server.at).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer dev\r\ncontent-type: application/json\r\n\
             content-length: 100\r\n\r\n{{"
        );
        link.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; 12];
        within("the refusal", link.read_exact(&mut answer)).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 408", "{path}");
    }
}

#[tokio::test]
async fn a_silent_stream_has_a_heartbeat_and_stays() {
    let server = Server::with(|config| {
        config.limits.heartbeat_ms = 30;
        config.limits.timeout_ms = 30;
    })
    .await;
    // Heartbeats have no answer: a stream whose client takes bytes is alive.
    let mut link = enter(&server, Kind::EventSource, "mina").await;
    let received = within("heartbeats", async {
        tokio::select! {
            message = link.next() => panic!("heard {message}"),
            () = tokio::time::sleep(std::time::Duration::from_millis(400)) => {}
        }
        link.stream()
    });
    assert!(received.await.0 >= 2);
    server.notify("mina", "alive").await;
    link.hear("notification").await;
}

#[tokio::test]
async fn a_stream_whose_client_reads_messages_is_told_time_and_tops() {
    let server = Server::with(|config| config.limits.heartbeat_ms = 30).await;
    let mut link = enter(&server, Kind::FetchedStream, "mina").await;
    for _ in 0..3 {
        let pong = link.hear("pong").await;
        assert!(pong["now"].as_u64().is_some() && pong["tops"].is_null(), "{pong}");
    }
    server.notify("mina", "alive").await;
    let told = within("its top", async {
        loop {
            let pong = link.until("pong").await;
            if !pong["tops"].is_null() {
                return pong["tops"].clone();
            }
        }
    });
    assert_eq!(told.await, json!({ "inbox:mina": 1 }));
    assert_eq!(link.stream().0, 0, "that is heartbeat enough");
}

#[tokio::test]
async fn a_stream_ends_in_time_and_goes_on_where_it_was() {
    let server = Server::with(|config| {
        config.limits.stream_ms = 1_000;
        config.limits.connections_per_user = 1;
    })
    .await;
    for kind in [Kind::EventSource, Kind::FetchedStream] {
        let mut link = enter(&server, kind, "mina").await;
        server.notify("mina", "before").await;
        link.hear("notification").await;
        let ended = within("the end of its time", link.end()).await;
        assert_eq!(ended, Ended { retry: "backoff", code: None }, "{kind:?}: without an error");
        let (resume, _) = link.leave();
        server.notify("mina", "between").await;
        // Its room is free, although the client did not say that it left.
        let offer = Offer::Resume(resume);
        let mut link = Link::open(kind, server.at, offer, ConnectRequest::default()).await;
        assert_eq!(link.until("notification").await["data"]["title"], "between", "{kind:?}");
        within("its end", link.end()).await;
    }
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_let_go_with_its_link() {
    let server = Server::with(|config| {
        config.limits.mailbox_bytes = 64 * 1024;
        config.limits.send_timeout_ms = 100;
        config.limits.close_timeout_ms = 100;
        config.limits.connections_per_user = 1;
        config.limits.links = 40;
        config.limits.connections = 40;
    })
    .await;
    let ticket = server.ticket("mina", json!({})).await;
    let mut stuck = tokio::net::TcpStream::connect(server.at).await.unwrap();
    let head = format!("GET /v1/sse?ticket={ticket} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stuck.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    within("the head", stuck.read_exact(&mut first)).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let filler = "x".repeat(32 * 1024);
    for _ in 0..400 {
        let body =
            json!({ "to": { "user": "mina" }, "type": "note", "title": "t", "data": filler });
        server.backend("/v1/notifications").json(&body).send().await.unwrap();
    }
    within("a free place", async {
        loop {
            let offer = Offer::Ticket(server.ticket("mina", json!({})).await);
            let mut again =
                Link::open(Kind::EventSource, server.at, offer, ConnectRequest::default()).await;
            if again.maybe().await.is_some_and(|message| message["type"] == "connected") {
                break;
            }
        }
    })
    .await;
    // Not only is its room free: its TCP connection is cut, in the middle of untaken bytes.
    let mut rest = Vec::new();
    let ended = within("the cut", stuck.read_to_end(&mut rest)).await;
    assert!(ended.is_err() || !rest.ends_with(b"0\r\n\r\n"), "the stream was cut, not ended");
}

#[tokio::test]
async fn a_poll_waits_for_news_and_no_longer_than_it_may() {
    let server = Server::with(|config| config.limits.poll_ms = 50).await;
    let (resume, _) = enter(&server, Kind::AddressedPoll, "mina").await.leave();
    let path = format!("/v1/poll?cursor={}&wait=60000", resume.place);
    let ask = || server.request(Method::GET, &path).bearer_auth(&resume.token);
    // No news: the answer has the client's own cursor.
    let answer = within("an answer", ask().send()).await.unwrap().text().await.unwrap();
    let lines: Vec<_> = answer.lines().collect();
    assert_eq!(lines.len(), 1, "{answer}");
    let head: Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(head["cursor"], resume.place);
    // Messages published meanwhile are answered at once, and again if the client repeats the poll.
    // This needs another server: the 50 ms of the first may be over before it has read anything.
    let server = Server::with(|_| ()).await;
    let (resume, _) = enter(&server, Kind::AddressedPoll, "mina").await.leave();
    let path = format!("/v1/poll?cursor={}&wait=60000", resume.place);
    let ask = || server.request(Method::GET, &path).bearer_auth(&resume.token);
    server.notify("mina", "news").await;
    for _ in 0..2 {
        let answer = ask().send().await.unwrap().text().await.unwrap();
        let lines: Vec<_> = answer.lines().collect();
        assert_eq!(lines.len(), 2, "{answer}");
        assert!(lines[1].starts_with(r#"{"type":"notification""#), "{answer}");
    }
}

#[tokio::test]
async fn a_poll_takes_what_is_too_much_for_one_answer_in_several() {
    let server = Server::with(|config| config.limits.poll_bytes = 10_000).await;
    let mut link = enter(&server, Kind::FetchedPoll, "mina").await;
    let (resume, _) = {
        server.notify("mina", "0").await;
        link.hear("notification").await;
        link.leave()
    };
    for number in 1..=200 {
        server.notify("mina", &number.to_string()).await;
    }
    let offer = Offer::Resume(resume);
    let mut link = Link::open(Kind::FetchedPoll, server.at, offer, ConnectRequest::default()).await;
    link.hear("connected").await;
    for _ in 0..2 {
        link.hear("subscribed").await;
    }
    assert_eq!(link.titles(2, 200).await.len(), 200);
}

#[tokio::test]
async fn a_poll_that_waits_is_told_of_a_drain() {
    let mut server = Server::with(|config| config.limits.connections_per_user = 1).await;
    let (resume, _) = enter(&server, Kind::AddressedPoll, "mina").await.leave();
    let path = format!("/v1/poll?cursor={}", resume.place);
    let ask = || tokio::spawn(server.request(Method::GET, &path).bearer_auth(&resume.token).send());
    let mut call = ask();
    // The poll has arrived once the user has no further connection left.
    while server.connecting("mina", json!({})).await.next().await["type"] == "connected" {
        if call.is_finished() {
            call = ask();
        }
    }
    server.drain();
    let answer = within("the answer", call).await.unwrap().unwrap().text().await.unwrap();
    let message: Value = serde_json::from_str(answer.lines().nth(1).unwrap()).unwrap();
    assert_eq!(message["type"], "goaway", "{answer}");
    server.gone().await;
}

#[tokio::test]
async fn who_polls_without_end_is_told_to_wait() {
    let server = Server::with(|config| {
        config.limits.message_burst = 4;
        config.limits.message_interval_ms = 60_000;
    })
    .await;
    let (resume, _) = enter(&server, Kind::AddressedPoll, "mina").await.leave();
    let path = format!("/v1/poll?wait=0&cursor={}", resume.place);
    let mut answers = 0;
    let flood = loop {
        let call = server.request(Method::GET, &path).bearer_auth(&resume.token);
        let answer = call.send().await.unwrap();
        if answer.status() != 200 {
            break answer;
        }
        answers += 1;
        assert!(answers < 4, "the first calls of the session count too");
    };
    assert_eq!(flood.status(), 429);
    assert!(flood.headers().contains_key("retry-after"));
    assert_eq!(flood.json::<Value>().await.unwrap()["code"], "flood");
    // Another session of the same user is not affected.
    enter(&server, Kind::AddressedPoll, "mina").await;
}

#[tokio::test]
async fn what_comes_and_what_is_refused_is_counted_by_transport() {
    // A separate process, because metrics belong to a process.
    let folder = tempfile::TempDir::new().unwrap();
    let server = Process::start(folder.path());
    let open = |path: &str| http().get(format!("http://{}{path}", server.at)).send();
    let (socket, _) = server.connect("mina").await;
    for path in ["/v1/sse?ticket=tk_none", "/v1/poll?ticket=tk_none", "/v1/poll?wait=soon"] {
        open(path).await.unwrap();
    }
    let foreign = http().get(format!("http://{}/v1/sse", server.at));
    foreign.header("origin", "https://evil.example").send().await.unwrap();
    let text = open("/metrics").await.unwrap().text().await.unwrap();
    for figure in [
        "tidings_connections{transport=\"ws\"} 1",
        "tidings_opened_total{transport=\"ws\"} 1",
        "tidings_opened_total{transport=\"sse\"} 1",
        "tidings_opened_total{transport=\"poll\"} 1",
        "tidings_refused_total{transport=\"sse\",code=\"ticket_invalid\"} 1",
        "tidings_refused_total{transport=\"sse\",code=\"origin_refused\"} 1",
        "tidings_refused_total{transport=\"poll\",code=\"ticket_invalid\"} 1",
        "tidings_refused_total{transport=\"poll\",code=\"bad_request\"} 1",
        "tidings_requests_total{method=\"GET\",route=\"/v1/poll\",status=\"401\"} 1",
    ] {
        assert!(text.lines().any(|line| line == figure), "{figure} in\n{text}");
    }
    drop(socket);
}
