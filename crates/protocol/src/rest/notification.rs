//! The request that publishes a notification, and the body that is stored and sent for it.

use serde::{Deserialize, Serialize};

use super::check::{BodyError, DEEP, USER};
use super::rfc3339;
use crate::{
    Channel, Json,
    address::check_user,
    json::push_str_escaped,
    limits::{KIND_BYTES, PAYLOAD_DEPTH, TEXT_BYTES, TITLE_BYTES, URL_BYTES, USERS_PER_PUBLISH},
};

/// Body of `POST /v1/notifications`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PublishNotification {
    /// The recipients.
    pub to: Target,
    /// The app's name for this sort of notification, such as `payment`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One line of text.
    pub title: String,
    /// A few more lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The page it links to: http(s) or relative.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Other data for the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Json>,
}

impl PublishNotification {
    /// Checks texts and target; returns the target.
    pub fn check(&self) -> Result<Targets, BodyError> {
        if !(1..=KIND_BYTES).contains(&self.kind.len()) || !self.kind.bytes().all(is_kind_byte) {
            return Err(BodyError::new(
                "type",
                "has 1 to 64 characters of A-Z, a-z, 0-9, `.`, `_`, `:` and `-`",
            ));
        }
        if !(1..=TITLE_BYTES).contains(&self.title.len()) {
            return Err(BodyError::new("title", "has 1 to 512 bytes"));
        }
        if self.message.as_ref().is_some_and(|message| message.len() > TEXT_BYTES) {
            return Err(BodyError::new("message", "has at most 8,192 bytes"));
        }
        if self.url.as_ref().is_some_and(|url| url.len() > URL_BYTES) {
            return Err(BodyError::new("url", "has at most 2,048 bytes"));
        }
        if self.url.as_ref().is_some_and(|url| !is_safe_link(url)) {
            return Err(BodyError::new(
                "url",
                "must be an http(s) link with a host and no user's name, or a relative one whose path does not become `//host` without its dots",
            ));
        }
        if self.data.as_ref().is_some_and(|data| data.is_deeper_than(PAYLOAD_DEPTH)) {
            return Err(BodyError::new("data", DEEP));
        }
        self.to.check()
    }

    /// The body that is stored and sent, [`notification_body`].
    pub fn body(&self, id: &str, created_at_ms: u64) -> Json {
        notification_body(NotificationBody {
            id,
            kind: &self.kind,
            title: &self.title,
            message: self.message.as_deref(),
            url: self.url.as_deref(),
            data: self.data.as_ref(),
            created_at_ms,
        })
    }
}

/// The target of a notification: exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// One user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Up to 1,000 users in one transaction: all or none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<String>>,
    /// Subscribers of `topic:{name}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// `true`: one record in `system:all`, which every user reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub everyone: Option<bool>,
}

impl Target {
    /// Checks the names and returns the one target.
    pub fn check(&self) -> Result<Targets, BodyError> {
        match (&self.user, &self.users, &self.topic, self.everyone) {
            (Some(user), None, None, None) => {
                check_user(user).map_err(|_| BodyError::new("to.user", USER))?;
                Ok(Targets::Users(vec![user.clone()]))
            }
            (None, Some(users), None, None) => {
                if !(1..=USERS_PER_PUBLISH).contains(&users.len()) {
                    return Err(BodyError::new("to.users", "names 1 to 1,000 users"));
                }
                if users.iter().any(|user| check_user(user).is_err()) {
                    return Err(BodyError::new(
                        "to.users",
                        "must be user ids: 1 to 128 bytes of UTF-8 without control characters",
                    ));
                }
                let mut sorted: Vec<_> = users.iter().collect();
                sorted.sort_unstable();
                if sorted.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
                    return Err(BodyError::new("to.users", "must not name a user twice"));
                }
                Ok(Targets::Users(users.clone()))
            }
            (None, None, Some(topic), None) => {
                Channel::parse(&format!("topic:{topic}")).map(Targets::Topic).map_err(|_| {
                    BodyError::new(
                        "to.topic",
                        "has 1 to 128 bytes of UTF-8 without control characters",
                    )
                })
            }
            (None, None, None, Some(true)) => Ok(Targets::Broadcast),
            _ => Err(BodyError::new(
                "to",
                "needs exactly one of `user`, `users`, `topic` and `everyone: true`",
            )),
        }
    }
}

