//! The tokio driver against a scripted server: only the driver's own part; the core has its own
//! tests.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod scripted;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::json;
use tidings_client::{Body, Client, ClientEvent, InboxStatus, Lagged, Status};
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::Message;

use scripted::{Scripted, counts, patiently};

async fn until(client: &Client, status: Status) {
    let mut changes = client.connection_changes();
    let reached = changes.wait_for(|connection| connection.status == status);
    drop(patiently("a state of the connection", reached).await.unwrap());
}

async fn until_live(client: &Client) {
    let mut changes = client.inbox().changes();
    let live = changes.wait_for(|inbox| inbox.status == InboxStatus::Live);
    drop(patiently("a live inbox", live).await.unwrap());
}

#[tokio::test]
async fn connects_once_somebody_listens_and_shows_what_arrives() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Order {
        order: u64,
    }
    let server = Scripted::new().await;
    let client = server.client().arrived_max_age(None).build().unwrap();
    assert!(
        client.explain().await.len() > 10,
        "it says in words that nobody asked for a connection"
    );
    assert_eq!(client.connection().status, Status::Idle);

    let mut arrived = pin!(client.inbox().arrived());
    let mut session = server.live().await;
    session.notify(1).await;
    session.notify(2).await;
    for offset in 1..=2 {
        let item = patiently("a notification", arrived.next()).await.unwrap().unwrap();
        let body: Body<Order> = Body::of(&item).unwrap();
        assert_eq!((item.key.offset, body.data), (offset, Order { order: offset }));
        assert_eq!(body.title, format!("Paid {offset}"));
    }
    // The state is set before any event is reported.
    let inbox = client.inbox().snapshot();
    assert_eq!((inbox.unread, inbox.items.len()), (2, 2));
    assert_eq!(client.connection().user.as_deref(), Some("u1"));
}

#[tokio::test]
async fn answers_a_mark_when_the_server_stored_it() {
    let server = Scripted::new().await;
    let client = server.client().build().unwrap();
    let listening = client.inbox().changes();
    let mut session = server.live().await;
    session.notify(1).await;
    let mut arrived = listening.clone();
    drop(patiently("the item", arrived.wait_for(|inbox| inbox.unread == 1)).await.unwrap());

    let inbox = client.inbox();
    let marking = tokio::spawn(async move { inbox.mark_read(["n1"]).await });
    let mark = session.hear().await;
    assert_eq!((&mark["type"], &mark["offsets"]["inbox"]), (&json!("mark"), &json!([1])));
    // Shown at once, before any answer.
    assert_eq!(client.inbox().snapshot().unread, 0);

    let answer = json!({
        "type": "marked", "channel": "inbox:u1", "offset": 2, "id": "m2", "at": 2,
        "client_id": mark["client_id"], "seq": mark["seq"], "offsets": mark["offsets"],
        "set": mark["set"], "counts": counts(0),
    });
    session.say(answer).await;
    let ack = json!({
        "type": "ack", "client_id": mark["client_id"], "seq": mark["seq"],
        "channel": "inbox:u1", "epoch": "aaaaaaaa", "offset": 2, "record_id": "m2",
    });
    session.say(ack).await;
    let stored = patiently("the answer", marking).await.unwrap().unwrap();
    assert_eq!((stored.offset, stored.id.as_str()), (2, "m2"));
}

#[tokio::test]
async fn rolls_back_a_mark_that_is_refused() {
    let server = Scripted::new().await;
    let client = server.client().build().unwrap();
    let failed = client.events().filter_map(async |event| match event {
        Ok(ClientEvent::Failed(failed)) => Some(failed),
        _ => None,
    });
    let mut session = server.live().await;
    session.notify(1).await;
    let mut changes = client.inbox().changes();
    drop(patiently("the item", changes.wait_for(|inbox| inbox.unread == 1)).await.unwrap());

    let inbox = client.inbox();
    let marking = tokio::spawn(async move { inbox.mark_all_read().await });
    let mark = session.hear().await;
    let refusal = json!({
        "type": "error", "client_id": mark["client_id"], "seq": mark["seq"],
        "code": "epoch_mismatch", "message": "no", "retry": "never",
    });
    session.say(refusal).await;
    let error = patiently("the refusal", marking).await.unwrap().unwrap_err();
    assert_eq!(error.code, "epoch_mismatch");
    assert_eq!(client.inbox().snapshot().unread, 1);
    let failed = patiently("the failed intent", pin!(failed).next()).await.unwrap();
    assert_eq!(failed.error, error);
}

