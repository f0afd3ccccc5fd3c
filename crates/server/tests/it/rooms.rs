//! Channels besides the inbox: rights, messages, and pages of history.

use serde_json::{Value, json};
use tidings_protocol::{
    ServerMessage,
    server::{Page, Posted},
};

use super::harness::{Server, Socket, answered, created};

pub(crate) const ROOM: &str = "room:42";

#[tokio::test]
async fn a_hole_in_a_lane_is_refused_and_named() {
    let server = Server::start().await;
    let mut socket = server.connect("mina").await;
    let say = |seq: u64| json!({ "type": "publish", "channel": ROOM, "client_id": "lane", "seq": seq, "data": seq });
    socket.say(say(1)).await;
    socket.hear("ack").await;
    socket.say(say(3)).await;
    let error = socket.hear("error").await;
    assert_eq!((&error["code"], &error["expected"]), (&json!("sequence"), &json!(2)));
    assert_eq!((&error["client_id"], &error["seq"]), (&json!("lane"), &json!(3)));
    socket.say(json!({ "type": "void", "id": 9, "client_id": "lane", "seq": 2 })).await;
    assert_eq!(socket.hear("ack").await["id"], 9);
    socket.say(say(3)).await;
    assert_eq!(socket.hear("ack").await["offset"], 2, "a voided `seq` leaves no record");
}

#[tokio::test]
async fn history_comes_in_pages() {
    let server = Server::start().await;
    let mut socket = server.connect("mina").await;
    for number in 1..=5 {
        server.notify("mina", &number.to_string()).await;
        socket.say(json!({ "type": "publish", "channel": ROOM, "data": number })).await;
    }
    while socket.until("ack").await["offset"] != 5 {}
    let mut page = async |more: Value| {
        let mut ask = json!({ "type": "history", "id": 1, "channel": ROOM, "limit": 2 });
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        socket.say(ask).await;
        let page = socket.until("page").await;
        let rows =
            page.get("messages").filter(|rows| !rows.is_null()).unwrap_or_else(|| &page["items"]);
        let offsets: Vec<_> =
            rows.as_array().unwrap().iter().map(|row| row["offset"].as_u64().unwrap()).collect();
        (offsets, page["more"].as_bool().unwrap())
    };
    assert_eq!(page(json!({})).await, (vec![5, 4], true));
    assert_eq!(page(json!({ "before": 2 })).await, (vec![1], false));
    assert_eq!(page(json!({ "after": 1 })).await, (vec![2, 3], true));
    assert_eq!(page(json!({ "after": 3 })).await, (vec![4, 5], false));
    assert_eq!(page(json!({ "channel": "inbox:mina", "before": 4 })).await, (vec![3, 2], true));
    assert_eq!(page(json!({ "channel": "room:nothing" })).await, (vec![], false));
}

/// A connection with only these rights.
pub(crate) async fn entitled(server: &Server, user: &str, channels: Value) -> Socket {
    let info = json!({ "name": user.to_uppercase() });
    let ticket = server.ticket(user, json!({ "channels": channels, "info": info })).await;
    let mut socket = server.open().await;
    socket.say(json!({ "type": "connect", "version": 1, "ticket": ticket })).await;
    socket.until("snapshot").await;
    socket
}