/// A checked [`Target`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// Inboxes of these users, each named once.
    Users(Vec<String>),
    /// A `topic:` channel.
    Topic(Channel),
    /// `system:all`.
    Broadcast,
}

/// Parts of a notification's body.
#[derive(Clone, Copy, Debug)]
pub struct NotificationBody<'a> {
    /// Notification id (UUIDv7).
    pub id: &'a str,
    /// The app's name for this sort of notification.
    pub kind: &'a str,
    /// One line of text.
    pub title: &'a str,
    /// A few more lines.
    pub message: Option<&'a str>,
    /// The page it links to.
    pub url: Option<&'a str>,
    /// Other data for the app.
    pub data: Option<&'a Json>,
    /// Milliseconds since 1970.
    pub created_at_ms: u64,
}

/// Writes a notification's body:
/// `{"notification_id","type","title","message"?,"url"?,"data"?,"created_at"}`.
pub fn notification_body(body: NotificationBody<'_>) -> Json {
    let mut out = String::with_capacity(160 + body.title.len() + body.data.map_or(0, Json::len));
    let mut text = |key: &str, value: &str| {
        out.push(if out.is_empty() { '{' } else { ',' });
        out.push_str(key);
        push_str_escaped(&mut out, value);
    };
    text("\"notification_id\":", body.id);
    text("\"type\":", body.kind);
    text("\"title\":", body.title);
    body.message.into_iter().for_each(|message| text("\"message\":", message));
    body.url.into_iter().for_each(|url| text("\"url\":", url));
    if let Some(data) = body.data {
        out.push_str(",\"data\":");
        out.push_str(data.as_str());
    }
    out.push_str(",\"created_at\":");
    push_str_escaped(&mut out, &rfc3339(body.created_at_ms));
    out.push('}');
    Json::scanned(&out, false)
}

fn is_kind_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._:-".contains(&byte)
}

/// Whether a link is http(s) with a host and without a user name, or relative. A link that only
/// seems to stay on the page's origin (`//host`) or that hides its host (`https://bank@host`) is
/// refused. So are control characters and spaces, which browsers drop, and `\`, which turns a path
/// into a host.
fn is_safe_link(url: &str) -> bool {
    if url.is_empty()
        || url.contains('\\')
        || url.chars().any(|char| char.is_control() || char == ' ')
    {
        return false;
    }
    let first = |text: &str| text.split(['/', '?', '#']).next().map(str::to_ascii_lowercase);
    match (first(url).as_deref(), url.split_once("://")) {
        (Some("http:" | "https:"), Some((_, rest))) => {
            first(rest).is_some_and(|host| !host.is_empty() && !host.contains('@'))
        }
        (scheme, _) => !becomes_host(url) && scheme.is_some_and(|text| !text.contains(':')),
    }
}

