//! A client that records all of its events.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use futures_util::StreamExt as _;
use tidings_client::{
    Body, Builder, ChannelStatus, Client, ClientEvent, Connection, InboxStatus, Status,
    Subscription, TransportKind,
};
use tokio::{sync::watch, task::JoinHandle};

use crate::world::patiently;

pub(crate) struct Listener {
    pub(crate) client: Client,
    /// Titles of notifications, and payloads of messages as `room: payload`, in the order of the
    /// events.
    received: watch::Receiver<Vec<String>>,
    /// Ends with the client.
    listening: JoinHandle<()>,
    /// How often a connection was lost.
    interrupted: Arc<AtomicU32>,
}

impl Listener {
    /// A live client. A gap, a refused intent or a final error fails the test.
    pub(crate) async fn open(builder: Builder) -> Self {
        let listener = Self::new(builder);
        listener.until(|connection| connection.status == Status::Connected).await;
        listener.live().await;
        listener
    }

    /// A client in any state.
    pub(crate) fn new(builder: Builder) -> Self {
        let client = builder.build().unwrap();
        let (sender, received) = watch::channel(Vec::new());
        let mut events = Box::pin(client.events());
        let listening = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                let word = match event.unwrap() {
                    ClientEvent::Arrived(item) => {
                        let body: Body = Body::of(&item).unwrap();
                        body.title
                    }
                    ClientEvent::Message { channel, message } => {
                        format!("{channel}: {}", message.data.as_str())
                    }
                    // Every refusal is reported here, too.
                    ClientEvent::Failed(intent) => format!("failed: {}", intent.error.code),
                    // A server that is down is reported; no other error may come.
                    ClientEvent::Error(error) if error.retry => continue,
                    other => panic!("{other:?}"),
                };
                sender.send_modify(|all| all.push(word));
            }
        });
        let (interrupted, counted) = (Arc::new(AtomicU32::new(0)), client.connection_changes());
        tokio::spawn(count_interruptions(counted, Arc::clone(&interrupted)));
        Self { client, received, listening, interrupted }
    }

    /// How often the app saw a lost connection.
    pub(crate) fn interruptions(&self) -> u32 {
        self.interrupted.load(Ordering::SeqCst)
    }

    /// Waits until the inbox is live.
    pub(crate) async fn live(&self) {
        let mut changes = self.client.inbox().changes();
        let live = changes.wait_for(|inbox| inbox.status == InboxStatus::Live);
        drop(patiently("a live inbox", live).await.unwrap());
    }

    /// Waits for a state of the connection.
    pub(crate) async fn until(&self, reached: impl FnMut(&Connection) -> bool) -> Connection {
        let mut changes = self.client.connection_changes();
        let waited = patiently("a state of the connection", changes.wait_for(reached)).await;
        waited.unwrap().clone()
    }

    /// Waits until this transport is in use.
    pub(crate) async fn over(&self, kind: TransportKind) {
        self.until(|connection| connection.transport == Some(kind)).await;
    }

    /// Waits for this event; returns all events until then.
    pub(crate) async fn hear(&self, word: &str) -> Vec<String> {
        let mut received = self.received.clone();
        let waited = received.wait_for(|all| all.iter().any(|one| one == word));
        let all = patiently(word, waited).await;
        all.unwrap_or_else(|_| panic!("the listener ended before {word}")).clone()
    }

    /// Subscribes to a room, and waits until it is live.
    pub(crate) async fn join(&self, room: &str) -> Subscription {
        let subscription = self.client.channel(room).unwrap().subscribe().await.unwrap();
        let mut changes = subscription.changes();
        let live = changes.wait_for(|view| view.status == ChannelStatus::Live);
        drop(patiently(room, live).await.unwrap());
        subscription
    }

    /// Closes the client; fails if a callback failed.
    pub(crate) async fn close(self) -> Vec<String> {
        patiently("a goodbye", self.client.close()).await;
        self.listening.await.unwrap();
        self.received.borrow().clone()
    }
}

async fn count_interruptions(mut changes: watch::Receiver<Connection>, count: Arc<AtomicU32>) {
    let mut connected = false;
    while changes.changed().await.is_ok() {
        let now = changes.borrow_and_update().clone();
        let status = now.status;
        if connected && matches!(status, Status::Waiting | Status::Connecting) {
            // Read when the test fails.
            println!("interrupted: {now:?}");
            count.fetch_add(1, Ordering::SeqCst);
        }
        connected = status == Status::Connected;
    }
}