#[tokio::test]
async fn rooms_are_open_to_those_whom_a_ticket_entitles() {
    let server = Server::start().await;
    let rights = json!([{ "pattern": "room:*", "allow": ["subscribe", "publish"] }]);
    let mut writer = entitled(&server, "mina", rights).await;
    let reads = json!([{ "pattern": ROOM, "allow": ["subscribe"] }]);
    let mut reader = entitled(&server, "tom", reads).await;
    let mut nobody = entitled(&server, "eve", json!([])).await;
    // A room begins with its first record.
    let begin = server.backend("/v1/channels/room:42/messages").json(&json!({ "data": "begin" }));
    created(begin).await;

    for socket in [&mut writer, &mut reader] {
        socket.say(json!({ "type": "subscribe", "id": 1, "channel": ROOM })).await;
        let subscribed = socket.hear("subscribed").await;
        assert_eq!((&subscribed["id"], &subscribed["channel"]), (&json!(1), &json!(ROOM)));
    }
    let publish = json!({ "type": "publish", "id": 2, "channel": ROOM, "client_id": "l", "seq": 1,
        "data": { "text": "hi" } });
    writer.say(publish.clone()).await;
    let echo = writer.hear("message").await;
    assert_eq!(
        (&echo["client_id"], &echo["seq"]),
        (&json!("l"), &json!(1)),
        "the own echo can be merged"
    );
    assert_eq!(writer.hear("ack").await["offset"], 2);
    let received = reader.hear("message").await;
    assert_eq!(received["data"], json!({ "text": "hi" }));
    assert_eq!(received["from"], json!({ "user": "mina", "info": { "name": "MINA" } }));

    let refusals = [
        ("reader", publish),
        ("nobody", json!({ "type": "subscribe", "channel": ROOM })),
        ("nobody", json!({ "type": "history", "channel": ROOM })),
        ("nobody", json!({ "type": "subscribe", "channel": "inbox:mina" })),
        ("nobody", json!({ "type": "publish", "channel": "inbox:eve", "data": 1 })),
        ("nobody", json!({ "type": "publish", "channel": "system:all", "data": 1 })),
    ];
    for (who, message) in refusals {
        let socket = if who == "reader" { &mut reader } else { &mut nobody };
        socket.say(message.clone()).await;
        let error = socket.hear("error").await;
        assert_eq!(error["code"], "forbidden", "{message}");
        assert_eq!(error["channel"], message["channel"]);
        assert_eq!(error["retry"], "never");
    }
    reader.say(json!({ "type": "unsubscribe", "id": 5, "channel": ROOM })).await;
    assert_eq!(reader.hear("unsubscribed").await["id"], 5);
    writer.say(json!({ "type": "publish", "channel": ROOM, "data": 2 })).await;
    writer.until("ack").await;
    server.notify("tom", "after").await;
    assert_eq!(reader.titles(1).await, ["after"], "who left hears nothing of the room");
}

#[tokio::test]
async fn a_topic_notification_reaches_its_subscribers() {
    let server = Server::start().await;
    let mut socket = server.connect("mina").await;
    socket.say(json!({ "type": "subscribe", "channel": "topic:news" })).await;
    socket.hear("subscribed").await;
    let stored = server.notify_to(json!({ "topic": "news" }), "Extra").await;
    assert_eq!(stored["channel"], "topic:news");
    let received = socket.until("notification").await;
    assert_eq!(
        (&received["channel"], &received["data"]["title"]),
        (&json!("topic:news"), &json!("Extra"))
    );
    let path = "/v1/channels/topic%3Anews/messages";
    let page =
        answered(server.request(http::Method::GET, path).bearer_auth("dev"), http::StatusCode::OK)
            .await;
    assert_eq!(page["messages"][0]["id"], stored["notification_id"]);
    socket.say(json!({ "type": "history", "id": 7, "channel": "topic:news" })).await;
    let listed = socket.hear("page").await;
    let listed = ServerMessage::decode(&listed.to_string()).unwrap();
    let ServerMessage::Page(Page { messages: Some(posted), .. }) = listed else { panic!() };
    let read: Vec<_> = posted.into_iter().filter_map(Posted::into_message).collect();
    assert_eq!((read.len(), read[0].offset, &read[0].from), (1, 1, &None), "from nobody");
    let body = json!({ "data": "from a backend" });
    created(server.backend(path).json(&body)).await;
    let message = socket.hear("message").await;
    assert_eq!((&message["offset"], message.get("from")), (&json!(2), None));
}