/// Whether the path of a relative link is `//host` once its dot segments are removed (WHATWG URL,
/// path state). Apps pass paths to routers, for which that is a host. Clients drop such links.
fn becomes_host(link: &str) -> bool {
    let path = link.split(['?', '#']).next().unwrap_or_default();
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    let mut kept = Vec::new();
    while let Some(segment) = segments.next() {
        let dots = segment.to_ascii_lowercase().replace("%2e", ".");
        let is_dots = matches!(dots.as_str(), "." | "..");
        if dots == ".." {
            kept.pop();
        }
        // A path that ends in dots ends in a slash.
        match (is_dots, segments.peek()) {
            (true, Some(_)) => {}
            (true, None) => kept.push(""),
            (false, _) => kept.push(segment),
        }
    }
    kept.len() > 1 && kept.first() == Some(&"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paid() -> PublishNotification {
        let to = Target { user: Some("u1".into()), ..Default::default() };
        PublishNotification {
            to,
            kind: "payment".into(),
            title: "Paid".into(),
            ..Default::default()
        }
    }

    fn field(note: &PublishNotification) -> Option<&'static str> {
        note.check().err().map(|error| error.field)
    }

    #[test]
    fn a_body_names_exactly_one_target() {
        let to = |json: &str| serde_json::from_str::<Target>(json).unwrap().check();
        assert_eq!(to(r#"{"user":"u1"}"#), Ok(Targets::Users(vec!["u1".into()])));
        assert_eq!(to(r#"{"users":["a","b"]}"#), Ok(Targets::Users(vec!["a".into(), "b".into()])));
        assert_eq!(
            to(r#"{"topic":"news"}"#),
            Ok(Targets::Topic(Channel::parse("topic:news").unwrap()))
        );
        assert_eq!(to(r#"{"everyone":true}"#), Ok(Targets::Broadcast));
        for bad in [
            r#"{}"#,
            r#"{"everyone":false}"#,
            r#"{"user":"u1","topic":"t"}"#,
            r#"{"users":["a"],"everyone":true}"#,
        ] {
            assert_eq!(to(bad).unwrap_err().field, "to", "{bad}");
        }
        assert_eq!(to(r#"{"user":""}"#).unwrap_err().field, "to.user");
        assert_eq!(to(r#"{"users":[]}"#).unwrap_err().field, "to.users");
        assert_eq!(to(r#"{"users":["a","b","a"]}"#).unwrap_err().field, "to.users");
        assert_eq!(to(r#"{"topic":"a\nb"}"#).unwrap_err().field, "to.topic");
    }

    #[test]
    fn a_publish_names_its_bad_field() {
        assert_eq!(field(&paid()), None);
        assert_eq!(field(&PublishNotification { kind: "a b".into(), ..paid() }), Some("type"));
        assert_eq!(field(&PublishNotification { title: String::new(), ..paid() }), Some("title"));
        assert_eq!(
            field(&PublishNotification { message: Some("x".repeat(8193)), ..paid() }),
            Some("message")
        );
        assert_eq!(
            field(&PublishNotification { url: Some("x".repeat(2049)), ..paid() }),
            Some("url")
        );
    }

    #[test]
    fn links_are_http_or_relative() {
        for good in [
            "https://a.example/x",
            "HTTP://a.example",
            "/orders/1?x=a:b",
            "orders/1",
            "#top",
            "?q=1",
            "/",
            "/a//b?to=//c",
            "/a/../b",
            "/a/..",
            "/a/b/../../?q=/x/..//host",
            "a/./b/",
            "https://a.example/@x?y=z@w",
            "http://[::1]:80/",
        ] {
            assert_eq!(
                field(&PublishNotification { url: Some(good.into()), ..paid() }),
                None,
                "{good}"
            );
        }
        for bad in [
            "",
            "javascript:alert(1)",
            "JavaScript:x",
            " javascript:x",
            "java\tscript:x",
            "data:text/html,x",
            "/\\evil.example",
            "mailto:a@b",
            "//evil.example/x",
            "https:evil.example",
            "https:/evil.example",
            "https://",
            "https:///evil.example",
            "https://bank.example@evil.example",
            "http://bank.example:pw@evil.example/",
            "/\t/evil.example",
            "/x/..//evil.example",
            "x/..//evil.example",
            ".//evil.example",
            "/x/%2E%2e//evil.example",
            "/x/y/.././..//evil.example",
            "/x/..//",
        ] {
            assert_eq!(
                field(&PublishNotification { url: Some(bad.into()), ..paid() }),
                Some("url"),
                "{bad}"
            );
        }
    }

    #[test]
    fn the_stored_body_has_the_shape_plain_clients_know() {
        let note = PublishNotification {
            message: Some("Order \"7\"".into()),
            url: Some("/orders/7".into()),
            data: Some(Json::parse(r#"{ "order": 7 }"#).unwrap()),
            ..paid()
        };
        let body = note.body("018f", 1_767_225_600_000);
        assert_eq!(
            body.as_str(),
            r#"{"notification_id":"018f","type":"payment","title":"Paid","message":"Order \"7\"","url":"/orders/7","data":{"order":7},"created_at":"2026-01-01T00:00:00.000Z"}"#
        );
        assert_eq!(Json::parse(body.as_str()), Ok(body));
        assert_eq!(
            paid().body("018f", 0).as_str(),
            r#"{"notification_id":"018f","type":"payment","title":"Paid","created_at":"1970-01-01T00:00:00.000Z"}"#
        );
    }
}
