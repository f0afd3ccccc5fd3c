//! Messages from the server.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    super::{
        connect_request::{ConnectRequest, Kind, Offer},
        link::Link,
    },
    enter,
};
use crate::{
    harness::{Process, Server, created, text},
    rooms::ROOM,
};

pub(in super::super) async fn receives_what_is_published_live(kind: Kind) {
    let server = Server::start().await;
    let mut link = enter(&server, kind, "mina", ConnectRequest::default()).await;
    let mut other = enter(&server, kind, "tom", ConnectRequest::default()).await;
    for number in 1..=3 {
        server.notify("mina", &number.to_string()).await;
    }
    assert_eq!(link.titles(1, 3).await, ["1", "2", "3"]);
    server.notify_to(json!({ "everyone": true }), "to all").await;
    for link in [&mut link, &mut other] {
        let record = link.hear("notification").await;
        assert_eq!((&record["channel"], &record["offset"]), (&json!("system:all"), &json!(1)));
    }
}

pub(in super::super) async fn hears_rooms_it_names_and_no_others(kind: Kind) {
    let server = Server::start().await;
    let mut link =
        enter(&server, kind, "mina", ConnectRequest::channels(&["room:a,b", ROOM])).await;
    let publish = async |room: &str, data: u64| {
        let room = room.replace(',', "%2C");
        let path = format!("/v1/channels/{room}/messages");
        created(server.backend(&path).json(&json!({ "data": data }))).await;
    };
    publish("room:another", 1).await;
    publish(ROOM, 2).await;
    let record = link.until("message").await;
    assert_eq!((&record["channel"], &record["data"]), (&json!(ROOM), &json!(2)));
    publish(ROOM, 3).await;
    let record = link.hear("message").await;
    assert_eq!((&record["offset"], &record["data"]), (&json!(2), &json!(3)));
    // A room without a right is refused by name, and the rest goes on.
    let none = Offer::Ticket(server.ticket("mina", json!({ "channels": [] })).await);
    let mut link = Link::open(kind, server.at, none, ConnectRequest::channels(&[ROOM])).await;
    // In any order: messages published before the snapshot are in it.
    let (mut refused, mut greeted) = (false, false);
    while !(refused && greeted) {
        let message = link.next().await;
        greeted |= message["type"] == "snapshot";
        if message["type"] == "error" {
            assert_eq!(
                (&message["code"], &message["channel"]),
                (&json!("forbidden"), &json!(ROOM))
            );
            refused = true;
        }
    }
    server.notify("mina", "goes on").await;
    link.until("notification").await;
}

pub(in super::super) async fn resumes_after_kill_9_with_nothing_lost_or_doubled(kind: Kind) {
    let folder = TempDir::new().unwrap();
    let publish = async |server: &Process, number: u64| {
        let body = json!({ "to": { "user": "mina" }, "type": "note", "title": number.to_string() });
        created(server.backend("/v1/notifications").json(&body)).await;
        let body = json!({ "data": number });
        created(server.backend("/v1/channels/room:42/messages").json(&body)).await;
    };
    let mut server = Process::start(folder.path());
    let grants = json!([{ "pattern": "room:*", "allow": ["subscribe"] }]);
    let body = json!({ "user": "mina", "channels": grants });
    let ticket = created(server.backend("/v1/tickets").json(&body)).await;
    let request = ConnectRequest::channels(&[ROOM]);
    let mut offer = Offer::Ticket(text(&ticket["ticket"]));
    let mut received: [Vec<u64>; 2] = Default::default();
    let mut hear = |message: &Value| match message["type"].as_str().unwrap() {
        "notification" => received[0].push(message["offset"].as_u64().unwrap()),
        "message" => received[1].push(message["offset"].as_u64().unwrap()),
        "subscribed" | "connected" | "snapshot" => {}
        other => panic!("heard {other}"),
    };
    let mut published = 0;
    for life in 0..3 {
        let mut link = Link::open(kind, server.at, offer, request.clone()).await;
        let mut begun = 0;
        while begun < 3 {
            let message = link.next().await;
            assert!(life == 0 || message["type"] != "snapshot", "the cursors were taken up");
            if message["type"] == "subscribed" {
                assert_eq!(message["recovered"], life > 0, "{message}");
                begun += 1;
            }
            hear(&message);
        }
        for _ in 0..6 {
            published += 1;
            publish(&server, published).await;
        }
        // Some messages are received; the rest is on its way when the server is killed.
        let mut records = 0;
        while records < 4 {
            let message = link.next().await;
            records += usize::from(message["offset"].is_u64() && message["id"].is_string());
            hear(&message);
        }
        let (resume, unread) = link.leave();
        unread.iter().for_each(&mut hear);
        drop(server);
        server = Process::start(folder.path());
        published += 1;
        publish(&server, published).await;
        offer = Offer::Resume(resume);
    }
    let mut link = Link::open(kind, server.at, offer, request).await;
    published += 1;
    publish(&server, published).await;
    let (mut inbox, mut room) = (false, false);
    while !(inbox && room) {
        let message = link.next().await;
        hear(&message);
        inbox |= message["type"] == "notification" && message["offset"] == published;
        room |= message["type"] == "message" && message["offset"] == published;
    }
    let all: Vec<u64> = (1..=published).collect();
    assert_eq!(received, [all.clone(), all]);
}

