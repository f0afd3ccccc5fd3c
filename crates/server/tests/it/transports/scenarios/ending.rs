//! Ends and refusals of connections.

use serde_json::json;

use super::{
    super::{
        connect_request::{ConnectRequest, Ended, Kind, Offer},
        link::Link,
    },
    enter, open, ticket,
};
use crate::{
    bad_input::patient,
    harness::{Server, within},
};

pub(in super::super) async fn ends_when_revoked(kind: Kind) {
    let server = Server::start().await;
    let mut link = enter(&server, kind, "mina", ConnectRequest::default()).await;
    let revoke = server.backend("/v1/revocations").json(&json!({ "user": "mina" }));
    assert_eq!(revoke.send().await.unwrap().status(), 202);
    assert_eq!(link.end().await, Ended::told("ticket", "revoked"));
    let (resume, _) = link.leave();
    let mut link =
        Link::open(kind, server.at, Offer::Resume(resume), ConnectRequest::default()).await;
    assert_eq!(link.end().await, Ended::told("ticket", "revoked"));
    // A credential that is issued later is valid.
    enter(&server, kind, "mina", ConnectRequest::default()).await;
}

pub(in super::super) async fn ends_when_expired(kind: Kind) {
    let server = Server::with(|config| {
        config.limits.session_ms = 1_000;
        config.limits.grace_ms = 100;
    })
    .await;
    let mut link = open(&server, kind, "mina", ConnectRequest::default()).await;
    let mut expires_at = None;
    let mut warned = false;
    while let Some(message) = link.maybe().await {
        match message["type"].as_str().unwrap() {
            "connected" => expires_at = message["expires_at"].as_u64(),
            "expiring" => {
                assert_eq!(message["expires_at"].as_u64(), expires_at);
                warned = true;
            }
            _ => {}
        }
    }
    assert_eq!(link.end().await, Ended::told("ticket", "expired"));
    // Polls are warned with their next answer, which may be the refusal itself.
    assert!(warned || matches!(kind, Kind::AddressedPoll | Kind::FetchedPoll));
    let (resume, _) = link.leave();
    let mut link =
        Link::open(kind, server.at, Offer::Resume(resume), ConnectRequest::default()).await;
    assert_eq!(link.end().await, Ended::refused(kind, "ticket", "expired"));
}

pub(in super::super) async fn is_refused_over_the_limit(kind: Kind) {
    let server = Server::with(|config| config.limits.connections_per_user = 1).await;
    let first = server.connect("mina").await;
    let mut second = open(&server, kind, "mina", ConnectRequest::default()).await;
    assert_eq!(second.end().await, Ended::told("backoff", "connections"));
    let _other = enter(&server, kind, "tom", ConnectRequest::default()).await;
    drop(first);
    within("a free place", async {
        loop {
            let mut again = open(&server, kind, "mina", ConnectRequest::default()).await;
            if again.maybe().await.is_some_and(|message| message["type"] == "connected") {
                break;
            }
        }
    })
    .await;
    let full = Server::with(|config| config.limits.connections = 1).await;
    let _first = full.connect("mina").await;
    let mut second = open(&full, kind, "tom", ConnectRequest::default()).await;
    assert_eq!(second.end().await, Ended::told("backoff", "busy"));
}

pub(in super::super) async fn is_replaced_by_its_own_page(kind: Kind) {
    let server = Server::start().await;
    let mut older = enter(&server, kind, "mina", ConnectRequest::instance("page")).await;
    let mut other = enter(&server, kind, "mina", ConnectRequest::instance("another")).await;
    let mut newer = enter(&server, kind, "mina", ConnectRequest::instance("page")).await;
    assert_eq!(older.end().await, Ended::told("never", "replaced"));
    if kind == Kind::EventSource {
        // Otherwise it would reconnect by itself, and replace the other one in turn.
        let (resume, _) = older.leave();
        assert_eq!(resume.place, "ended");
        let again = Offer::Resume(resume);
        let mut again = Link::open(kind, server.at, again, ConnectRequest::instance("page")).await;
        assert_eq!(again.end().await, Ended { retry: "never", code: None });
    }
    server.notify("mina", "still here").await;
    for link in [&mut newer, &mut other] {
        assert_eq!(link.titles(1, 1).await, ["still here"]);
    }
}

