//! Stopping: clients are told, new connections are refused, and acknowledged messages are there
//! afterwards.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidings_server::{Config, Tidings};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use super::harness::{End, Process, Server, Socket, created, http, refused, text_of, within};

#[tokio::test]
async fn connections_are_asked_to_come_back_and_then_ended() {
    let mut server = Server::with(|config| config.drain_ms = 400).await;
    let mut stays = server.connect("mina").await;
    let mut goes = server.connect("tom").await;
    server.drain();
    // Half of the time is for the clients, the rest for the server.
    assert_eq!(stays.hear("goaway").await["within_ms"], 200);
    assert_eq!(goes.hear("goaway").await["within_ms"], 200);
    drop(goes);
    assert_eq!(stays.end().await, End::new(1012, "restart"));
    server.gone().await;
}

#[tokio::test]
async fn a_server_whose_clients_have_left_goes_at_once() {
    // With a remaining client this would take a minute.
    let mut server = Server::with(|config| {
        config.dev = false;
        config.drain_ms = 60_000;
        config.origins = vec!["*".to_owned()];
    })
    .await;
    let mut silent = server.open().await;
    server.drain();
    // It has not authenticated yet, so it is only told when it sends something.
    silent.say(json!({ "type": "connect", "version": 1, "token": "x" })).await;
    silent.end().await;
    server.gone().await;
}

#[tokio::test]
async fn a_leaving_server_takes_no_new_connection_but_answers_who_asks() {
    let mut server = Server::with(|config| config.drain_ms = 1_000).await;
    let token = server.token("mina").await;
    let mut stays = server.connect("mina").await;
    // Opened before the drain; sends `connect` after.
    let mut late = server.open().await;
    server.drain();
    stays.hear("goaway").await;
    late.say(json!({ "type": "connect", "version": 1, "token": token })).await;
    assert_eq!(late.end().await, End::new(1012, "restart"));
    // On the TCP connection of earlier requests, and on new ones, which end with the answer: a load
    // balancer's check sees the shutdown.
    for _ in 0..3 {
        let ready = server.request(Method::GET, "/readyz");
        assert_eq!(refused(ready).await, (503, "restart".to_owned()));
    }
    let alive = server.request(Method::GET, "/healthz").send().await.unwrap();
    assert_eq!(alive.status(), StatusCode::OK);
    assert_eq!(text_of(&alive, "connection").as_deref(), Some("close"));
    // Publishing works until the end.
    server.notify("mina", "last words").await;
    assert_eq!(stays.titles(1).await, ["last words"]);
    drop(stays);
    server.gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_over_a_restart() {
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path());
    let (mut socket, before) = server.connect("mina").await;
    // Publishers that go on until they are refused, so that some publishes are in flight at the
    // end.
    let publishers: Vec<_> = (0..4)
        .map(|publisher| {
            let body = move |number: u64| {
                json!({ "to": { "user": "mina" }, "type": "note", "title": format!("{publisher}.{number}") })
            };
            let (http, at) = (http(), server.at);
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for number in 0.. {
                    let request = http.post(format!("http://{at}/v1/notifications")).bearer_auth("dev");
                    match request.json(&body(number)).send().await {
                        Ok(answer) if answer.status() == StatusCode::CREATED => {
                            let Ok(stored) = answer.json::<Value>().await else { break };
                            let offset = stored["results"][0]["offset"].as_u64().unwrap();
                            acknowledged.push((offset, format!("{publisher}.{number}")));
                        }
                        _ => break,
                    }
                }
                acknowledged
            })
        })
        .collect();
    for _ in 0..50 {
        socket.hear("notification").await;
    }
    server.terminate();
    let received = socket.until("goaway").await;
    assert!(received["within_ms"].as_u64().unwrap() > 0);
    assert_eq!(socket.end().await, End::new(1012, "restart"));
    server.gone().await;
    let mut acknowledged = Vec::new();
    for publisher in publishers {
        acknowledged.extend(publisher.await.unwrap());
    }
    acknowledged.sort_unstable();
    assert!(acknowledged.len() >= 50);

    let server = Process::start(folder.path());
    let ticket = created(server.backend("/v1/tickets").json(&json!({ "user": "mina" }))).await;
    let mut socket = server.open().await;
    let cursors = json!({
        "inbox:mina": { "epoch": before["epoch"], "offset": before["offset"] },
        "system:all": before["system"],
    });
    let ticket = &ticket["ticket"];
    socket
        .say(json!({ "type": "connect", "version": 1, "ticket": ticket, "cursors": cursors }))
        .await;
    socket.hear("connected").await;
    for _ in 0..2 {
        assert_eq!(socket.hear("subscribed").await["recovered"], true, "the log is the same");
    }
    let marker = json!({ "to": { "user": "mina" }, "type": "note", "title": "marker" });
    created(server.backend("/v1/notifications").json(&marker)).await;
    let mut log = Vec::new();
    loop {
        // Old items may be trimmed meanwhile: that is a record, too, but without a title.
        let record = socket.next().await;
        let title = record["data"]["title"].as_str().unwrap_or_default().to_owned();
        if title == "marker" {
            break;
        }
        log.push((record["offset"].as_u64().unwrap(), title));
    }
    assert!(log.iter().map(|(offset, _)| *offset).eq(1..=log.len() as u64), "dense, in order");
    for record in &acknowledged {
        assert!(log.contains(record), "{record:?} was acknowledged");
    }
    server.terminate();
    drop(socket);
    server.gone().await;
}

