//! The server of a test, its backend, and its clients.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tidings_client::{Backoff, Builder, Client};
use tokio::time::timeout;

use crate::server::{Server, binary};

/// A hang is a failure that names its place.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) backend: Backend,
}

impl World {
    pub(crate) async fn begin() -> Self {
        Self::of(Server::new(binary())).await
    }

    /// With settings as environment variables.
    pub(crate) async fn with<const N: usize>(settings: [(&'static str, &str); N]) -> Self {
        let server = Server::new(binary());
        Self::of(settings.into_iter().fold(server, |it, (name, value)| it.set(name, value))).await
    }

    async fn of(mut server: Server) -> Self {
        let http = reqwest::Client::new();
        server.start(&http).await;
        let backend =
            Backend { http, url: server.url(), asked: Arc::default(), away: Arc::default() };
        Self { server, backend }
    }

    /// A client of `mina`, directly at the server.
    pub(crate) fn client(&self) -> Builder {
        self.backend.client(&self.server.url())
    }

    /// Kills the server with SIGKILL and starts it again.
    pub(crate) async fn kill_and_restart(&mut self) {
        self.server.kill();
        self.server.bury();
        self.restart().await;
    }

    pub(crate) async fn restart(&mut self) {
        self.server.start(&self.backend.http).await;
    }
}

/// The app's backend: it publishes and makes tickets.
#[derive(Clone)]
pub(crate) struct Backend {
    http: reqwest::Client,
    url: String,
    /// The number of ticket requests: one for each connection and each refresh.
    asked: Arc<AtomicUsize>,
    /// Whether no user is signed in any more.
    away: Arc<AtomicBool>,
}

impl Backend {
    /// A client of `mina` through `url`, with a short backoff. It has all rights in all rooms but
    /// `room:forbidden`.
    pub(crate) fn client(&self, url: &str) -> Builder {
        let backend = self.clone();
        Client::builder(url)
            .ticket(move || {
                let backend = backend.clone();
                async move { backend.ticket("mina").await }
            })
            .backoff(Backoff { base: 20, cap: 200, max_attempts: None })
            .arrived_max_age(None)
    }

    async fn ticket(&self, user: &str) -> Result<Option<String>, reqwest::Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let answer = self
            .post(
                "tickets",
                &json!({
                    "user": user,
                    "channels": [
                        { "pattern": "room:open*", "allow": ["subscribe", "publish", "history"] },
                    ],
                }),
            )
            .send()
            .await?
            .error_for_status()?;
        let answer: Value = answer.json().await?;
        Ok(answer["ticket"].as_str().map(String::from))
    }

    /// The number of ticket requests.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn sign_out(&self) {
        self.away.store(true, Ordering::SeqCst);
    }

    /// Publishes a notification for `mina`. It is stored when this returns, however often the
    /// server is killed meanwhile.
    pub(crate) async fn notify(&self, title: &str) {
        self.notify_long(title, 0).await;
    }

    /// The same, with a payload of this many bytes.
    pub(crate) async fn notify_long(&self, title: &str, bytes: usize) {
        let (to, data) = (json!({ "user": "mina" }), json!({ "pad": "x".repeat(bytes) }));
        let body = json!({ "to": to, "type": "test", "title": title, "data": data });
        patiently("a publish", async {
            loop {
                let request = self.post("notifications", &body).header("idempotency-key", title);
                if let Ok(answer) = request.send().await {
                    let status = answer.status();
                    match answer.text().await {
                        Ok(_) if status == 201 => return,
                        Ok(_) if matches!(status.as_u16(), 409 | 502 | 503) => {}
                        Ok(text) => panic!("{title}: {status} {text}"),
                        Err(_) => {}
                    }
                }
                // The connection was cut, or the server is down: the key makes a repeat harmless.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    pub(crate) async fn say(&self, room: &str, data: &Value) {
        let request = self.post(&format!("channels/{room}/messages"), &json!({ "data": data }));
        patiently("a publish", request.send()).await.unwrap().error_for_status().unwrap();
    }

    /// Revokes all credentials of `mina` that were issued until now.
    pub(crate) async fn revoke(&self) {
        let request = self.post("revocations", &json!({ "user": "mina" }));
        patiently("a revocation", request.send()).await.unwrap().error_for_status().unwrap();
    }

    /// The titles of `mina`'s newest notifications in the order of their offsets, and the number of
    /// unread ones.
    pub(crate) async fn stored(&self) -> (Vec<String>, u64) {
        let token = self.http.post(format!("{}/dev/tokens", self.url));
        let token = token.json(&json!({ "user": "mina" })).send().await.unwrap();
        let token: Value = token.json().await.unwrap();
        let token = token["token"].as_str().unwrap();
        let (mut titles, mut before, mut unread) = (Vec::new(), String::new(), 0);
        loop {
            let url = format!("{}/v1/inbox?limit=100{before}", self.url);
            let page = self.http.get(url).bearer_auth(token).send().await.unwrap();
            let page: Value = page.error_for_status().unwrap().json().await.unwrap();
            for item in page["items"].as_array().unwrap() {
                titles.push(item["data"]["title"].as_str().unwrap().to_owned());
            }
            unread = page["counts"]["inbox"]["unread"].as_u64().unwrap_or(unread);
            match page["next"].as_str() {
                Some(next) => before = format!("&before={next}"),
                None => break,
            }
        }
        titles.reverse();
        (titles, unread)
    }

    /// One of the server's metrics; 0 until it exists.
    pub(crate) async fn figure(&self, name: &str) -> f64 {
        let text = self.http.get(format!("{}/metrics", self.url)).send().await.unwrap();
        let text = text.text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    fn post(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        self.http.post(format!("{}/v1/{path}", self.url)).bearer_auth("dev").json(body)
    }
}
