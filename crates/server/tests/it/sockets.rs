//! The messages that a well-behaved client gets on its socket.

use serde_json::{Value, json};
use tidings_server_core::store::NO_LOG;
use tokio_tungstenite::tungstenite::Message;

use super::{
    harness::{Server, Socket, text},
    rooms::ROOM,
};

fn counts(unread: u64, unseen: u64) -> Value {
    json!({ "unread": unread, "unseen": unseen })
}

#[tokio::test]
async fn a_publish_over_rest_reaches_the_socket_with_its_counts() {
    let server = Server::start().await;
    let mut socket = server.connect("mina").await;
    let stored = server.notify("mina", "Paid").await;
    let received = socket.hear("notification").await;
    assert_eq!(stored["channel"], "inbox:mina");
    assert_eq!(received["channel"], "inbox:mina");
    assert_eq!(received["offset"], stored["offset"]);
    assert_eq!(received["id"], stored["notification_id"]);
    assert_eq!(received["counts"]["inbox"], counts(1, 1));
    let data = &received["data"];
    assert_eq!(data["notification_id"], stored["notification_id"]);
    assert_eq!((&data["type"], &data["title"]), (&json!("note"), &json!("Paid")));
    assert!(text(&data["created_at"]).ends_with('Z'));
}

#[tokio::test]
async fn a_connection_begins_in_the_order_of_the_protocol() {
    let server = Server::start().await;
    server.notify("mina", "before").await;
    let mut socket = server
        .connecting(
            "mina",
            json!({ "id": 7, "cursors": {
                ROOM: { "epoch": NO_LOG.to_string(), "offset": 0 },
            }}),
        )
        .await;
    let connected = socket.hear("connected").await;
    assert_eq!(connected["id"], 7);
    assert_eq!(connected["user_id"], "mina");
    assert_eq!(connected["limits"]["message_bytes"], 10 * 1024);
    assert!(connected["expires_at"].as_u64() > connected["now"].as_u64());
    let mut order = Vec::new();
    while !order.contains(&format!("subscribed {ROOM}")) || order.len() < 4 {
        let message = socket.next().await;
        order.push(format!("{} {}", text(&message["type"]), text(&message["channel"])));
    }
    order.retain(|what| *what != format!("subscribed {ROOM}"));
    assert_eq!(order, ["subscribed inbox:mina", "subscribed system:all", "snapshot inbox:mina"]);
}