pub(in super::super) async fn is_sent_away_by_a_drain(kind: Kind) {
    let mut server = Server::with(|config| config.drain_ms = 600).await;
    let mut link = enter(&server, kind, "mina", ConnectRequest::default()).await;
    server.drain();
    match kind {
        // A poll that arrives after the drain began is refused.
        Kind::AddressedPoll | Kind::FetchedPoll => match link.maybe().await {
            Some(message) => assert_eq!(message["type"], "goaway"),
            None => assert_eq!(link.end().await, Ended::told("backoff", "restart")),
        },
        _ => assert_eq!(link.hear("goaway").await["within_ms"], 300),
    }
    match kind {
        Kind::EventSource => {
            // An `EventSource` knows no `goaway`: its stream ends, and it reconnects within the
            // window. The window begins a second later, because the client keeps this reconnect
            // time while it reaches no server.
            assert_eq!(link.maybe().await, None);
            let retry_ms = link.stream().1.unwrap();
            assert!((1_000..1_300).contains(&retry_ms), "{retry_ms}");
        }
        Kind::WebSocket | Kind::FetchedStream => {
            assert_eq!(link.end().await, Ended::told("backoff", "restart"));
        }
        // The answer was the end.
        Kind::AddressedPoll | Kind::FetchedPoll => {}
    }
    drop(link);
    server.gone().await;
}

pub(in super::super) async fn is_refused_from_a_foreign_page(kind: Kind) {
    let server = Server::start().await;
    let path = match kind {
        // Refused before the upgrade; tested in `sockets.rs`.
        Kind::WebSocket => return,
        Kind::EventSource | Kind::FetchedStream => "/v1/sse",
        Kind::AddressedPoll | Kind::FetchedPoll => "/v1/poll",
    };
    let method = match kind {
        Kind::EventSource | Kind::AddressedPoll => http::Method::GET,
        _ => http::Method::POST,
    };
    let ask = |origin: &str| {
        let request = server.request(method.clone(), path).header("origin", origin);
        if method == http::Method::POST { request.json(&json!({})) } else { request }
    };
    let foreign = ask("https://evil.example").send().await.unwrap();
    let refused = if kind == Kind::EventSource { 204 } else { 403 };
    assert_eq!(foreign.status(), refused);
    assert!(foreign.headers().get("access-control-allow-origin").is_none());
    let own = ask("http://localhost:5173").send().await.unwrap();
    assert_eq!(own.headers()["access-control-allow-origin"], "http://localhost:5173");
}

pub(in super::super) async fn is_told_what_is_wrong_with_its_first_words(kind: Kind) {
    let server = patient().await;
    let bad = Offer::Ticket("tk_none".to_owned());
    let mut link = Link::open(kind, server.at, bad, ConnectRequest::default()).await;
    assert_eq!(link.end().await, Ended::refused(kind, "ticket", "ticket_invalid"));
    let long = ConnectRequest::instance(&"x".repeat(65));
    let mut link = Link::open(kind, server.at, ticket(&server, "mina").await, long).await;
    assert_eq!(link.end().await, Ended::refused(kind, "never", "bad_request"));
    // The first client spends it.
    let once = ticket(&server, "mina").await;
    let mut first = Link::open(kind, server.at, once.clone(), ConnectRequest::default()).await;
    first.hear("connected").await;
    let mut second = Link::open(kind, server.at, once, ConnectRequest::default()).await;
    assert_eq!(second.end().await, Ended::refused(kind, "ticket", "ticket_invalid"));
    let mut none =
        Link::open(kind, server.at, Offer::Ticket(String::new()), ConnectRequest::default()).await;
    assert_eq!(none.end().await.retry, "ticket");
}