#[tokio::test]
async fn resumes_where_it_was_after_the_link_broke() {
    let server = Scripted::new().await;
    let client = server.client().arrived_max_age(None).build().unwrap();
    let mut arrived = pin!(client.inbox().arrived());
    let mut session = server.live().await;
    session.notify(1).await;
    assert!(patiently("the first", arrived.next()).await.is_some());
    drop(session);

    let mut session = server.accept().await;
    let connect = session.hear().await;
    assert_eq!(connect["cursors"]["inbox:u1"], json!({ "epoch": "aaaaaaaa", "offset": 1 }));
    session.welcome(1, true).await;
    session.notify(2).await;
    let item = patiently("the second", arrived.next()).await.unwrap().unwrap();
    assert_eq!(item.key.offset, 2, "the first was told again, or the second was not");
}

#[tokio::test]
async fn tells_a_slow_reader_how_much_it_missed() {
    let server = Scripted::new().await;
    let client = server.client().arrived_max_age(None).buffer(4).build().unwrap();
    let mut arrived = pin!(client.inbox().arrived());
    let mut session = server.live().await;
    for offset in 1..=10 {
        session.notify(offset).await;
    }
    let mut changes = client.inbox().changes();
    drop(patiently("all of them", changes.wait_for(|inbox| inbox.unread == 10)).await.unwrap());
    assert_eq!(arrived.next().await, Some(Err(Lagged { missed: 6 })));
    let next = arrived.next().await.unwrap().unwrap();
    assert_eq!(next.key.offset, 7);
    assert_eq!(client.inbox().snapshot().items.len(), 10, "the inbox itself misses nothing");
}

#[tokio::test]
async fn outlives_a_ticket_function_that_panics() {
    let server = Scripted::new().await;
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let client = server
        .client()
        .ticket(move || {
            let call = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(call > 0, "the app's own fault");
                String::from("t")
            }
        })
        .build()
        .unwrap();
    let mut changes = client.connection_changes();
    let failed = changes.wait_for(|connection| connection.error.is_some());
    let found = patiently("the failure", failed).await.unwrap().error.clone().unwrap();
    assert!(found.message.contains("panicked"), "{found}");
    let _session = server.live().await;
    until_live(&client).await;
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn says_what_the_server_answered_instead_of_upgrading() {
    let server = Scripted::new().await;
    let client = server.client().build().unwrap();
    let mut changes = client.connection_changes();
    let mut stream = server.tcp().await;
    stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let failed = changes.wait_for(|connection| connection.error.is_some());
    let connection = patiently("the failure", failed).await.unwrap().clone();
    assert!(connection.error.unwrap().message.contains("403"));
}

#[tokio::test]
async fn says_goodbye_and_then_refuses_every_call() {
    let server = Scripted::new().await;
    let client = server.client().build().unwrap();
    let mut events = pin!(client.events());
    let mut session = server.live_with(&client).await;
    let (inbox, closing) = (client.inbox(), tokio::spawn(client.close()));
    match session.frame().await {
        Some(Message::Close(Some(frame))) => assert_eq!(u16::from(frame.code), 1000),
        other => panic!("not a goodbye: {other:?}"),
    }
    assert_eq!(session.frame().await, None);
    patiently("the end", closing).await.unwrap();
    assert_eq!(patiently("the streams' end", events.next()).await, None);
    assert_eq!(inbox.mark_all_read().await.unwrap_err().code, "closed");
}

#[tokio::test]
async fn ends_the_connection_with_the_last_handle() {
    let server = Scripted::new().await;
    let client = server.client().build().unwrap();
    let mut session = server.live_with(&client).await;
    let other = client.clone();
    drop(client);
    session.notify(1).await;
    let mut changes = other.inbox().changes();
    drop(patiently("the item", changes.wait_for(|inbox| inbox.unread == 1)).await.unwrap());
    drop(other);
    assert!(matches!(session.frame().await, Some(Message::Close(_))));
}

#[tokio::test]
async fn shows_nothing_of_a_user_who_left() {
    let server = Scripted::new().await;
    let client = server.client().build().unwrap();
    let mut session = server.live_with(&client).await;
    session.notify(1).await;
    let mut changes = client.inbox().changes();
    drop(patiently("the item", changes.wait_for(|inbox| inbox.unread == 1)).await.unwrap());
    client.set_user(None).await.unwrap();
    until(&client, Status::SignedOut).await;
    assert!(matches!(session.frame().await, Some(Message::Close(_))));
    let inbox = client.inbox().snapshot();
    assert_eq!((inbox.unread, inbox.items.len()), (0, 0));
}

impl Scripted {
    /// Connects, and waits until both ends are live.
    async fn live_with(&self, client: &Client) -> scripted::Session {
        client.connect().await.unwrap();
        let session = self.live().await;
        until_live(client).await;
        session
    }
}