#[tokio::test]
async fn the_first_snapshot_holds_what_came_before() {
    let server = Server::start().await;
    for title in ["one", "two"] {
        server.notify("mina", title).await;
    }
    let mut socket = server.connecting("mina", json!({})).await;
    let snapshot = socket.until("snapshot").await;
    let titles: Vec<_> = snapshot["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| text(&item["data"]["title"]))
        .collect();
    assert_eq!(titles, ["two", "one"]);
    assert_eq!(snapshot["offset"], 2);
    assert_eq!(snapshot["counts"]["inbox"], counts(2, 2));
    assert_eq!((&snapshot["more"], &snapshot["system_more"]), (&json!(false), &json!(false)));
}

#[tokio::test]
async fn each_kind_of_credential_opens_a_connection() {
    let server = Server::start().await;
    let ticket = server.ticket("mina", json!({})).await;
    let mut socket = server.open().await;
    socket.say(json!({ "type": "connect", "version": 1, "ticket": ticket })).await;
    let connected = socket.hear("connected").await;
    let session_token = text(&connected["session_token"]);

    let mut socket = server.connecting("mina", json!({})).await;
    socket.hear("connected").await;

    let mut socket = server.open().await;
    socket.say(json!({ "type": "connect", "version": 1, "session_token": session_token })).await;
    let again = socket.hear("connected").await;
    assert_eq!(again["user_id"], "mina");
    assert_eq!(again["session"], connected["session"], "it is the same session");
    assert_eq!(again["expires_at"], connected["expires_at"], "re-entering keeps its end");

    let ticket = server.ticket("mina", json!({})).await;
    let request = server.upgrade(&format!("?ticket={ticket}"));
    let mut socket = Socket::open(server.at, request).await.unwrap();
    assert_eq!(socket.hear("connected").await["user_id"], "mina");

    let mut request = server.upgrade("");
    let bearer = format!("Bearer {}", server.token("mina").await);
    request.headers_mut().insert("authorization", bearer.parse().unwrap());
    let mut socket = Socket::open(server.at, request).await.unwrap();
    socket.say(json!({ "type": "connect", "version": 1 })).await;
    assert_eq!(socket.hear("connected").await["user_id"], "mina");
}

/// A connection's cursors from its `subscribed` messages.
async fn cursors(socket: &mut Socket) -> (Value, Value) {
    let inbox = socket.until("subscribed").await;
    let system = socket.until("subscribed").await;
    let cursor = |told: Value| json!({ "epoch": told["epoch"], "offset": told["offset"] });
    (cursor(inbox), cursor(system))
}

#[tokio::test]
async fn a_client_resumes_by_its_cursors_without_a_gap() {
    let server = Server::start().await;
    let mut socket = server.connecting("mina", json!({})).await;
    let (inbox, system) = cursors(&mut socket).await;
    drop(socket);
    for title in ["one", "two", "three"] {
        server.notify("mina", title).await;
    }
    let system_now = server.notify_to(json!({ "everyone": true }), "all").await;
    let cursors = json!({ "inbox:mina": inbox, "system:all": system });
    let mut socket = server.connecting("mina", json!({ "cursors": cursors })).await;
    socket.hear("connected").await;
    for _ in 0..2 {
        assert_eq!(socket.hear("subscribed").await["recovered"], true);
    }
    let mut received = [Vec::new(), Vec::new()];
    for _ in 0..4 {
        let message = socket.hear("notification").await;
        let of = usize::from(message["channel"] == "system:all");
        received[of].push(message["offset"].as_u64().unwrap());
    }
    assert_eq!(received, [vec![1, 2, 3], vec![system_now["offset"].as_u64().unwrap()]]);
    server.notify("mina", "four").await;
    assert_eq!(socket.hear("notification").await["offset"], 4, "live goes on where the log ended");
}

#[tokio::test]
async fn a_cursor_of_another_log_resets_that_client_alone() {
    let server = Server::start().await;
    server.notify("mina", "one").await;
    let mut other = server.connecting("mina", json!({})).await;
    let (inbox, system) = cursors(&mut other).await;
    other.hear("snapshot").await;
    let above = json!({ "epoch": inbox["epoch"], "offset": 99 });
    let foreign = json!({ "epoch": "zzzzzzzz", "offset": 1 });
    for claim in [above, foreign] {
        let cursors = json!({ "inbox:mina": claim, "system:all": system });
        let mut socket = server.connecting("mina", json!({ "cursors": cursors })).await;
        socket.hear("connected").await;
        let subscribed = socket.hear("subscribed").await;
        assert_eq!(subscribed["recovered"], false);
        assert_eq!(subscribed["epoch"], inbox["epoch"], "a claim is no evidence against the log");
        let gap = socket.hear("gap").await;
        assert_eq!(gap["why"], "epoch");
        assert_eq!((&gap["channel"], &gap["to"]), (&json!("inbox:mina"), &json!(1)));
        let snapshot = socket.until("snapshot").await;
        assert_eq!((&snapshot["epoch"], &snapshot["offset"]), (&inbox["epoch"], &json!(1)));
    }
    server.notify("mina", "two").await;
    assert_eq!(other.titles(1).await, ["two"], "the other connection noticed nothing");
}

#[tokio::test]
async fn a_cursor_below_what_is_kept_gets_the_missing_range() {
    let server = Server::with(|config| {
        config.retention.records = 2;
        config.store.trim_interval_ms = 20;
    })
    .await;
    let mut socket = server.connecting("mina", json!({})).await;
    let (inbox, system) = cursors(&mut socket).await;
    for number in 1..=6 {
        server.notify("mina", &number.to_string()).await;
    }
    let cursors = json!({ "inbox:mina": inbox, "system:all": system });
    // Trimming runs in the background: until then the client resumes without a gap.
    let (first, gap) = loop {
        let mut socket = server.connecting("mina", json!({ "cursors": cursors })).await;
        let subscribed = socket.until("subscribed").await;
        if subscribed["first"] != 1 {
            break (subscribed["first"].as_u64().unwrap(), socket.hear("gap").await);
        }
    };
    assert_eq!(gap["why"], "retention");
    assert_eq!((gap["from"].as_u64(), gap["to"].as_u64()), (Some(1), Some(first - 1)));
}

#[tokio::test]
async fn an_everyone_message_is_one_record_that_everybody_hears() {
    let server = Server::start().await;
    let mut sockets = [server.connect("a").await, server.connect("b").await];
    let stored = server.notify_to(json!({ "everyone": true }), "Maintenance").await;
    assert_eq!(stored["channel"], "system:all");
    for socket in &mut sockets {
        let received = socket.hear("notification").await;
        assert_eq!(
            (&received["channel"], &received["offset"]),
            (&stored["channel"], &stored["offset"])
        );
    }
}

#[tokio::test]
async fn marks_of_two_connections_converge_with_their_counts() {
    let server = Server::start().await;
    for title in ["one", "two"] {
        server.notify("mina", title).await;
    }
    let everyone = server.notify_to(json!({ "everyone": true }), "all").await;
    let mut here = server.connecting("mina", json!({})).await;
    let (inbox, system) = cursors(&mut here).await;
    let snapshot = here.hear("snapshot").await;
    let mut there = server.connect("mina").await;
    let epochs = json!({ "inbox": inbox["epoch"], "system": system["epoch"] });
    here.say(json!({ "type": "mark", "epochs": epochs, "offsets": { "inbox": [1] }, "set": { "read": true } }))
        .await;
    let first = there.hear("marked").await;
    assert_eq!(first["offset"], 3);
    assert_eq!(first["counts"]["inbox"], counts(1, 1), "what is read was seen");
    let up_to = json!({ "inbox": 2, "system": everyone["offset"] });
    there.say(json!({ "type": "mark", "epochs": epochs, "up_to": up_to, "set": { "archived": true } })).await;
    let mut lasts = Vec::new();
    for socket in [&mut here, &mut there] {
        let mut last = socket.until("marked").await;
        while last["offset"] != 4 {
            last = socket.until("marked").await;
        }
        lasts.push(last);
    }
    assert_eq!(lasts[0], lasts[1], "both heard the same fact");
    assert_eq!(lasts[0]["counts"]["inbox"], counts(0, 0));
    // The everyone-message is older than this inbox, which the first connection made: it does not
    // count.
    assert_eq!(lasts[0]["counts"]["system"]["unread"], 0);
    assert!(
        snapshot["counts"]["system"]["at"].as_u64() <= lasts[0]["counts"]["system"]["at"].as_u64()
    );
}

#[tokio::test]
async fn an_intent_sent_twice_is_stored_once() {
    let server = Server::start().await;
    server.notify("mina", "one").await;
    let mut socket = server.connect("mina").await;
    let mark = json!({ "type": "mark", "id": 1, "client_id": "lane", "seq": 1, "epochs": {},
        "offsets": { "inbox": [1] }, "set": { "read": true } });
    socket.say(mark.clone()).await;
    let first = socket.until("ack").await;
    assert_eq!(
        (&first["id"], &first["client_id"], &first["seq"]),
        (&json!(1), &json!("lane"), &json!(1))
    );
    assert_eq!(first.get("duplicate"), None);
    socket.say(mark).await;
    let again = socket.hear("ack").await;
    assert_eq!(again["duplicate"], true);
    assert_eq!(again["offset"], first["offset"]);
    // The lane belongs to the user, not to the connection.
    let mut other = server.connect("mina").await;
    other
        .say(json!({ "type": "mark", "client_id": "lane", "seq": 1, "epochs": {},
            "offsets": { "inbox": [1] }, "set": { "read": true } }))
        .await;
    assert_eq!(other.hear("ack").await["duplicate"], true);
}

#[tokio::test]
async fn a_pong_tells_the_tops_that_changed() {
    let server = Server::start().await;
    let mut socket = server.connect("mina").await;
    socket.say(json!({ "type": "ping", "id": 1 })).await;
    let pong = socket.hear("pong").await;
    assert_eq!((&pong["id"], pong.get("tops")), (&json!(1), None));
    assert!(pong["now"].as_u64() > Some(1_700_000_000_000));
    server.notify("mina", "one").await;
    socket.hear("notification").await;
    socket.say(json!({ "type": "ping" })).await;
    assert_eq!(socket.hear("pong").await["tops"], json!({ "inbox:mina": 1 }));
    socket.say(json!({ "type": "ping" })).await;
    assert_eq!(socket.hear("pong").await.get("tops"), None, "told once");
}

#[tokio::test]
async fn a_bare_ping_is_answered_as_older_clients_expect() {
    let server = Server::start().await;
    let mut socket = server.connect("mina").await;
    socket.say_text("ping").await;
    assert_eq!(socket.frame().await, Some(Message::text("pong")));
}

#[tokio::test]
async fn an_unknown_type_is_told_and_the_connection_stays() {
    let server = Server::start().await;
    let mut socket = server.connect("mina").await;
    for kind in ["dance", "signal", "presence"] {
        socket.say(json!({ "type": kind, "id": 3, "channel": ROOM, "name": "typing" })).await;
        let error = socket.hear("error").await;
        assert_eq!((&error["code"], &error["id"]), (&json!("unknown_type"), &json!(3)), "{kind}");
    }
    socket.say_text("ping").await;
    assert_eq!(socket.frame().await, Some(Message::text("pong")));
}

#[tokio::test]
async fn messages_share_a_frame_only_with_clients_that_asked() {
    let server = Server::start().await;
    let mut socket = server.connecting("mina", json!({ "batch": true })).await;
    let mut kinds = Vec::new();
    while kinds.last().is_none_or(|kind| kind != "snapshot") {
        let Some(Message::Text(frame)) = socket.frame().await else { panic!("no frame") };
        for line in frame.split('\n') {
            kinds.push(text(&serde_json::from_str::<Value>(line).unwrap()["type"]));
        }
    }
    assert_eq!(kinds, ["connected", "subscribed", "subscribed", "snapshot"]);
}
