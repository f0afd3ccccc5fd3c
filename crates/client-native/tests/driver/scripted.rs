//! A server that sends the messages a test gives it, over real sockets.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tidings_client::{Backoff, Builder, Client};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

/// A hang is a failure that names its place.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Scripted(TcpListener);

impl Scripted {
    pub(crate) async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    /// A client of this server with the ticket `t` and a short backoff.
    pub(crate) fn client(&self) -> Builder {
        Client::builder(self.url()).ticket(async || String::from("t")).backoff(Backoff {
            base: 20,
            cap: 20,
            max_attempts: None,
        })
    }

    pub(crate) async fn tcp(&self) -> TcpStream {
        patiently("a client", self.0.accept()).await.unwrap().0
    }

    /// A connection with a finished upgrade.
    pub(crate) async fn accept(&self) -> Session {
        Session(accept_async(self.tcp().await).await.unwrap())
    }

    /// A connection that has its snapshot: an empty inbox of `u1`.
    pub(crate) async fn live(&self) -> Session {
        let mut session = self.accept().await;
        assert_eq!(session.hear().await["type"], "connect");
        session.welcome(0, false).await;
        session
            .say(json!({
                "type": "snapshot", "channel": "inbox:u1", "epoch": "aaaaaaaa", "offset": 0,
                "system": { "epoch": "bbbbbbbb", "offset": 0 }, "counts": counts(0),
                "more": false, "system_more": false, "items": [],
            }))
            .await;
        session
    }
}

pub(crate) struct Session(WebSocketStream<TcpStream>);

impl Session {
    pub(crate) async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The client's next message.
    pub(crate) async fn hear(&mut self) -> Value {
        match self.frame().await {
            Some(Message::Text(text)) => serde_json::from_str(text.as_str()).unwrap(),
            other => panic!("not a message: {other:?}"),
        }
    }

    pub(crate) async fn frame(&mut self) -> Option<Message> {
        patiently("a frame", self.0.next()).await.map(Result::unwrap)
    }

    /// Sends `connected` and both subscriptions, the inbox from `offset` on.
    pub(crate) async fn welcome(&mut self, offset: u64, recovered: bool) {
        self.say(json!({
            "type": "connected", "user_id": "u1", "session": "s1", "session_token": "st",
            "message": "hello", "version": 1, "heartbeat_ms": 25000, "timeout_ms": 10000, "now": 1,
            "limits": { "message_bytes": 10240, "subscriptions": 100, "page": 100 },
        }))
        .await;
        for (channel, epoch, offset) in
            [("inbox:u1", "aaaaaaaa", offset), ("system:all", "bbbbbbbb", 0)]
        {
            self.say(json!({
                "type": "subscribed", "channel": channel, "epoch": epoch,
                "first": 1, "top": offset, "offset": offset, "recovered": recovered,
            }))
            .await;
        }
    }

    /// Sends the notification at `offset` of the inbox; all earlier ones are unread.
    pub(crate) async fn notify(&mut self, offset: u64) {
        let id = format!("n{offset}");
        self.say(json!({
            "type": "notification", "channel": "inbox:u1", "offset": offset, "id": id,
            "kind": "payment", "at": 1, "counts": counts(offset),
            "data": {
                "notification_id": id, "type": "payment", "title": format!("Paid {offset}"),
                "data": { "order": offset }, "created_at": "2026-11-05T09:08:07.006Z",
            },
        }))
        .await;
    }
}

pub(crate) fn counts(unread: u64) -> Value {
    json!({
        "inbox": { "unread": unread, "unseen": unread },
        "system": { "unread": 0, "unseen": 0, "at": 0 },
    })
}

pub(crate) async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}
