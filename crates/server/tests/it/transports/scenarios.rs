//! What has to hold over every transport.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::link::{Ended, Kind, Link, Offer, Wish};
use crate::{
    bad_input::patient,
    harness::{Process, Server, created, text, within},
    rooms::ROOM,
};

async fn ticket(server: &Server, user: &str) -> Offer {
    let all = json!([{ "pattern": "room:*", "allow": ["subscribe", "publish", "history"] }]);
    Offer::Ticket(server.ticket(user, json!({ "channels": all })).await)
}

async fn open(server: &Server, kind: Kind, user: &str, wish: Wish) -> Link {
    Link::open(kind, server.at, ticket(server, user).await, wish).await
}

/// In, and greeted.
async fn enter(server: &Server, kind: Kind, user: &str, wish: Wish) -> Link {
    let rooms = wish.channels.len();
    let mut link = open(server, kind, user, wish).await;
    let connected = link.hear("connected").await;
    assert_eq!(connected["user_id"], user);
    // The pair's come together, the rooms' whenever they are read.
    let mut begun = 0;
    let mut snapshot = false;
    while begun < 2 + rooms || !snapshot {
        match link.next().await["type"].as_str().unwrap() {
            "subscribed" => begun += 1,
            "snapshot" => snapshot = true,
            other => panic!("heard {other}"),
        }
    }
    link
}

