//! Messages from the client.

use serde_json::{Value, json};

use super::{
    super::{
        connect_request::{ConnectRequest, Kind, Offer},
        link::Link,
    },
    enter,
};
use crate::{
    harness::{Server, text},
    rooms::ROOM,
};

pub(in super::super) async fn says_what_it_wants_and_is_answered(kind: Kind) {
    let server = Server::start().await;
    let mut link = enter(&server, kind, "mina", ConnectRequest::channels(&[ROOM])).await;
    let pong = link.say(json!({ "type": "ping" })).await;
    assert_eq!(pong["type"], "pong");
    let publish = json!({
        "type": "publish", "channel": ROOM, "client_id": "lane", "seq": 1, "data": { "a": [1] },
    });
    let ack = link.say(publish.clone()).await;
    assert_eq!((&ack["type"], &ack["offset"], &ack["seq"]), (&json!("ack"), &json!(1), &json!(1)));
    let repeat = link.say(publish).await;
    assert_eq!((&repeat["offset"], &repeat["duplicate"]), (&json!(1), &json!(true)));
    let echo = link.until("message").await;
    assert_eq!((&echo["offset"], &echo["from"]["user"]), (&json!(1), &json!("mina")));
    let hole = json!({
        "type": "publish", "channel": ROOM, "client_id": "lane", "seq": 3, "data": 1,
    });
    let error = link.say(hole).await;
    assert_eq!((&error["code"], &error["expected"]), (&json!("sequence"), &json!(2)));
    let void = json!({ "type": "void", "client_id": "lane", "seq": 2 });
    assert_eq!(link.say(void).await["type"], "ack");
    server.notify("mina", "to be read").await;
    link.until("notification").await;
    let mark = json!({
        "type": "mark", "epochs": {}, "offsets": { "inbox": [1] }, "set": { "read": true },
    });
    assert_eq!(link.say(mark).await["type"], "ack");
    let marked = link.until("marked").await;
    assert_eq!(marked["counts"]["inbox"]["unread"], 0);
    let page = link.say(json!({ "type": "history", "channel": ROOM })).await;
    assert_eq!(page["messages"].as_array().unwrap().len(), 1);
    let refused = link.say(json!({ "type": "publish", "channel": "chat:7", "data": 1 })).await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("forbidden")));
    let unread = link.say(json!({ "type": "publish", "channel": "nothing", "data": 1 })).await;
    assert_eq!(unread["code"], "bad_request");
    let unknown = link.say(json!({ "type": "dance" })).await;
    assert_eq!(unknown["code"], "unknown_type");
}

pub(in super::super) async fn is_told_when_it_floods(kind: Kind) {
    let server = Server::with(|config| {
        config.limits.message_burst = 3;
        config.limits.message_interval_ms = 60_000;
        config.limits.flood_strikes = 2;
    })
    .await;
    let mut link = enter(&server, kind, "mina", ConnectRequest::default()).await;
    // `connect` counts if it takes the same way as the messages.
    let free = if kind == Kind::WebSocket { 2 } else { 3 };
    for _ in 0..free {
        assert_eq!(link.say(json!({ "type": "ping" })).await["type"], "pong");
    }
    // In separate requests: earlier messages still count.
    for _ in 0..2 {
        let error = link.say(json!({ "type": "ping" })).await;
        assert_eq!(error["code"], "flood");
        let wait = error["retry_after_ms"].as_u64().unwrap();
        // The time until the whole burst is available again: a client may have as many messages in
        // flight.
        assert!((120_000..=180_000).contains(&wait), "{wait}");
    }
    if kind != Kind::WebSocket {
        // The rest of such a request is not read.
        let (status, lines) = link.post("{\"type\":\"ping\",\"id\":1}\n{\"type\":\"ping\"}").await;
        assert_eq!((status.as_u16(), lines.len()), (200, 1));
        assert_eq!((&lines[0]["code"], &lines[0]["id"]), (&json!("flood"), &Value::Null));
    }
    // A client that only receives is not affected.
    server.notify("mina", "still heard").await;
    assert_eq!(link.titles(1, 1).await, ["still heard"]);
}

pub(in super::super) async fn renews_its_credential(kind: Kind) {
    let server = Server::start().await;
    let short = json!({ "session_ttl_ms": 20_000 });
    let offer = Offer::Ticket(server.ticket("mina", short).await);
    let mut link = Link::open(kind, server.at, offer, ConnectRequest::default()).await;
    let ends = link.hear("connected").await["expires_at"].as_u64();
    link.until("snapshot").await;
    let fresh = server.ticket("mina", json!({})).await;
    let refreshed = link.say(json!({ "type": "refresh", "ticket": fresh })).await;
    assert_eq!(refreshed["type"], "refreshed", "{refreshed}");
    assert!(refreshed["expires_at"].as_u64() > ends);
    let spent = link.say(json!({ "type": "refresh", "ticket": fresh })).await;
    assert_eq!(spent["code"], "ticket_invalid");
    // The new token works for the next connection, from the old one's cursor.
    server.notify("mina", "before").await;
    link.until("notification").await;
    let (mut resume, _) = link.leave();
    resume.token = text(&refreshed["session_token"]);
    let place = resume.place.split('~').next().unwrap_or_default().to_owned();
    if kind == Kind::EventSource {
        resume.place = format!("{place}~{}", resume.token);
    }
    server.notify("mina", "after").await;
    let mut link =
        Link::open(kind, server.at, Offer::Resume(resume), ConnectRequest::default()).await;
    let connected = link.hear("connected").await;
    assert_eq!(connected["expires_at"], refreshed["expires_at"]);
    assert_eq!(link.until("notification").await["offset"], 2);
    assert_eq!(link.say(json!({ "type": "ping" })).await["type"], "pong");
}
