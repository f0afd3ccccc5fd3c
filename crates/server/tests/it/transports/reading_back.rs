//! Users that may subscribe but not read back, over every transport.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    connect_request::{ConnectRequest, Kind, Offer, Resume},
    link::Link,
};
use crate::harness::{Server, answered, created, refused};

const ROOM: &str = "room:1";
const KINDS: [Kind; 5] = [
    Kind::WebSocket,
    Kind::EventSource,
    Kind::FetchedStream,
    Kind::AddressedPoll,
    Kind::FetchedPoll,
];

/// A backend publishes to the room. Returns the address.
async fn write(server: &Server) -> Value {
    let body = json!({ "data": "said" });
    created(server.backend(&format!("/v1/channels/{ROOM}/messages")).json(&body)).await
}

/// A ticket of a user that may subscribe.
async fn ticket(server: &Server) -> String {
    let rights = json!([{ "pattern": "room:*", "allow": ["subscribe"] }]);
    server.ticket("mina", json!({ "channels": rights })).await
}

/// Connects, and waits for the room's `subscribed`, which is returned.
async fn begin(server: &Server, kind: Kind, offer: Offer) -> (Link, Value) {
    let mut link = Link::open(kind, server.at, offer, ConnectRequest::channels(&[ROOM])).await;
    loop {
        let begun = link.until("subscribed").await;
        if begun["channel"] == ROOM {
            return (link, begun);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_cursor_that_is_made_up_brings_what_was_there_before() {
    let server = Server::start().await;
    let place = write(&server).await;
    let epoch = place["epoch"].as_str().unwrap();
    let mut top = 1;
    for kind in KINDS {
        for proof in ["", "AAAAAAAAAAAAAAAAAAAAAAAA", "short"] {
            top = write(&server).await["offset"].as_u64().unwrap();
            let mut cursor = json!({ "epoch": epoch, "offset": 0 });
            let mut place = format!("-,-,{epoch}.0");
            if !proof.is_empty() {
                cursor["proof"] = json!(proof);
                place = format!("{place}.{proof}");
            }
            let cursors = BTreeMap::from([(ROOM.to_owned(), cursor)]);
            let resume = Resume { cursors, place, ..Resume::default() };
            let offer = Offer::Again(resume.clone(), ticket(&server).await);
            let (link, begun) = begin(&server, kind, offer).await;
            assert_eq!((&begun["offset"], &begun["recovered"]), (&json!(top), &json!(false)));
            let (place, unread) = link.leave();
            let told = unread.iter().any(|message| message["type"] == "message");
            assert!(!told, "{kind:?} {proof}: {unread:?}");

            // With the session token, as a returning client: `Last-Event-ID`, and the next poll.
            let token = place.token.clone();
            let back = Resume {
                place: match kind {
                    Kind::EventSource => format!("{}~{token}", resume.place),
                    _ => resume.place.clone(),
                },
                cursors: resume.cursors,
                ..place
            };
            let (mut link, begun) = begin(&server, kind, Offer::Resume(back)).await;
            assert_eq!(begun["offset"], top, "{kind:?} {proof}");
            top = write(&server).await["offset"].as_u64().unwrap();
            assert_eq!(link.until("message").await["offset"], top, "{kind:?}: and goes on");
        }
    }
    assert!(top > 15);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_since_the_first_subscription_comes_after_every_absence() {
    let server = Server::start().await;
    write(&server).await;
    for kind in KINDS {
        let offer = Offer::Ticket(ticket(&server).await);
        let (mut link, begun) = begin(&server, kind, offer).await;
        assert!(begun["proof"].is_string(), "{kind:?}: {begun}");
        let mut top = write(&server).await["offset"].as_u64().unwrap();
        assert_eq!(link.until("message").await["offset"], top);
        for again in [false, true] {
            let (resume, unread) = link.leave();
            assert!(!unread.iter().any(|message| message["type"] == "message"));
            for _ in 0..2 {
                write(&server).await;
            }
            let offer = match again {
                true => Offer::Again(resume, ticket(&server).await),
                false => Offer::Resume(resume),
            };
            let (mut back, begun) = begin(&server, kind, offer).await;
            assert_eq!(begun["recovered"], true, "{kind:?} {again}: {begun}");
            for _ in 0..2 {
                top += 1;
                assert_eq!(back.until("message").await["offset"], top, "{kind:?} {again}");
            }
            link = back;
        }
    }
}

#[tokio::test]
async fn the_first_record_and_pages_want_the_right_to_read_back() {
    let server = Server::start().await;
    write(&server).await;
    let ticket = ticket(&server).await;
    let mut socket = server.open().await;
    socket.say(json!({ "type": "connect", "version": 1, "ticket": ticket })).await;
    let token = socket.hear("connected").await["session_token"].as_str().unwrap().to_owned();
    socket.say(json!({ "type": "subscribe", "id": 1, "channel": ROOM, "since": "first" })).await;
    let error = socket.until("error").await;
    assert_eq!((&error["code"], &error["id"]), (&json!("forbidden"), &json!(1)));
    assert!(error["message"].as_str().unwrap().contains("history"), "{error}");
    socket.say(json!({ "type": "history", "id": 2, "channel": ROOM })).await;
    assert_eq!(socket.until("error").await["code"], "forbidden");
    let page = server.request(Method::GET, &format!("/v1/channels/{ROOM}/messages?after=0"));
    assert_eq!(refused(page.bearer_auth(token)).await, (403, "forbidden".into()));
}

#[tokio::test]
async fn of_everyone_messages_nothing_comes_from_before_the_inbox_was_made() {
    let server = Server::start().await;
    for title in ["old", "older"] {
        server.notify_to(json!({ "everyone": true }), title).await;
    }
    let token = server.token("mina").await;
    let pages = ["", "?after=0", "?before=3", "?after=0&before=2"];
    let read = async |query: &str| {
        let path = format!("/v1/channels/system:all/messages{query}");
        answered(server.request(Method::GET, &path).bearer_auth(&token), StatusCode::OK).await
    };
    for query in pages {
        let page = read(query).await;
        assert_eq!((&page["messages"], &page["more"]), (&json!([]), &json!(false)), "{query}");
    }
    drop(server.connect("mina").await);
    for query in pages {
        let page = read(query).await;
        assert_eq!((&page["messages"], &page["first"]), (&json!([]), &json!(3)), "{query}");
    }
    let new = server.notify_to(json!({ "everyone": true }), "new").await;
    assert_eq!(new["offset"], 3);
    for (query, count) in [("", 1), ("?after=0", 1), ("?before=3", 0), ("?after=1&before=4", 1)] {
        assert_eq!(read(query).await["messages"].as_array().unwrap().len(), count, "{query}");
    }
    // A backend reads everything.
    let all = server.request(Method::GET, "/v1/channels/system:all/messages?after=0");
    let all = answered(all.bearer_auth(crate::harness::KEY), StatusCode::OK).await;
    assert_eq!(all["messages"].as_array().unwrap().len(), 3);

    // By cursors, over every transport.
    let epoch = new["epoch"].as_str().unwrap();
    for kind in KINDS {
        let snapshot = server.connect("mina").await;
        drop(snapshot);
        let offer = Offer::Ticket(server.ticket("mina", json!({})).await);
        let mut link = Link::open(kind, server.at, offer, ConnectRequest::default()).await;
        let inbox = link.until("snapshot").await;
        let (mut resume, _) = link.leave();
        let own = inbox["epoch"].as_str().unwrap();
        resume.cursors.insert("system:all".into(), json!({ "epoch": epoch, "offset": 0 }));
        resume.place = format!("{own}.{},{epoch}.0", inbox["offset"]);
        let offer = Offer::Again(resume, server.ticket("mina", json!({})).await);
        let mut link = Link::open(kind, server.at, offer, ConnectRequest::default()).await;
        loop {
            let message = link.next().await;
            assert_ne!(message["type"], "notification", "{kind:?}: {message}");
            if message["type"] == "snapshot" {
                assert_eq!(message["items"].as_array().unwrap().len(), 1, "{kind:?}");
                break;
            }
        }
    }
}