pub(super) async fn receives_what_is_published_live(kind: Kind) {
    let server = Server::start().await;
    let mut link = enter(&server, kind, "mina", Wish::default()).await;
    let mut other = enter(&server, kind, "tom", Wish::default()).await;
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

pub(super) async fn hears_rooms_it_names_and_no_others(kind: Kind) {
    let server = Server::start().await;
    let mut link = enter(&server, kind, "mina", Wish::channels(&["room:a,b", ROOM])).await;
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
    // A room that was not granted is refused by name, and the rest goes on.
    let none = Offer::Ticket(server.ticket("mina", json!({ "channels": [] })).await);
    let mut link = Link::open(kind, server.at, none, Wish::channels(&[ROOM])).await;
    let error = link.until("error").await;
    assert_eq!((&error["code"], &error["channel"]), (&json!("forbidden"), &json!(ROOM)));
    server.notify("mina", "goes on").await;
    link.until("notification").await;
}

pub(super) async fn resumes_after_kill_9_with_nothing_lost_or_doubled(kind: Kind) {
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
    let wish = Wish::channels(&[ROOM]);
    let mut offer = Offer::Ticket(text(&ticket["ticket"]));
    let mut heard: [Vec<u64>; 2] = Default::default();
    let mut hear = |message: &Value| match message["type"].as_str().unwrap() {
        "notification" => heard[0].push(message["offset"].as_u64().unwrap()),
        "message" => heard[1].push(message["offset"].as_u64().unwrap()),
        "subscribed" | "connected" | "snapshot" => {}
        other => panic!("heard {other}"),
    };
    let mut published = 0;
    for life in 0..3 {
        let mut link = Link::open(kind, server.at, offer, wish.clone()).await;
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
        // Some was heard, the rest is on its way when the server dies.
        let mut records = 0;
        while records < 4 {
            let message = link.next().await;
            records += usize::from(message["offset"].is_u64() && message["id"].is_string());
            hear(&message);
        }
        let (resume, unheard) = link.leave();
        unheard.iter().for_each(&mut hear);
        drop(server);
        server = Process::start(folder.path());
        published += 1;
        publish(&server, published).await;
        offer = Offer::Resume(resume);
    }
    let mut link = Link::open(kind, server.at, offer, wish).await;
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
    assert_eq!(heard, [all.clone(), all]);
}

pub(super) async fn goes_on_with_a_new_ticket_and_its_cursors(kind: Kind) {
    let server = Server::start().await;
    let mut link = enter(&server, kind, "mina", Wish::default()).await;
    server.notify("mina", "1").await;
    assert_eq!(link.titles(1, 1).await, ["1"]);
    let (resume, _) = link.leave();
    server.notify("mina", "2").await;
    let again = Offer::Again(resume, server.ticket("mina", json!({})).await);
    let mut link = Link::open(kind, server.at, again, Wish::default()).await;
    link.hear("connected").await;
    for _ in 0..2 {
        assert_eq!(link.hear("subscribed").await["recovered"], true);
    }
    assert_eq!(link.titles(2, 1).await, ["2"]);
}

pub(super) async fn is_told_of_a_gap(kind: Kind) {
    let server = Server::start().await;
    let mut link = enter(&server, kind, "mina", Wish::channels(&[ROOM])).await;
    let publish = async |number: u64| {
        let body = json!({ "data": number });
        created(server.backend("/v1/channels/room:42/messages").json(&body)).await
    };
    let epoch = text(&publish(1).await["epoch"]);
    link.until("message").await;
    server.notify("mina", "1").await;
    link.until("notification").await;
    let (mut resume, _) = link.leave();
    // A cursor of a log that is no more.
    assert!(
        kind == Kind::WebSocket
            || kind == Kind::FetchedStream
            || resume.place.contains(&epoch)
            || resume.cursors.values().any(|cursor| cursor["epoch"] == epoch)
    );
    resume.place = resume.place.replacen(&epoch, "zzzzzzzz", 1);
    resume.cursors.get_mut(ROOM).unwrap()["epoch"] = json!("zzzzzzzz");
    publish(2).await;
    let wish = Wish::channels(&[ROOM]);
    let mut link = Link::open(kind, server.at, Offer::Resume(resume), wish.clone()).await;
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
    // Told once: who comes back from there hears of no gap.
    let (resume, _) = link.leave();
    publish(4).await;
    let mut link = Link::open(kind, server.at, Offer::Resume(resume), wish).await;
    loop {
        let message = link.next().await;
        assert_ne!(message["type"], "gap");
        if message["type"] == "message" {
            assert_eq!(message["offset"], 4);
            break;
        }
    }
}

pub(super) async fn ends_when_revoked(kind: Kind) {
    let server = Server::start().await;
    let mut link = enter(&server, kind, "mina", Wish::default()).await;
    let revoke = server.backend("/v1/revocations").json(&json!({ "user": "mina" }));
    assert_eq!(revoke.send().await.unwrap().status(), 202);
    assert_eq!(link.end().await, Ended::told("ticket", "revoked"));
    let (resume, _) = link.leave();
    let mut link = Link::open(kind, server.at, Offer::Resume(resume), Wish::default()).await;
    assert_eq!(link.end().await, Ended::told("ticket", "revoked"));
    // What is issued from now on is good.
    enter(&server, kind, "mina", Wish::default()).await;
}

pub(super) async fn ends_when_expired(kind: Kind) {
    let server = Server::with(|config| {
        config.limits.session_ms = 1_000;
        config.limits.grace_ms = 100;
    })
    .await;
    let mut link = open(&server, kind, "mina", Wish::default()).await;
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
    let mut link = Link::open(kind, server.at, Offer::Resume(resume), Wish::default()).await;
    assert_eq!(link.end().await, Ended::refused(kind, "ticket", "expired"));
}

pub(super) async fn is_refused_over_the_limit(kind: Kind) {
    let server = Server::with(|config| config.limits.connections_per_user = 1).await;
    let first = server.connect("mina").await;
    let mut second = open(&server, kind, "mina", Wish::default()).await;
    assert_eq!(second.end().await, Ended::told("backoff", "connections"));
    let _other = enter(&server, kind, "tom", Wish::default()).await;
    drop(first);
    within("a free place", async {
        loop {
            let mut again = open(&server, kind, "mina", Wish::default()).await;
            if again.maybe().await.is_some_and(|message| message["type"] == "connected") {
                break;
            }
        }
    })
    .await;
    let full = Server::with(|config| config.limits.connections = 1).await;
    let _first = full.connect("mina").await;
    let mut second = open(&full, kind, "tom", Wish::default()).await;
    assert_eq!(second.end().await, Ended::told("backoff", "connections"));
}

pub(super) async fn is_replaced_by_its_own_page(kind: Kind) {
    let server = Server::start().await;
    let mut older = enter(&server, kind, "mina", Wish::instance("page")).await;
    let mut other = enter(&server, kind, "mina", Wish::instance("another")).await;
    let mut newer = enter(&server, kind, "mina", Wish::instance("page")).await;
    assert_eq!(older.end().await, Ended::told("never", "replaced"));
    if kind == Kind::EventSource {
        // It would come back by itself, and replace the other one in turn.
        let (resume, _) = older.leave();
        assert_eq!(resume.place, "ended");
        let again = Offer::Resume(resume);
        let mut again = Link::open(kind, server.at, again, Wish::instance("page")).await;
        assert_eq!(again.end().await, Ended { retry: "never", code: None });
    }
    server.notify("mina", "still here").await;
    for link in [&mut newer, &mut other] {
        assert_eq!(link.titles(1, 1).await, ["still here"]);
    }
}

/// More than sockets and mailbox hold together.
const RECORDS: u64 = 400;

pub(super) async fn misses_nothing_when_it_reads_late(kind: Kind) {
    let server = Server::with(|config| config.limits.mailbox_bytes = 128 * 1024).await;
    let mut link = enter(&server, kind, "mina", Wish::default()).await;
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

pub(super) async fn is_sent_away_by_a_drain(kind: Kind) {
    let mut server = Server::with(|config| config.drain_ms = 600).await;
    let mut link = enter(&server, kind, "mina", Wish::default()).await;
    server.drain();
    match kind {
        // A call that comes after the drain began is refused.
        Kind::AddressedPoll | Kind::FetchedPoll => match link.maybe().await {
            Some(message) => assert_eq!(message["type"], "goaway"),
            None => assert_eq!(link.end().await, Ended::told("backoff", "restart")),
        },
        _ => assert_eq!(link.hear("goaway").await["within_ms"], 300),
    }
    match kind {
        Kind::EventSource => {
            // It knows no `goaway`: its stream ends, and it comes back within the window.
            assert_eq!(link.maybe().await, None);
            assert!(link.stream().1.unwrap() < 300);
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

pub(super) async fn says_what_it_wants_and_is_answered(kind: Kind) {
    let server = Server::start().await;
    let mut link = enter(&server, kind, "mina", Wish::channels(&[ROOM])).await;
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

pub(super) async fn is_told_when_it_floods(kind: Kind) {
    let server = Server::with(|config| {
        config.limits.message_burst = 3;
        config.limits.message_interval_ms = 60_000;
        config.limits.flood_strikes = 2;
    })
    .await;
    let mut link = enter(&server, kind, "mina", Wish::default()).await;
    // `connect` counts where it goes the same way.
    let free = if kind == Kind::WebSocket { 2 } else { 3 };
    for _ in 0..free {
        assert_eq!(link.say(json!({ "type": "ping" })).await["type"], "pong");
    }
    // In requests of their own: what was said before is not forgotten.
    for _ in 0..2 {
        let error = link.say(json!({ "type": "ping" })).await;
        assert_eq!(error["code"], "flood");
        let wait = error["retry_after_ms"].as_u64().unwrap();
        assert!((1..=120_000).contains(&wait), "{wait}");
    }
    if kind != Kind::WebSocket {
        // No more is read of such a request.
        let (status, lines) = link.post("{\"type\":\"ping\",\"id\":1}\n{\"type\":\"ping\"}").await;
        assert_eq!((status.as_u16(), lines.len()), (200, 1));
        assert_eq!((&lines[0]["code"], &lines[0]["id"]), (&json!("flood"), &Value::Null));
    }
    // Who listens only is not concerned.
    server.notify("mina", "still heard").await;
    assert_eq!(link.titles(1, 1).await, ["still heard"]);
}

pub(super) async fn renews_its_credential(kind: Kind) {
    let server = Server::start().await;
    let short = json!({ "session_ttl_ms": 20_000 });
    let offer = Offer::Ticket(server.ticket("mina", short).await);
    let mut link = Link::open(kind, server.at, offer, Wish::default()).await;
    let ends = link.hear("connected").await["expires_at"].as_u64();
    link.until("snapshot").await;
    let fresh = server.ticket("mina", json!({})).await;
    let refreshed = link.say(json!({ "type": "refresh", "ticket": fresh })).await;
    assert_eq!(refreshed["type"], "refreshed", "{refreshed}");
    assert!(refreshed["expires_at"].as_u64() > ends);
    let spent = link.say(json!({ "type": "refresh", "ticket": fresh })).await;
    assert_eq!(spent["code"], "ticket_invalid");
    // The new token opens what comes next, from where the old one was.
    server.notify("mina", "before").await;
    link.until("notification").await;
    let (mut resume, _) = link.leave();
    resume.token = text(&refreshed["session_token"]);
    let place = resume.place.split('~').next().unwrap_or_default().to_owned();
    if kind == Kind::EventSource {
        resume.place = format!("{place}~{}", resume.token);
    }
    server.notify("mina", "after").await;
    let mut link = Link::open(kind, server.at, Offer::Resume(resume), Wish::default()).await;
    let connected = link.hear("connected").await;
    assert_eq!(connected["expires_at"], refreshed["expires_at"]);
    assert_eq!(link.until("notification").await["offset"], 2);
    assert_eq!(link.say(json!({ "type": "ping" })).await["type"], "pong");
}

pub(super) async fn is_refused_from_a_foreign_page(kind: Kind) {
    let server = Server::start().await;
    let path = match kind {
        // Before the upgrade; shown in `sockets.rs`.
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

pub(super) async fn is_told_what_is_wrong_with_its_first_words(kind: Kind) {
    let server = patient().await;
    let bad = Offer::Ticket("tk_none".to_owned());
    let mut link = Link::open(kind, server.at, bad, Wish::default()).await;
    assert_eq!(link.end().await, Ended::refused(kind, "ticket", "ticket_invalid"));
    let long = Wish::instance(&"x".repeat(65));
    let mut link = Link::open(kind, server.at, ticket(&server, "mina").await, long).await;
    assert_eq!(link.end().await, Ended::refused(kind, "never", "bad_request"));
    // Spent by the first who used it.
    let once = ticket(&server, "mina").await;
    let mut first = Link::open(kind, server.at, once.clone(), Wish::default()).await;
    first.hear("connected").await;
    let mut second = Link::open(kind, server.at, once, Wish::default()).await;
    assert_eq!(second.end().await, Ended::refused(kind, "ticket", "ticket_invalid"));
    let mut none = Link::open(kind, server.at, Offer::Ticket(String::new()), Wish::default()).await;
    assert_eq!(none.end().await.retry, "ticket");
}
