//! Credentials for streams and polls besides `connect`: cookies, headers, addresses, and ids with a
//! session token.

use http::Method;
use serde_json::json;

use super::{
    connect_request::{ConnectRequest, Kind, Offer},
    http::enter,
    link::Link,
};
use crate::harness::{Process, Server, created, text};

#[tokio::test]
async fn a_cookie_opens_streams_for_the_sites_own_pages_only() {
    let server = Server::with(|config| config.auth.cookie = "session".to_owned()).await;
    let cookie = format!("session={}", server.token("mina").await);
    let ask = |headers: &[(&str, &str)]| {
        let mut request = server.request(Method::GET, "/v1/sse").header("cookie", &cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send()
    };
    assert_eq!(ask(&[("origin", "http://localhost:1")]).await.unwrap().status(), 200);
    assert_eq!(ask(&[("sec-fetch-site", "same-origin")]).await.unwrap().status(), 200);
    assert_eq!(ask(&[("sec-fetch-site", "cross-site")]).await.unwrap().status(), 401);
    assert_eq!(ask(&[]).await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_ticket_for_the_servers_own_origin_opens_for_its_own_pages_gets() {
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let server = Server::start().await;
    let own = format!("http://{}", server.at);
    let sent = ("sec-fetch-site", "same-origin");
    let cases: [(&str, Headers<'_>, u16); 5] = [
        (&own, &[sent], 200),
        (&own, &[], 401),
        (&own, &[("sec-fetch-site", "cross-site")], 401),
        // A page of this machine, which may connect, but not with this ticket.
        (&own, &[sent, ("origin", "http://localhost:5173")], 401),
        ("http://localhost:5173", &[sent], 401),
    ];
    for (origin, headers, status) in cases {
        for path in ["/v1/sse", "/v1/poll"] {
            let ticket = server.ticket("mina", json!({ "origin": origin })).await;
            let mut request = server.request(Method::GET, &format!("{path}?ticket={ticket}"));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), status, "{path} {origin} {headers:?}");
        }
    }
}

#[tokio::test]
async fn a_header_may_carry_any_credential_of_a_stream() {
    let server = Server::start().await;
    let ticket = server.ticket("mina", json!({})).await;
    let jwt = server.token("mina").await;
    let (resume, _) = enter(&server, Kind::FetchedStream, "mina").await.leave();
    for bearer in [&ticket, &jwt, &resume.token] {
        for path in ["/v1/sse", "/v1/poll"] {
            // The first request spends the ticket.
            let spent = bearer == &ticket && path == "/v1/poll";
            let answer =
                server.request(Method::GET, path).bearer_auth(bearer).send().await.unwrap();
            assert_eq!(answer.status(), if spent { 401 } else { 200 }, "{path} {bearer}");
        }
    }
}

#[tokio::test]
async fn many_rights_come_back_with_a_short_id_after_a_restart() {
    let folder = tempfile::TempDir::new().unwrap();
    let server = Process::start(folder.path());
    let grants: Vec<_> = (0..64)
        .map(|number| json!({ "pattern": format!("room:{number:03}-{}", "x".repeat(100)), "allow": ["subscribe"] }))
        .collect();
    let rooms: Vec<_> = grants.iter().take(20).map(|grant| text(&grant["pattern"])).collect();
    let body =
        json!({ "user": "u".repeat(128), "channels": grants, "info": { "name": "n".repeat(900) } });
    let ticket = created(server.backend("/v1/tickets").json(&body)).await;
    let request = ConnectRequest { channels: rooms.clone(), instance: None };
    let offer = Offer::Ticket(text(&ticket["ticket"]));
    let mut link = Link::open(Kind::EventSource, server.at, offer, request.clone()).await;
    let mut begun = 0;
    while begun < 22 {
        begun += usize::from(link.next().await["type"] == "subscribed");
    }
    let publish = async |server: &Process, number: u64| {
        let path = format!("/v1/channels/{}/messages", rooms[19]);
        created(server.backend(&path).json(&json!({ "data": number }))).await;
    };
    publish(&server, 1).await;
    // The test client checks that its `id` is within the bound.
    assert_eq!(link.until("message").await["offset"], 1);
    let (resume, _) = link.leave();
    assert!(resume.place.len() > 400, "{}", resume.place);
    drop(server);
    let server = Process::start(folder.path());
    publish(&server, 2).await;
    let mut link = Link::open(Kind::EventSource, server.at, Offer::Resume(resume), request).await;
    assert_eq!(link.until("message").await["offset"], 2);
    // Without the ticket, its rights still apply.
    let foreign = link.say(json!({ "type": "history", "channel": "room:other" })).await;
    assert_eq!(foreign["code"], "forbidden");
}
