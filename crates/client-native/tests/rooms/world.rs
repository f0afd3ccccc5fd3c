//! The server of a test, and clients of it.

use std::{path::PathBuf, time::Duration};

use serde_json::{Value, json};
use tidings_client::{Backoff, Builder, Client};
use tokio::time::timeout;

use crate::server::{Server, binary};

/// A hang is a failure that names its place.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) http: reqwest::Client,
    /// The folder of the clients' state.
    pub(crate) state: Folder,
}

impl World {
    pub(crate) async fn begin() -> Self {
        let mut server = Server::new(binary());
        let http = reqwest::Client::new();
        server.start(&http).await;
        Self { server, http, state: Folder::new() }
    }

    /// A client of `user` with these rights and a short backoff.
    pub(crate) fn client(&self, user: &str, channels: &Value) -> Builder {
        client(self.server.url(), user, channels)
    }

    pub(crate) async fn publish(&self, room: &str, data: Value) {
        let url = format!("{}/v1/channels/{room}/messages", self.server.url());
        let request = self.http.post(url).bearer_auth("dev").json(&json!({ "data": data }));
        request.send().await.unwrap().error_for_status().unwrap();
    }

    /// All payloads of a room, in order.
    pub(crate) async fn log(&self, room: &str) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let url = format!("{}/v1/channels/{room}/messages", self.server.url());
            let request = self.http.get(format!("{url}?after={}&limit=100", all.len()));
            let answer = request.bearer_auth("dev").send().await.unwrap();
            let page: Value = answer.error_for_status().unwrap().json().await.unwrap();
            let messages = page["messages"].as_array().unwrap();
            all.extend(messages.iter().map(|message| message["data"].clone()));
            if page["more"] != json!(true) {
                return all;
            }
        }
    }
}

pub(crate) fn everything() -> Value {
    json!([{ "pattern": "room:*", "allow": ["subscribe", "publish", "history"] }])
}

pub(crate) fn client(url: String, user: &str, channels: &Value) -> Builder {
    let http = reqwest::Client::new();
    let wanted = json!({ "user": user, "channels": channels, "info": { "name": user } });
    let tickets = format!("{url}/v1/tickets");
    Client::builder(url)
        .user(user)
        .ticket(move || {
            let request = http.post(&tickets).bearer_auth("dev").json(&wanted);
            async move {
                let answer = request.send().await?.error_for_status()?.json::<Value>().await?;
                Ok::<_, reqwest::Error>(answer["ticket"].as_str().unwrap_or_default().to_owned())
            }
        })
        .backoff(Backoff { base: 20, cap: 200, max_attempts: None })
}

/// A temporary folder that is deleted when it is dropped.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let name = format!("tidings-rooms-{:016x}", getrandom::u64().unwrap());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A failure leaves it among other temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