/// Production's settings, with times that only a broken run reaches.
const PATIENT: &str = "drain_ms = 600000\norigins = [\"*\"]";

/// A publish whose body is sent later.
async fn begun_publish(server: &Process, body: &str) -> TcpStream {
    let mut link = TcpStream::connect(server.at).await.unwrap();
    let head = format!(
        "POST /v1/notifications HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer dev\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    link.write_all(head.as_bytes()).await.unwrap();
    // The 100 shows that the server waits for the body, so the request is in progress.
    let mut told = [0; 25];
    within("100", link.read_exact(&mut told)).await.unwrap();
    assert!(told.starts_with(b"HTTP/1.1 100 "));
    link
}

#[tokio::test]
async fn what_is_under_way_when_it_is_asked_to_go_is_answered() {
    for signal in ["TERM", "INT"] {
        let folder = TempDir::new().unwrap();
        let server = Process::serve(folder.path(), PATIENT);
        let body = json!({ "to": { "user": "mina" }, "type": "note", "title": "t" }).to_string();
        let mut links = Vec::new();
        for _ in 0..8 {
            links.push(begun_publish(&server, &body).await);
        }
        server.signal(signal);
        // The server still answers on new connections, and reports that it is not ready.
        within("no", async {
            let ready = format!("http://{}/readyz", server.at);
            while http().get(&ready).send().await.unwrap().status() != 503 {}
        })
        .await;
        for link in &mut links {
            link.write_all(body.as_bytes()).await.unwrap();
            let mut answer = String::new();
            within("the answer", link.read_to_string(&mut answer)).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
            assert!(answer.contains("connection: close"), "{answer}");
        }
        server.gone().await;
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let folder = TempDir::new().unwrap();
    let server = Process::serve(folder.path(), PATIENT);
    let (mut socket, _) = server.connect("mina").await;
    server.signal("INT");
    socket.until("goaway").await;
    server.signal("INT");
    assert!(!server.ended().await.success());
}

#[tokio::test]
async fn a_server_with_all_links_taken_and_more_waiting_goes_when_asked() {
    let mut server = Server::with(|config| {
        config.limits.links = 2;
        config.limits.connections = 2;
        config.limits.keep_alive_ms = 600_000;
        config.limits.header_timeout_ms = 600_000;
    })
    .await;
    let mut resting = Vec::new();
    for _ in 0..2 {
        let mut link = TcpStream::connect(server.at).await.unwrap();
        link.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        assert_ne!(within("an answer", link.read(&mut [0; 512])).await.unwrap(), 0);
        resting.push(link);
    }
    let _waits = TcpStream::connect(server.at).await.unwrap();
    server.drain();
    server.gone().await;
}

#[tokio::test]
async fn an_app_around_it_drains_before_it_stops() {
    let folder = TempDir::new().unwrap();
    let config = Config { dev: true, data: folder.path().to_owned(), ..Config::default() };
    let tidings = Tidings::builder(config).build().unwrap();
    let app = axum::Router::new().nest("/rt", tidings.router());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (ask, asked) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let leave = async move {
            let _asked = asked.await;
            tidings.drain(std::time::Duration::from_secs(600)).await;
        };
        axum::serve(listener, app).with_graceful_shutdown(leave).await
    });
    let tickets = http().post(format!("http://{at}/rt/v1/tickets")).bearer_auth("dev");
    let body = json!({ "user": "mina" });
    let ticket = created(tickets.try_clone().unwrap().json(&body)).await["ticket"].clone();
    let request = tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(
        format!("ws://{at}/rt/v1/ws"),
    );
    let mut socket = Socket::open(at, request.unwrap()).await.unwrap();
    socket.say(json!({ "type": "connect", "version": 1, "ticket": ticket })).await;
    socket.until("snapshot").await;
    let ticket = created(tickets.json(&body)).await["ticket"].clone();
    let stream = format!("http://{at}/rt/v1/sse?ticket={}", ticket.as_str().unwrap());
    let mut stream = http().get(stream).send().await.unwrap();
    drop(ask);
    socket.until("goaway").await;
    let mut received = Vec::new();
    while let Some(chunk) = within("the stream's end", stream.chunk()).await.unwrap() {
        received.extend_from_slice(&chunk);
    }
    assert!(String::from_utf8_lossy(&received).contains("goaway"));
    assert_eq!(refused(http().get(format!("http://{at}/rt/readyz"))).await.0, 503);
    drop(socket);
    within("the app's end", serving).await.unwrap().unwrap();
}
