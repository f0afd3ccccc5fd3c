//! `tidings publish`.

use tidings_protocol::{
    Json,
    rest::{Problem, PublishNotification, PublishResults, Target},
};

use super::{Failure, Publish, Server};

pub(super) async fn publish(publish: Publish) -> Result<(), Failure> {
    let Publish { mut user, topic, everyone, kind, title, message, url, data, key, server } =
        publish;
    let data = data
        .map(|data| Json::parse(&data))
        .transpose()
        .map_err(|error| Failure::Refused(format!("--data is no JSON: {error}")))?;
    let one = if user.len() == 1 { user.pop() } else { None };
    let users = Some(user).filter(|user| !user.is_empty());
    let to = Target { user: one, users, topic, everyone: everyone.then_some(true) };
    let body = PublishNotification { to, kind, title, message, url, data };
    let mut request = server.post("/v1/notifications").json(&body);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let results: PublishResults = answer(request).await?;
    for stored in results.results {
        println!("{} {} {}", stored.channel, stored.offset, stored.notification_id);
    }
    Ok(())
}

impl Server {
    pub(super) fn post(&self, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.server.trim_end_matches('/'));
        reqwest::Client::new().post(url).bearer_auth(&self.api_key)
    }
}

/// The answer, or the problem as text.
pub(super) async fn answer<T: serde::de::DeserializeOwned>(
    request: reqwest::RequestBuilder,
) -> Result<T, Failure> {
    let answer = request.send().await?;
    if answer.status().is_success() {
        return Ok(answer.json().await?);
    }
    let status = answer.status();
    let text = answer.text().await?;
    let problem: Result<Problem, _> = serde_json::from_str(&text);
    Err(Failure::Refused(match problem {
        Ok(Problem { code, detail, title, .. }) => format!("{code}: {detail} {title}"),
        Err(_) => format!("the server answered {status}"),
    }))
}
