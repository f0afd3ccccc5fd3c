//! The REST calls of an app's backend, and of a user that reads the own inbox.

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

/// The key that `--dev` prints; it is valid nowhere else.
const KEY: &str = "dev";

/// Delay before a repeat, if there are several nodes.
const AGAIN: Duration = Duration::from_millis(20);

#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) http: reqwest::Client,
    /// URLs of the nodes. A call without an answer is repeated at the next one.
    urls: Arc<[String]>,
    at: Arc<AtomicUsize>,
}

/// The outcome of a publish, as its publisher sees it.
pub(crate) enum Published {
    /// Acknowledged.
    Stored { stored: Stored, replayed: bool },
    /// It is unknown whether it was stored: the answer did not come, or asks to retry.
    Unknown,
}

impl Api {
    pub(crate) fn new(url: String) -> Self {
        Self::of(vec![url], 0)
    }

    /// A backend that knows several nodes and starts with one of them.
    pub(crate) fn of(urls: Vec<String>, first: usize) -> Self {
        let at = Arc::new(AtomicUsize::new(first));
        Self { http: reqwest::Client::new(), urls: urls.into(), at }
    }

    fn url(&self) -> &str {
        &self.urls[self.at.load(Ordering::Relaxed) % self.urls.len()]
    }

    /// Publishes once. A final refusal fails the test. Without an answer, the next call uses the
    /// next node.
    pub(crate) async fn publish(&self, body: &PublishNotification, key: &str) -> Published {
        let published = self.publish_here(body, key).await;
        if matches!(published, Published::Unknown) && self.urls.len() > 1 {
            self.at.fetch_add(1, Ordering::Relaxed);
            // A delay, so that nodes which can't answer are not flooded.
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
            // The head arrived, the body did not: the server was killed in between.
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

    /// The whole inbox of `user`, as the server holds it, newest first.
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
