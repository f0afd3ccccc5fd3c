//! Unusual texts in every field: both stores answer them alike, none causes a server error, and
//! other clients do not notice.

use std::collections::BTreeMap;

use http::{HeaderValue, Method};
use serde_json::{Value, json};
use tidings_server::{Config, config::JwtSetting};
use tokio_tungstenite::tungstenite::Message;

use super::{
    bad_credentials::jwt,
    bad_input::SECRET,
    harness::{Bystander, Server, Socket, http},
    postgres,
};

/// Texts in their JSON form, with quotes, and in their percent-encoded form.
fn texts() -> Vec<(&'static str, String, String)> {
    let plain = |name, text: &str| {
        let encoded = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        (name, Value::from(text).to_string(), encoded)
    };
    let raw = |name, json: &str, path: &str| (name, json.to_owned(), path.to_owned());
    vec![
        plain("nothing odd", "a"),
        plain("empty", ""),
        plain("NUL", "\0"),
        plain("NUL within", "a\0b"),
        plain("control characters", "\u{1}\u{1f}\u{7f}\u{9f}"),
        plain("line feeds", "a\r\nb"),
        plain("a tab", "a\tb"),
        plain("white space", "  \u{a0}\u{2003}\u{feff} "),
        plain("right to left", "\u{202e}שלום\u{200f}"),
        plain("combining", "e\u{301}\u{301}\u{301}"),
        plain("not normalized", "A\u{30a}\u{212b}\u{c5}"),
        plain("quotes", "'\"`$$'; DROP TABLE channel; --"),
        plain("patterns", "%_*?[a-z]%"),
        plain("backslashes", r"\\0\u0000\x00\"),
        plain("no characters", "\u{fffe}\u{ffff}\u{10ffff}"),
        plain("the replacement", "\u{fffd}"),
        plain("four bytes", "😀👩‍👩‍👧‍👧"),
        plain("braces", "{}{0}${x}<!-- -->"),
        plain("a path", "../../etc/passwd"),
        plain("null", "null"),
        plain("64 bytes", &"x".repeat(64)),
        plain("128 bytes", &"ä".repeat(64)),
        plain("long", &"y".repeat(3_000)),
        raw("an escaped NUL", r#""a\u0000b""#, "a%00b"),
        raw("a lone surrogate", r#""a\ud800b""#, "a%ED%A0%80b"),
        raw("surrogates in the wrong order", r#""\udc00\ud800""#, "%ED%B0%80%ED%A0%80"),
        raw("no UTF-8", r#""\u00ff""#, "%ff"),
        raw("overlong", r#""\u0000""#, "%C0%80"),
        raw("half an escape", r#""\u00""#, "%C3%2"),
        raw("no escape", r#""\x00""#, "%zz"),
    ]
}

/// The answer to each text in each field, by both names.
type Answers = BTreeMap<(&'static str, String), String>;

async fn server(set: impl FnOnce(&mut Config)) -> Server {
    Server::with(|config| {
        config.auth.failures_per_minute = 100_000;
        config.limits.poll_ms = 1;
        // One user sends all of them, each on a new socket.
        config.limits.user_open_burst = 100_000;
        config.auth.jwt = vec![JwtSetting {
            algorithm: "HS256".to_owned(),
            kid: None,
            secret: Some(SECRET.to_owned()),
            key_file: None,
        }];
        set(config);
    })
    .await
}

/// Type and code of the next message about a request, or the end of the connection.
async fn said(socket: &mut Socket) -> String {
    loop {
        match socket.frame().await {
            Some(Message::Text(text)) => {
                let message: Value = serde_json::from_str(&text).unwrap();
                match message["type"].as_str().unwrap() {
                    "snapshot" | "subscribed" if message.get("id").is_none() => {}
                    kind => return format!("{kind} {}", message["code"].as_str().unwrap_or("")),
                }
            }
            Some(Message::Close(frame)) => {
                return format!("closed {}", frame.map_or(0, |frame| frame.code.into()));
            }
            Some(_) => {}
            None => return "ended".to_owned(),
        }
    }
}

async fn by_socket(server: &Server, json: &str, answers: &mut Vec<(String, String)>) {
    let token = server.token("mina").await;
    let mut socket = server.open().await;
    let connect =
        format!(r#"{{"type":"connect","version":1,"token":"{token}","instance":{json}}}"#);
    socket.say_text(&connect).await;
    answers.push(("connect.instance".to_owned(), said(&mut socket).await));
    for field in ["ticket", "token", "session_token"] {
        let mut socket = server.open().await;
        let connect = format!(r#"{{"type":"connect","version":1,"{field}":{json}}}"#);
        socket.say_text(&connect).await;
        answers.push((format!("connect.{field}"), said(&mut socket).await));
    }
    let room = format!("\"room:{}", &json[1..]);
    let messages = [
        ("subscribe", format!(r#"{{"type":"subscribe","id":1,"channel":{room}}}"#)),
        (
            "epoch",
            format!(
                r#"{{"type":"subscribe","id":1,"channel":"room:a","since":{{"epoch":{json},"offset":0}}}}"#
            ),
        ),
        ("unsubscribe", format!(r#"{{"type":"unsubscribe","id":1,"channel":{room}}}"#)),
        ("publish", format!(r#"{{"type":"publish","id":1,"channel":{room},"data":{json}}}"#)),
        (
            "publish.data",
            format!(r#"{{"type":"publish","id":1,"channel":"room:a","data":{{{json}:{json}}}}}"#),
        ),
        (
            "publish.client_id",
            format!(
                r#"{{"type":"publish","id":1,"channel":"room:a","client_id":{json},"seq":1,"data":1}}"#
            ),
        ),
        (
            "mark.client_id",
            format!(
                r#"{{"type":"mark","id":1,"client_id":{json},"seq":1,"up_to":{{"inbox":0}},"set":{{"read":true}}}}"#
            ),
        ),
        ("void", format!(r#"{{"type":"void","id":1,"client_id":{json},"seq":1}}"#)),
        ("history", format!(r#"{{"type":"history","id":1,"channel":{room}}}"#)),
        ("refresh", format!(r#"{{"type":"refresh","id":1,"token":{json}}}"#)),
        (
            "signal",
            format!(r#"{{"type":"signal","id":1,"channel":"room:a","name":{json},"data":1}}"#),
        ),
        ("an unknown type", format!(r#"{{"type":{json},"id":1}}"#)),
    ];
    for (what, message) in messages {
        let mut socket = server.connect("mina").await;
        socket.say_text(&message).await;
        answers.push((what.to_owned(), said(&mut socket).await));
    }
}

async fn status(request: reqwest::RequestBuilder) -> String {
    let Ok(request) = request.build() else { return "not to be sent".to_owned() };
    let answer = http().execute(request).await.unwrap();
    let status = answer.status();
    assert!(status.as_u16() < 500, "{status}: {}", answer.text().await.unwrap());
    let body: Value = answer.json().await.unwrap_or_default();
    format!("{} {}", status.as_u16(), body["code"].as_str().unwrap_or(""))
}

async fn by_rest(server: &Server, json: &str, path: &str, answers: &mut Vec<(String, String)>) {
    let token = server.token("mina").await;
    let user = |method, path: &str| server.request(method, path).bearer_auth(&token);
    let typed = |request: reqwest::RequestBuilder, body: String| {
        request.header("content-type", "application/json").body(body)
    };
    let bodies = [
        (
            "/v1/notifications",
            "to.user",
            format!(r#"{{"to":{{"user":{json}}},"type":"t","title":"x"}}"#),
        ),
        (
            "/v1/notifications",
            "to.topic",
            format!(r#"{{"to":{{"topic":{json}}},"type":"t","title":"x"}}"#),
        ),
        (
            "/v1/notifications",
            "type",
            format!(r#"{{"to":{{"user":"u"}},"type":{json},"title":"x"}}"#),
        ),
        (
            "/v1/notifications",
            "title",
            format!(r#"{{"to":{{"user":"u"}},"type":"t","title":{json}}}"#),
        ),
        (
            "/v1/notifications",
            "message",
            format!(r#"{{"to":{{"user":"u"}},"type":"t","title":"x","message":{json}}}"#),
        ),
        (
            "/v1/notifications",
            "url",
            format!(r#"{{"to":{{"user":"u"}},"type":"t","title":"x","url":{json}}}"#),
        ),
        (
            "/v1/notifications",
            "data",
            format!(r#"{{"to":{{"user":"u"}},"type":"t","title":"x","data":{{{json}:{json}}}}}"#),
        ),
        ("/v1/channels/room:a/messages", "data", format!(r#"{{"data":{json}}}"#)),
        ("/v1/tickets", "user", format!(r#"{{"user":{json}}}"#)),
        ("/v1/tickets", "origin", format!(r#"{{"user":"u","origin":{json}}}"#)),
        ("/v1/tickets", "info", format!(r#"{{"user":"u","info":{json}}}"#)),
        (
            "/v1/tickets",
            "channels",
            format!(r#"{{"user":"u","channels":[{{"pattern":{json},"allow":["subscribe"]}}]}}"#),
        ),
        ("/v1/revocations", "user", format!(r#"{{"user":{json}}}"#)),
        ("/v1/revocations", "session", format!(r#"{{"session":{json}}}"#)),
        ("/v1/revocations", "jti", format!(r#"{{"jti":{json}}}"#)),
    ];
    for (to, what, body) in bodies {
        let answer = status(typed(server.backend(to), body)).await;
        answers.push((format!("POST {to} {what}"), answer));
    }
    let lane = format!(r#"{{"data":1,"client_id":{json},"seq":1}}"#);
    let lane = typed(user(Method::POST, "/v1/channels/room:a/messages"), lane);
    answers.push(("POST client_id".to_owned(), status(lane).await));
    for kind in ["poll", "sse"] {
        let body = format!(
            r#"{{"type":"connect","version":1,"token":"{token}","instance":{json},"cursors":{{}}}}"#
        );
        let request = typed(server.request(Method::POST, &format!("/v1/{kind}")), body);
        answers.push((format!("POST /v1/{kind}"), head(request).await));
    }
    let room = format!("/v1/channels/room:{path}/messages");
    answers.push(("GET a channel".to_owned(), status(user(Method::GET, &room)).await));
    let say = typed(user(Method::POST, &room), r#"{"data":1}"#.to_owned());
    answers.push(("POST to a channel".to_owned(), status(say).await));
    for name in ["type", "state", "before", "limit", "other", path] {
        let ask = user(Method::GET, &format!("/v1/inbox?{name}={path}"));
        answers.push((format!("GET /v1/inbox?{name}"), status(ask).await));
    }
    for name in ["before", "after", "limit"] {
        let ask = user(Method::GET, &format!("/v1/channels/room:a/messages?{name}={path}"));
        answers.push((format!("GET messages?{name}"), status(ask).await));
    }
    let up = typed(user(Method::POST, &format!("/v1/sessions/{path}/messages")), "{}".to_owned());
    answers.push(("POST to a session".to_owned(), status(up).await));
    for name in ["instance", "channels", "cursor", "ticket", "session_token"] {
        let ticket = server.ticket("mina", json!({})).await;
        let ask = format!("/v1/poll?ticket={ticket}&{name}={path}");
        answers
            .push((format!("GET /v1/poll?{name}"), head(server.request(Method::GET, &ask)).await));
    }
    let text: String = serde_json::from_str(json).unwrap_or_default();
    if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
        for (name, body) in
            [("idempotency-key", r#"{"data":1}"#), ("x-request-id", r#"{"data":2}"#)]
        {
            let request = typed(server.backend("/v1/channels/room:a/messages"), body.to_owned());
            answers.push((format!("header {name}"), status(request.header(name, &value)).await));
        }
        let stream = server.request(Method::GET, "/v1/sse").header("last-event-id", value);
        answers.push(("header last-event-id".to_owned(), head(stream).await));
    }
    for claim in ["sub", "jti", "iss", "aud", "info"] {
        let token = jwt(SECRET, json!({}), json!({ claim: text }));
        let ask = server.request(Method::GET, "/v1/inbox").bearer_auth(token);
        answers.push((format!("JWT {claim}"), status(ask).await));
    }
}

/// The status of a response that may never end.
async fn head(request: reqwest::RequestBuilder) -> String {
    let Ok(request) = request.build() else { return "not to be sent".to_owned() };
    let status = http().execute(request).await.unwrap().status();
    assert!(status.as_u16() < 500, "{status}");
    status.as_u16().to_string()
}

async fn answers(server: &Server) -> Answers {
    let mut bystander = Bystander::enter(server).await;
    let mut all = Answers::new();
    for (name, json, path) in texts() {
        let mut answers = Vec::new();
        by_socket(server, &json, &mut answers).await;
        by_rest(server, &json, &path, &mut answers).await;
        for (entrance, answer) in answers {
            for fault in ["storage_unavailable", "internal"] {
                assert!(!answer.contains(fault), "{name} at {entrance}: {answer}");
            }
            all.insert((name, entrance), answer);
        }
        bystander.is_unharmed(server, name).await;
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn both_stores_answer_odd_texts_alike_and_none_of_them_is_the_servers_fault() {
    let sqlite = answers(&server(|_| {}).await).await;
    let url = postgres::server().database();
    let postgres = answers(&server(move |config| config.store.url.0 = url).await).await;
    for (what, answer) in &sqlite {
        assert_eq!(postgres.get(what), Some(answer), "{what:?}");
    }
    let of = |name, entrance: &str| sqlite[&(name, entrance.to_owned())].as_str();
    assert_eq!(of("NUL within", "connect.instance"), "error bad_request");
    assert_eq!(of("NUL within", "GET /v1/inbox?type"), "400 bad_request");
    assert_eq!(of("NUL within", "POST /v1/revocations jti"), "202 ");
    assert_eq!(of("NUL within", "publish.data"), "ack ");
    assert_eq!(of("four bytes", "connect.instance"), "connected ");
    assert_eq!(of("a lone surrogate", "publish.data"), "error bad_request");
}
