//! The REST calls of an app's backend, and of a user who reads their inbox.

use std::{
    error::Error as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::{Response, StatusCode};
use tidings_protocol::{
    Item,
    rest::{InboxPage, PublishNotification, PublishResults, Stored, TicketAnswer, TicketRequest},
};

/// Printed by `--dev`, and good for nothing else.
const KEY: &str = "dev";

/// Before a repeat, where there are several nodes.
const AGAIN: Duration = Duration::from_millis(20);

#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) http: reqwest::Client,
    /// Nodes; who got no answer from one asks the next.
    urls: Arc<[String]>,
    at: Arc<AtomicUsize>,
}

/// How a publish ended, seen from the publisher.
pub(crate) enum Published {
    /// Acknowledged.
    Stored { stored: Stored, replayed: bool },
    /// Nobody can know: the answer did not come, or says "again".
    Unknown,
}

impl Api {
    pub(crate) fn new(url: String) -> Self {
        Self::of(vec![url], 0)
    }

    /// A backend that knows several nodes and begins with one of them.
    pub(crate) fn of(urls: Vec<String>, first: usize) -> Self {
        let at = Arc::new(AtomicUsize::new(first));
        Self { http: reqwest::Client::new(), urls: urls.into(), at }
    }

    fn url(&self) -> &str {
        &self.urls[self.at.load(Ordering::Relaxed) % self.urls.len()]
    }

    /// Publishes once. A refusal that is not "again" fails the test. Without an answer, the next call goes to the next node.
    pub(crate) async fn publish(&self, body: &PublishNotification, key: &str) -> Published {
        let published = self.publish_here(body, key).await;
        if matches!(published, Published::Unknown) && self.urls.len() > 1 {
            self.at.fetch_add(1, Ordering::Relaxed);
            // Nodes that can't are not hammered.
            tokio::time::sleep(AGAIN).await;
        }
        published
    }

    async fn publish_here(&self, body: &PublishNotification, key: &str) -> Published {
        let request = self.http.post(format!("{}/v1/notifications", self.url())).bearer_auth(KEY);
        let Ok(answer) = request.header("idempotency-key", key).json(body).send().await else {
            return Published::Unknown;
        };
        match answer.status() {
            StatusCode::CREATED => {}
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::CONFLICT => {
                let says_when = answer.headers().contains_key("retry-after");
                assert!(says_when, "{key} is to come again, but not when");
                return Published::Unknown;
            }
            _ => panic!("publishing {key} was refused: {}", described(answer).await),
        }
        let replayed = answer.headers().contains_key("idempotency-replayed");
        let results: PublishResults = match answer.json().await {
            Ok(results) => results,
            // The head came, the rest did not: the server was killed in between.
            Err(error) if error.is_body() || error.is_decode() && error.source().is_some() => {
                return Published::Unknown;
            }
            Err(error) => panic!("the answer to {key} can't be read: {error:?}"),
        };
        let [stored] = results.results.try_into().expect("one target has one result");
        Published::Stored { stored, replayed }
    }

    /// A one-time ticket for `user`.
    pub(crate) async fn ticket(&self, user: &str) -> Result<String, reqwest::Error> {
        let wanted = TicketRequest { user: Some(user.to_owned()), ..TicketRequest::default() };
        let request = self.http.post(format!("{}/v1/tickets", self.url())).bearer_auth(KEY);
        let answer = request.json(&wanted).send().await?.error_for_status()?;
        Ok(answer.json::<TicketAnswer>().await?.ticket)
    }

    /// The whole inbox of `user` as the server's log and items hold it, newest first.
    pub(crate) async fn inbox(&self, user: &str) -> Vec<Item> {
        #[derive(serde::Deserialize)]
        struct Token {
            token: String,
        }
        let body = serde_json::json!({ "user": user });
        let asked = self.http.post(format!("{}/dev/tokens", self.url())).json(&body);
        let token: Token = asked.send().await.unwrap().json().await.unwrap();
        let mut items = Vec::new();
        let mut before = None::<String>;
        loop {
            let mut query = String::from("limit=100");
            if let Some(before) = &before {
                query = format!("{query}&before={before}");
            }
            let request = self.http.get(format!("{}/v1/inbox?{query}", self.url()));
            let answer = request.bearer_auth(&token.token).send().await.unwrap();
            if !answer.status().is_success() {
                panic!("reading the inbox was refused: {}", described(answer).await);
            }
            let page: InboxPage = answer.json().await.unwrap();
            items.extend(page.items);
            before = page.next;
            if before.is_none() {
                return items;
            }
        }
    }
}

async fn described(answer: Response) -> String {
    format!("{} {}", answer.status(), answer.text().await.unwrap_or_default())
}
