//! A real client over real sockets, and all callbacks it made.

use std::{pin::pin, time::Duration};

use futures_util::StreamExt as _;
use tidings_client::{Backoff, Body, Client, ClientEvent, InboxStatus, TransportKind};
use tidings_protocol::{Channel, Epoch};
use tokio::{sync::watch, task::JoinHandle};

use crate::api::Api;

/// One callback.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Received {
    pub(crate) channel: Channel,
    pub(crate) epoch: Epoch,
    pub(crate) offset: u64,
    pub(crate) id: String,
    pub(crate) title: String,
}

pub(crate) struct Subscriber {
    pub(crate) name: String,
    pub(crate) user: String,
    client: Client,
    received: watch::Receiver<Vec<Received>>,
    /// Ends with the client.
    listening: JoinHandle<()>,
}

impl Subscriber {
    /// A live client of `user`: later publishes come as callbacks, not in the snapshot.
    pub(crate) async fn new(
        api: &Api,
        url: &str,
        user: &str,
        transports: &[TransportKind],
        name: String,
    ) -> Self {
        let client = {
            let (api, asked) = (api.clone(), user.to_owned());
            Client::builder(url)
                .ticket(move || {
                    let (api, user) = (api.clone(), asked.clone());
                    async move { api.ticket(&user).await }
                })
                .user(user)
                .transports(transports.iter().copied())
                // The server is killed often, and clients that fell back should try to upgrade in
                // between.
                .upgrade_after(Duration::from_secs(1))
                // Fifty kills in a minute: the default backoff would make the test long.
                .backoff(Backoff { base: 20, cap: 200, max_attempts: None })
                .arrived_max_age(None)
                // Room for all events: a test that lags would prove nothing.
                .buffer(1 << 15)
                .build()
                .unwrap()
        };
        let (sender, received) = watch::channel(Vec::new());
        let mut events = Box::pin(client.events());
        let listener = name.clone();
        let listening = tokio::spawn(async move {
            let mut events = pin!(&mut events);
            while let Some(event) = events.next().await {
                match event.unwrap() {
                    ClientEvent::Arrived(item) => {
                        let body: Body = Body::of(&item).unwrap();
                        let received = Received {
                            channel: item.key.channel.clone(),
                            epoch: item.key.epoch,
                            offset: item.key.offset,
                            id: item.id.to_string(),
                            title: body.title,
                        };
                        sender.send_modify(|all| all.push(received));
                    }
                    // A server that is down is reported; no other error may come.
                    ClientEvent::Error(error) => assert!(error.retry, "{listener}: {error}"),
                    other => panic!("{listener}: {other:?}"),
                }
            }
        });
        let subscriber = Self { name, user: user.to_owned(), client, received, listening };
        subscriber.live().await;
        subscriber
    }

    /// Waits until the inbox is live.
    async fn live(&self) {
        let mut changes = self.client.inbox().changes();
        let waited = changes.wait_for(|inbox| inbox.status == InboxStatus::Live);
        let live = tokio::time::timeout(Duration::from_secs(60), waited).await.is_ok();
        assert!(live, "{} does not become live: {}", self.name, self.client.explain().await);
    }

    /// Waits for `last` and at least `count` callbacks; returns all callbacks, and the unread count
    /// that the client shows.
    pub(crate) async fn until(self, last: &str, count: u64) -> (Self, Vec<Received>, u64) {
        let mut received = self.received.clone();
        let waited = received.wait_for(|all| {
            all.len() as u64 >= count && all.iter().rev().any(|received| received.title == last)
        });
        let reached = tokio::time::timeout(Duration::from_secs(120), waited).await;
        let all = match reached {
            Ok(all) => all.expect("a listener that ends early has panicked").clone(),
            Err(_) => {
                let count = self.received.borrow().len();
                panic!("{} heard {count}, then nothing: {}", self.name, self.client.explain().await)
            }
        };
        let unread = self.client.inbox().snapshot().unread;
        (self, all, unread)
    }

    /// Closes the client; fails if a callback failed.
    pub(crate) async fn close(self) {
        self.client.close().await;
        self.listening.await.unwrap();
    }
}
