//! Polls of rooms that are new to the client, or have no records.

use serde_json::{Value, json};

use crate::harness::{Server, within};

/// A poll and its lines: the head, then messages.
async fn poll(server: &Server, query: &str, connect: &Value) -> Vec<Value> {
    let url = format!("http://{}/v1/poll?{query}", server.at);
    let request = reqwest::Client::new().post(url).json(connect);
    let answer = within("an answer", request.send()).await.unwrap();
    let text = answer.error_for_status().unwrap().text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn greeting(server: &Server) -> Value {
    let rights = json!([{ "pattern": "room:*", "allow": ["subscribe"] }]);
    let ticket = server.ticket("mina", json!({ "channels": rights })).await;
    json!({ "type": "connect", "version": 1, "batch": true, "ticket": ticket })
}

#[tokio::test]
async fn a_call_that_joins_many_rooms_waits_for_nothing_else() {
    // An answer that only comes at the end of the wait would never come.
    let server = Server::with(|config| config.limits.timeout_ms = 3_600_000).await;
    let rooms: Vec<_> = (0..20).map(|room| format!("channel=room%3A{room}")).collect();
    // The store's threads decide in which order the rooms are read.
    for _ in 0..20 {
        let lines = poll(&server, &rooms.join("&"), &greeting(&server).await).await;
        let begun = lines.iter().filter(|line| line["type"] == "subscribed").count();
        assert_eq!(begun, 2 + rooms.len());
    }
}

#[tokio::test]
async fn who_follows_a_room_is_told_its_epoch_with_its_first_record() {
    let server = Server::start().await;
    let lines = poll(&server, "channel=room%3A1", &greeting(&server).await).await;
    let nowhere = &lines[0]["cursors"]["room:1"];
    assert_eq!((&nowhere["epoch"], &nowhere["offset"]), (&json!("AAAAAAAA"), &json!(0)));
    assert!(nowhere["proof"].is_string(), "who may not read back has nothing else to go on with");
    let body = json!({ "data": "first" });
    let publish = server.backend("/v1/channels/room:1/messages").json(&body);
    publish.send().await.unwrap().error_for_status().unwrap();
    let connect = json!({
        "type": "connect", "version": 1, "batch": true,
        "session_token": lines[0]["session_token"], "cursors": lines[0]["cursors"],
    });
    let lines = poll(&server, "wait=25000", &connect).await;
    let epoch = &lines[0]["cursors"]["room:1"]["epoch"];
    let of_room: Vec<_> = lines.iter().filter(|line| line["channel"] == "room:1").collect();
    assert_eq!(of_room.len(), 2, "{lines:?}");
    assert_eq!((&of_room[0]["type"], &of_room[0]["epoch"]), (&json!("subscribed"), epoch));
    assert_eq!((&of_room[1]["type"], &of_room[1]["data"]), (&json!("message"), &json!("first")));
}

#[tokio::test]
async fn a_room_that_is_followed_does_not_make_room_for_another() {
    // Inbox, messages to everyone, and one more.
    let server = Server::with(|config| config.limits.subscriptions = 3).await;
    let lines = poll(&server, "channel=room%3A9", &greeting(&server).await).await;
    let mut connect = greeting(&server).await;
    connect["cursors"] = lines[0]["cursors"].clone();
    let lines = poll(&server, "channel=room%3A1", &connect).await;
    let refused: Vec<_> = lines.iter().filter(|line| line["type"] == "error").collect();
    assert_eq!(refused.len(), 1, "{lines:?}");
    assert_eq!(refused[0]["channel"], "room:1");
    assert_eq!(refused[0]["code"], "subscriptions");
}

#[tokio::test]
async fn each_answer_states_the_time() {
    let server = Server::start().await;
    let head = poll(&server, "", &greeting(&server).await).await.remove(0);
    let ticket = server.ticket("mina", json!({})).await;
    let by_address = reqwest::get(format!("http://{}/v1/poll?ticket={ticket}", server.at));
    let text = within("an answer", by_address).await.unwrap().text().await.unwrap();
    let addressed: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    for head in [head, addressed] {
        assert!(head["now"].as_u64().is_some_and(|now| now > 1_700_000_000_000), "{head}");
    }
}