pub(in super::super) async fn goes_on_with_a_new_ticket_and_its_cursors(kind: Kind) {
    let server = Server::start().await;
    let mut link = enter(&server, kind, "mina", ConnectRequest::default()).await;
    server.notify("mina", "1").await;
    assert_eq!(link.titles(1, 1).await, ["1"]);
    let (resume, _) = link.leave();
    server.notify("mina", "2").await;
    let again = Offer::Again(resume, server.ticket("mina", json!({})).await);
    let mut link = Link::open(kind, server.at, again, ConnectRequest::default()).await;
    link.hear("connected").await;
    for _ in 0..2 {
        assert_eq!(link.hear("subscribed").await["recovered"], true);
    }
    assert_eq!(link.titles(2, 1).await, ["2"]);
}

/// Larger than the mailbox, a page, a poll's answer and every buffer on the way.
pub(in super::super) async fn receives_records_larger_than_any_buffer(kind: Kind) {
    let server = Server::with(|config| config.limits.publish_bytes = 2_000_000).await;
    let publish = async |title: &str| {
        let data = json!({ "text": "x".repeat(1_500_000) });
        let to = json!({ "user": "mina" });
        let body = json!({ "to": to, "type": "note", "title": title, "data": data });
        created(server.backend("/v1/notifications").json(&body)).await;
    };
    let mut link = enter(&server, kind, "mina", ConnectRequest::default()).await;
    publish("1").await;
    assert_eq!(link.titles(1, 1).await, ["1"], "live");
    let (resume, _) = link.leave();
    for title in ["2", "3"] {
        publish(title).await;
    }
    let mut link =
        Link::open(kind, server.at, Offer::Resume(resume), ConnectRequest::default()).await;
    let mut titles = Vec::new();
    while titles.len() < 2 {
        titles.push(text(&link.until("notification").await["data"]["title"]));
    }
    assert_eq!(titles, ["2", "3"], "caught up");
    for before in [4, 3, 2] {
        let ask = json!({ "type": "history", "channel": "inbox:mina", "before": before });
        let page = link.say(ask).await;
        assert_eq!(page["items"].as_array().unwrap().len(), 1, "one at least, and one at most");
        assert_eq!(
            (&page["items"][0]["offset"], &page["more"]),
            (&json!(before - 1), &json!(before > 2))
        );
    }
    let offer = Offer::Ticket(server.ticket("mina", json!({})).await);
    let mut link = Link::open(kind, server.at, offer, ConnectRequest::default()).await;
    let snapshot = link.until("snapshot").await;
    assert_eq!((&snapshot["items"][0]["offset"], &snapshot["more"]), (&json!(3), &json!(true)));
}

pub(in super::super) async fn is_notified_of_a_gap(kind: Kind) {
    let server = Server::start().await;
    let mut link = enter(&server, kind, "mina", ConnectRequest::channels(&[ROOM])).await;
    let publish = async |number: u64| {
        let body = json!({ "data": number });
        created(server.backend("/v1/channels/room:42/messages").json(&body)).await
    };
    let epoch = text(&publish(1).await["epoch"]);
    link.until("message").await;
    server.notify("mina", "1").await;
    link.until("notification").await;
    let (mut resume, _) = link.leave();
    // A cursor of a log that no longer exists.
    assert!(
        kind == Kind::WebSocket
            || kind == Kind::FetchedStream
            || resume.place.contains(&epoch)
            || resume.cursors.values().any(|cursor| cursor["epoch"] == epoch)
    );
    resume.place = resume.place.replacen(&epoch, "zzzzzzzz", 1);
    resume.cursors.get_mut(ROOM).unwrap()["epoch"] = json!("zzzzzzzz");
    publish(2).await;
    let request = ConnectRequest::channels(&[ROOM]);
    let mut link = Link::open(kind, server.at, Offer::Resume(resume), request.clone()).await;
    link.hear("connected").await;
    let mut gap = Value::Null;
    while gap.is_null() {
        let message = link.next().await;
        match message["type"].as_str().unwrap() {
            "subscribed" => {
                assert_eq!(message["recovered"], message["channel"] != ROOM, "{message}");
            }
            "gap" => gap = message,
            other => panic!("heard {other}"),
        }
    }
    assert_eq!((&gap["channel"], &gap["why"]), (&json!(ROOM), &json!("epoch")));
    assert_eq!((&gap["from"], &gap["to"]), (&json!(1), &json!(2)));
    publish(3).await;
    assert_eq!(link.until("message").await["offset"], 3);
    // The gap is reported once: after a reconnect there is none.
    let (resume, _) = link.leave();
    publish(4).await;
    let mut link = Link::open(kind, server.at, Offer::Resume(resume), request).await;
    loop {
        let message = link.next().await;
        assert_ne!(message["type"], "gap");
        if message["type"] == "message" {
            assert_eq!(message["offset"], 4);
            break;
        }
    }
}

/// More than sockets and mailbox hold together.
const RECORDS: u64 = 400;

pub(in super::super) async fn misses_nothing_when_it_reads_late(kind: Kind) {
    let server = Server::with(|config| config.limits.mailbox_bytes = 128 * 1024).await;
    let mut link = enter(&server, kind, "mina", ConnectRequest::default()).await;
    let filler = "x".repeat(32 * 1024);
    for number in 1..=RECORDS {
        let title = number.to_string();
        let body =
            json!({ "to": { "user": "mina" }, "type": "note", "title": title, "data": filler });
        created(server.backend("/v1/notifications").json(&body)).await;
    }
    let titles = link.titles(1, RECORDS as usize).await;
    assert!(titles.iter().zip(1..).all(|(title, number)| *title == number.to_string()));
    server.notify("mina", "live again").await;
    assert_eq!(link.titles(RECORDS + 1, 1).await, ["live again"]);
}
