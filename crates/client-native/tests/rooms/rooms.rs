use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tidings_client::{ChannelStatus, ChannelView, IntentKind};
use tokio::sync::watch;

use crate::world::{World, everything, patiently};

async fn until(changes: &mut watch::Receiver<ChannelView>, wanted: impl Fn(&ChannelView) -> bool) {
    patiently("a state of the room", changes.wait_for(|view| wanted(view))).await.unwrap();
}

fn texts(view: &ChannelView) -> Vec<Value> {
    view.messages.iter().map(|message| message.data.to().unwrap()).collect()
}

#[tokio::test]
async fn two_clients_talk_in_a_room() {
    let world = World::begin().await;
    world.publish("room:1", json!("before")).await;
    let (mina, tom) = (
        world.client("mina", &everything()).build().unwrap(),
        world.client("tom", &everything()).build().unwrap(),
    );
    let (hers, his) = (mina.channel("room:1").unwrap(), tom.channel("room:1").unwrap());
    let mut reading = his.subscribe().await.unwrap();
    let mut state = reading.changes();
    until(&mut state, |view| view.status == ChannelStatus::Live && view.messages.len() == 1).await;

    let stored = patiently("an answer", hers.publish(&json!("hi"))).await.unwrap();
    assert_eq!((stored.channel.as_str(), stored.offset), ("room:1", 2));
    let received = patiently("a message", reading.next()).await.unwrap().unwrap();
    assert_eq!(received.data.to::<Value>().unwrap(), "hi");
    let from = received.from.clone().unwrap();
    assert_eq!((&*from.user, from.own), ("mina", false));
    assert_eq!(from.info.unwrap().to::<Value>().unwrap(), json!({ "name": "mina" }));
    patiently("an answer", his.publish("hello")).await.unwrap();
    let received = patiently("a message", reading.next()).await.unwrap().unwrap();
    assert!(received.from.as_ref().unwrap().own);
    assert_eq!(texts(&reading.snapshot()), ["before", "hi", "hello"]);
}

#[tokio::test]
async fn without_the_right_it_is_refused_and_what_was_published_stays_to_be_thrown_away() {
    let world = World::begin().await;
    let eve = world.client("eve", &json!([])).build().unwrap();
    let room = eve.channel("room:1").unwrap();
    let reading = room.subscribe().await.unwrap();
    until(&mut reading.changes(), |view| view.status == ChannelStatus::Refused).await;
    assert_eq!(reading.snapshot().error.unwrap().code, "forbidden");
    let error = patiently("an answer", room.publish("let me in")).await.unwrap_err();
    assert_eq!(error.code, "forbidden");
    let failed = eve.outbox().snapshot().failed;
    assert_eq!((failed.len(), failed[0].kind), (1, IntentKind::Publish));
    let error = patiently("an answer", eve.outbox().retry(failed[0].id)).await.unwrap_err();
    assert_eq!(error.code, "forbidden");
    let id = eve.outbox().snapshot().failed[0].id;
    eve.outbox().discard(id).await.unwrap();
    let mut outbox = eve.outbox().changes();
    patiently("an empty outbox", outbox.wait_for(|view| view.failed.is_empty())).await.unwrap();
}

#[tokio::test]
async fn older_messages_are_loaded_page_by_page() {
    let world = World::begin().await;
    for number in 0..120 {
        world.publish("room:1", json!(number)).await;
    }
    let client = world.client("mina", &everything()).build().unwrap();
    let reading = client.channel("room:1").unwrap().subscribe().await.unwrap();
    let mut state = reading.changes();
    until(&mut state, |view| view.messages.len() == 50 && view.has_more).await;
    while reading.snapshot().has_more {
        patiently("a page", reading.load_more()).await.unwrap();
    }
    let all: Vec<_> = (0..120).map(|number| json!(number)).collect();
    assert_eq!(texts(&reading.snapshot()), all);
}

#[tokio::test]
async fn a_restarted_client_goes_on_in_the_room_where_it_was() {
    let world = World::begin().await;
    let build = || world.client("mina", &everything()).state(&world.state.0).build().unwrap();
    let client = build();
    let room = client.channel("room:1").unwrap();
    let mut reading = room.subscribe().await.unwrap();
    until(&mut reading.changes(), |view| view.status == ChannelStatus::Live).await;
    patiently("an answer", room.publish("one")).await.unwrap();
    patiently("the echo", reading.next()).await.unwrap().unwrap();
    drop(reading);
    client.close().await;
    world.publish("room:1", json!("two")).await;

    let client = build();
    let mut reading = client.channel("room:1").unwrap().subscribe().await.unwrap();
    let received = patiently("what was missed", reading.next()).await.unwrap().unwrap();
    assert_eq!(received.data.to::<Value>().unwrap(), "two", "and nothing it had already");
    assert_eq!(texts(&reading.snapshot()), ["one", "two"]);
}

#[tokio::test]
async fn a_name_that_is_no_room_is_refused_at_once() {
    let client = tidings_client::Client::builder("http://127.0.0.1:1")
        .ticket(async || String::new())
        .build()
        .unwrap();
    for name in ["42", "inbox:u1", "system:all", "Room:1"] {
        assert_eq!(client.channel(name).unwrap_err().code, "invalid_argument", "{name}");
    }
}
