//! Going away: clients are told, nobody new comes in, and what was acknowledged is there afterwards.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::harness::{End, Process, Server, created, refused};

#[tokio::test]
async fn connections_are_asked_to_come_back_and_then_ended() {
    let mut server = Server::with(|config| config.drain_ms = 400).await;
    let mut stays = server.connect("mina").await;
    let mut goes = server.connect("tom").await;
    server.drain();
    // Half of the time is the clients', the rest the server's.
    assert_eq!(stays.hear("goaway").await["within_ms"], 200);
    assert_eq!(goes.hear("goaway").await["within_ms"], 200);
    drop(goes);
    assert_eq!(stays.end().await, End::new(1012, "restart"));
    server.gone().await;
}

#[tokio::test]
async fn a_server_whose_clients_have_left_goes_at_once() {
    // With anybody left this would take a minute.
    let mut server = Server::with(|config| {
        config.dev = false;
        config.drain_ms = 60_000;
        config.origins = vec!["*".to_owned()];
    })
    .await;
    let mut silent = server.open().await;
    server.drain();
    // It has not said who it is, so it is only told when it speaks.
    silent.say(json!({ "type": "connect", "version": 1, "token": "x" })).await;
    silent.end().await;
    server.gone().await;
}

#[tokio::test]
async fn a_leaving_server_takes_no_new_connection_but_answers_who_is_linked() {
    let mut server = Server::with(|config| config.drain_ms = 1_000).await;
    let token = server.token("mina").await;
    let mut stays = server.connect("mina").await;
    // Opened before, said `connect` after.
    let mut late = server.open().await;
    server.drain();
    stays.hear("goaway").await;
    late.say(json!({ "type": "connect", "version": 1, "token": token })).await;
    assert_eq!(late.end().await, End::new(1012, "restart"));
    // The link of earlier requests is still open: a load balancer that asks learns it.
    assert_eq!(refused(server.request(Method::GET, "/readyz")).await, (503, "restart".to_owned()));
    let alive = server.request(Method::GET, "/healthz").send().await.unwrap();
    assert_eq!(alive.status(), StatusCode::OK);
    // Publishing goes on until the end.
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
    // Publishers that go on until they are refused, so that some publishes are in flight at the end.
    let publishers: Vec<_> = (0..4)
        .map(|publisher| {
            let body = move |number: u64| {
                json!({ "to": { "user": "mina" }, "type": "note", "title": format!("{publisher}.{number}") })
            };
            let (http, at) = (super::harness::http(), server.at);
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
    let heard = socket.until("goaway").await;
    assert!(heard["within_ms"].as_u64().unwrap() > 0);
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
        // Old items may go meanwhile: that too is a record, without a title.
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
