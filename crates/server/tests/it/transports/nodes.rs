//! A client whose requests go to changing nodes of a cluster, as behind a load balancer.

use serde_json::json;
use tidings_backing::Redis;

use super::{
    connect_request::{ConnectRequest, Kind, Offer},
    link::Link,
};
use crate::{
    cluster::nodes,
    harness::{Server, text},
    rooms::ROOM,
};

/// A client on this node, subscribed to the room, and greeted.
async fn enter(server: &Server, kind: Kind, grants: serde_json::Value) -> Link {
    let ticket = server.ticket("mina", json!({ "channels": grants })).await;
    let mut link =
        Link::open(kind, server.at, Offer::Ticket(ticket), ConnectRequest::channels(&[ROOM])).await;
    let (mut begun, mut snapshot) = (0, false);
    while begun < 3 || !snapshot {
        match link.next().await["type"].as_str().unwrap() {
            "subscribed" => begun += 1,
            "snapshot" => snapshot = true,
            "connected" => {}
            other => panic!("heard {other}"),
        }
    }
    link
}

fn everything() -> serde_json::Value {
    json!([{ "pattern": "room:*", "allow": ["subscribe", "publish", "history"] }])
}

#[tokio::test(flavor = "multi_thread")]
async fn any_node_answers_the_next_poll() {
    let redis = Redis::start();
    for bus in ["", &*redis.url()] {
        for kind in [Kind::AddressedPoll, Kind::FetchedPoll] {
            let [one, two] = nodes(bus).await;
            let mut link = enter(&one, kind, everything()).await;
            for turn in 1..=6 {
                let (here, there) = if turn % 2 == 0 { (&one, &two) } else { (&two, &one) };
                // The waiting poll is at the other node; the next one comes to this node.
                link.turn_to(here);
                there.notify("mina", &turn.to_string()).await;
                assert_eq!(link.titles(turn, 1).await, [turn.to_string()], "{kind:?} {bus}");
            }
            // The session does not depend on its first node.
            link.turn_to(&two);
            two.notify("mina", "7").await;
            assert_eq!(link.titles(7, 1).await, ["7"]);
            let mut one = one;
            one.drain();
            one.gone().await;
            two.notify("mina", "8").await;
            assert_eq!(link.titles(8, 1).await, ["8"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_node_takes_what_the_client_of_anothers_stream_says() {
    let redis = Redis::start();
    let kinds = [Kind::EventSource, Kind::FetchedStream, Kind::AddressedPoll, Kind::FetchedPoll];
    for kind in kinds {
        let [one, two] = nodes(&redis.url()).await;
        let mut link = enter(&one, kind, everything()).await;
        link.turn_to(&two);
        assert_eq!(link.say(json!({ "type": "ping" })).await["type"], "pong");
        let publish = |seq: u64| json!({ "type": "publish", "channel": ROOM, "client_id": "lane", "seq": seq, "data": seq });
        for seq in 1..=2 {
            let ack = link.say(publish(seq)).await;
            assert_eq!((&ack["type"], &ack["offset"]), (&json!("ack"), &json!(seq)), "{ack}");
        }
        // A lane is shared by all nodes.
        link.turn_to(&one);
        assert_eq!(link.say(publish(2)).await["duplicate"], true);
        assert_eq!(link.say(publish(4)).await["code"], "sequence");
        link.turn_to(&two);
        for offset in 1..=2 {
            assert_eq!(link.until("message").await["offset"], offset, "{kind:?}");
        }
        one.notify("mina", "to be read").await;
        link.until("notification").await;
        let mark = json!({
            "type": "mark", "epochs": {}, "offsets": { "inbox": [1] }, "set": { "read": true },
        });
        assert_eq!(link.say(mark).await["type"], "ack");
        assert_eq!(link.until("marked").await["counts"]["inbox"]["unread"], 0);
        let page = link.say(json!({ "type": "history", "channel": ROOM })).await;
        assert_eq!(page["messages"].as_array().unwrap().len(), 2);
        let fresh = one.ticket("mina", json!({})).await;
        let refreshed = link.say(json!({ "type": "refresh", "ticket": fresh })).await;
        assert_eq!(refreshed["type"], "refreshed", "{refreshed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_node_knows_rights_that_are_too_long_for_a_token() {
    let [one, two] = nodes("").await;
    let mut grants: Vec<_> = (0..63)
        .map(|number| {
            let pattern = format!("room:{number:03}-{}", "x".repeat(100));
            json!({ "pattern": pattern, "allow": ["publish"] })
        })
        .collect();
    let granted = text(&grants[62]["pattern"]);
    grants.push(json!({ "pattern": ROOM, "allow": ["subscribe"] }));
    let mut link = enter(&one, Kind::EventSource, json!(grants)).await;
    link.turn_to(&two);
    let publish = |channel: &str| json!({ "type": "publish", "channel": channel, "data": 1 });
    assert_eq!(link.say(publish(&granted)).await["type"], "ack");
    assert_eq!(link.say(publish(ROOM)).await["code"], "forbidden");
}
