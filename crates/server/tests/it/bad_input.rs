//! Invalid input, by mistake or on purpose: each case gets a clear answer, the server goes on, and
//! other clients do not notice.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tidings_protocol::limits::PAYLOAD_DEPTH;
use tidings_server::config::JwtSetting;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::Message;

use super::harness::{Bystander, End, Server, refused, text};

/// A secret shared by the tests and their server.
pub(crate) const SECRET: &str = "a-secret-of-at-least-32-bytes-for-tests";

/// A server that tolerates many wrong credentials from one address.
pub(crate) async fn patient() -> Server {
    Server::with(|config| {
        config.auth.failures_per_minute = 100_000;
        config.auth.issuer = vec!["https://issuer.example".to_owned()];
        config.auth.audience = vec!["tidings".to_owned()];
        config.auth.jwt = vec![JwtSetting {
            algorithm: "HS256".to_owned(),
            kid: None,
            secret: Some(SECRET.to_owned()),
            key_file: None,
        }];
    })
    .await
}

/// JSON nested this deep, the outermost object included.
fn deep(levels: usize) -> String {
    format!("{}1{}", "[".repeat(levels), "]".repeat(levels))
}

#[tokio::test]
async fn a_first_message_that_is_no_connect_ends_the_connection() {
    let server = patient().await;
    let mut bystander = Bystander::enter(&server).await;
    let bad_request = || End::new(4109, "bad_request");
    let long = "x".repeat(65);
    let cursors: serde_json::Map<String, Value> = (0..101)
        .map(|number| (format!("room:{number}"), json!({ "epoch": "aaaaaaaa", "offset": 0 })))
        .collect();
    let cases = [
        ("no JSON", "hello".to_owned(), bad_request()),
        ("half a message", r#"{"type":"connect""#.to_owned(), bad_request()),
        ("something after it", r#"{"type":"connect","version":1} {}"#.to_owned(), bad_request()),
        ("an array", "[]".to_owned(), bad_request()),
        ("nothing", String::new(), bad_request()),
        ("no type", r#"{"version":1}"#.to_owned(), bad_request()),
        ("an unknown type", r#"{"type":"hello"}"#.to_owned(), bad_request()),
        ("another message", r#"{"type":"ping"}"#.to_owned(), bad_request()),
        ("no version", r#"{"type":"connect"}"#.to_owned(), bad_request()),
        ("a wrong type", r#"{"type":"connect","version":"1"}"#.to_owned(), bad_request()),
        ("a negative number", r#"{"type":"connect","version":1,"id":-1}"#.to_owned(), bad_request()),
        ("a huge number", r#"{"type":"connect","version":1,"id":9007199254740992}"#.to_owned(), bad_request()),
        ("a key twice", r#"{"type":"connect","version":1,"version":1}"#.to_owned(), bad_request()),
        ("a type twice", r#"{"type":"connect","type":"connect","version":1}"#.to_owned(), bad_request()),
        ("deep nesting", format!(r#"{{"type":"connect","version":1,"x":{}}}"#, deep(32)), bad_request()),
        ("another version", r#"{"type":"connect","version":99}"#.to_owned(), End::new(4126, "version")),
        ("a long instance", json!({ "type": "connect", "version": 1, "instance": long }).to_string(), bad_request()),
        ("an ill-formed channel", r#"{"type":"connect","version":1,"cursors":{"Room:1":{"epoch":"aaaaaaaa","offset":1}}}"#.to_owned(), bad_request()),
        ("an ill-formed epoch", r#"{"type":"connect","version":1,"cursors":{"room:1":{"epoch":"a","offset":1}}}"#.to_owned(), bad_request()),
        ("a cursor above all offsets", r#"{"type":"connect","version":1,"cursors":{"room:1":{"epoch":"aaaaaaaa","offset":9007199254740992}}}"#.to_owned(), bad_request()),
        ("too many cursors", json!({ "type": "connect", "version": 1, "cursors": cursors }).to_string(), bad_request()),
        ("two credentials", r#"{"type":"connect","version":1,"ticket":"a","token":"b"}"#.to_owned(), bad_request()),
        ("no credential", r#"{"type":"connect","version":1}"#.to_owned(), End::new(4001, "unauthorized")),
        ("a credential without end", json!({ "type": "connect", "version": 1, "token": "x".repeat(9_000) }).to_string(), End::new(4001, "unauthorized")),
        ("more than 64 KiB", json!({ "type": "connect", "version": 1, "x": "x".repeat(65_536) }).to_string(), End::new(1009, "too_large")),
    ];
    for (what, message, end) in cases {
        let mut socket = server.open().await;
        socket.say_text(&message).await;
        assert_eq!(socket.end().await, end, "{what}");
        bystander.is_unharmed(&server, what).await;
    }
    let mut socket = server.open().await;
    socket.say_message(Message::binary(b"{}".to_vec())).await;
    assert_eq!(socket.end().await, bad_request(), "binary");
    bystander.is_unharmed(&server, "binary").await;
}

#[tokio::test]
async fn a_wrong_message_is_told_and_the_connection_stays() {
    let server = patient().await;
    let mut bystander = Bystander::enter(&server).await;
    let publish = |channel: &str| json!({ "type": "publish", "channel": channel, "data": 1 });
    let mark = |rest: Value| {
        let mut message = json!({ "type": "mark", "epochs": {}, "set": { "read": true } });
        message.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        message.to_string()
    };
    let cases = [
        ("no JSON", "hello".to_owned(), "bad_request"),
        ("an array", "[]".to_owned(), "bad_request"),
        ("a wrong type", r#"{"type":"subscribe","channel":7}"#.to_owned(), "bad_request"),
        ("a missing field", r#"{"type":"subscribe"}"#.to_owned(), "bad_request"),
        ("a key twice", r#"{"type":"ping","id":1,"id":2}"#.to_owned(), "bad_request"),
        ("a second connect", r#"{"type":"connect","version":1}"#.to_owned(), "bad_request"),
        ("an unknown type", r#"{"type":"hello"}"#.to_owned(), "unknown_type"),
        ("no namespace", publish("42").to_string(), "bad_request"),
        ("an empty name", publish("room:").to_string(), "bad_request"),
        ("a long name", publish(&format!("room:{}", "x".repeat(129))).to_string(), "bad_request"),
        ("a control character", publish("room:a\u{1}").to_string(), "bad_request"),
        ("a namespace nobody was granted", publish("secret:1").to_string(), "forbidden"),
        ("another's inbox", publish("inbox:tom").to_string(), "forbidden"),
        (
            "nesting over 32",
            format!(r#"{{"type":"publish","channel":"room:1","data":{}}}"#, deep(32)),
            "bad_request",
        ),
        (
            "a lone surrogate",
            r#"{"type":"publish","channel":"room:1","data":"\ud800"}"#.to_owned(),
            "bad_request",
        ),
        (
            "a lane without place",
            r#"{"type":"publish","channel":"room:1","client_id":"l","data":1}"#.to_owned(),
            "bad_request",
        ),
        ("a mark of nothing", mark(json!({})), "bad_request"),
        (
            "a mark of both",
            mark(json!({ "offsets": { "inbox": [1] }, "up_to": { "inbox": 1 } })),
            "bad_request",
        ),
        (
            "a mark of too many",
            mark(json!({ "offsets": { "inbox": (1..=1_001).collect::<Vec<_>>() } })),
            "bad_request",
        ),
        (
            "a mark of a foreign log",
            mark(json!({ "epochs": { "inbox": "aaaaaaaa" }, "up_to": { "inbox": 1 } })),
            "epoch_mismatch",
        ),
        (
            "both directions",
            r#"{"type":"history","channel":"room:1","before":1,"after":1}"#.to_owned(),
            "bad_request",
        ),
        (
            "leaving the inbox",
            r#"{"type":"unsubscribe","channel":"inbox:mina"}"#.to_owned(),
            "bad_request",
        ),
        ("a refresh with nothing", r#"{"type":"refresh"}"#.to_owned(), "bad_request"),
    ];
    for (what, message, code) in cases {
        let mut socket = server.connect("mina").await;
        socket.say_text(&message).await;
        let error = socket.hear("error").await;
        assert_eq!(error["code"], code, "{what}: {error}");
        assert!(!text(&error["message"]).is_empty());
        socket.say_text("ping").await;
        assert_eq!(socket.frame().await, Some(Message::text("pong")), "{what}");
        bystander.is_unharmed(&server, what).await;
    }
}

#[tokio::test]
async fn payloads_may_nest_as_deep_as_the_limit() {
    let server = patient().await;
    let mut socket = server.connect("mina").await;
    let publish =
        |data: String| format!(r#"{{"type":"publish","channel":"room:1","data":{data}}}"#);
    socket.say_text(&publish(deep(PAYLOAD_DEPTH))).await;
    socket.hear("ack").await;
    socket.say_text(&publish(deep(PAYLOAD_DEPTH + 1))).await;
    assert_eq!(socket.hear("error").await["code"], "bad_request");
}

#[tokio::test]
async fn nonsense_without_end_is_cut_off() {
    let server = Server::with(|config| config.limits.bad_messages = 3).await;
    let mut bystander = Bystander::enter(&server).await;
    let mut socket = server.connect("mina").await;
    for _ in 0..4 {
        socket.say_message(Message::binary(vec![0; 3])).await;
    }
    for _ in 0..3 {
        assert_eq!(socket.hear("error").await["code"], "bad_request");
    }
    assert_eq!(socket.end().await, End::new(4109, "bad_request"));
    bystander.is_unharmed(&server, "nonsense").await;
}

#[tokio::test]
async fn frames_that_break_the_rules_end_their_connection_only() {
    let server = patient().await;
    let mut bystander = Bystander::enter(&server).await;
    let too_large = || End::new(1009, "too_large");

    let mut socket = server.connect("mina").await;
    socket.say_text(&json!({ "type": "ping", "x": "x".repeat(10 * 1024) }).to_string()).await;
    assert_eq!(socket.end().await, too_large(), "a message over 10 KiB");
    bystander.is_unharmed(&server, "a message over 10 KiB").await;

    let mut socket = server.connect("mina").await;
    let just = json!({ "type": "ping", "x": "" }).to_string().len();
    socket.say(json!({ "type": "ping", "x": "x".repeat(10 * 1024 - just) })).await;
    socket.hear("pong").await;

    let mut socket = server.connect("mina").await;
    socket.say_text(&"x".repeat(1 << 20)).await;
    let error = socket.hear("error").await;
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("10240 bytes (`limits.message_bytes`)"), "{error}");
    assert!(message.contains(&(1 << 20).to_string()), "{error}");
    assert_eq!(socket.end().await.close, 1009, "a frame over every limit");
    bystander.is_unharmed(&server, "a frame over every limit").await;

    let mut socket = server.connect("mina").await;
    let part = vec![b' '; 16 * 1024];
    for number in 0..5 {
        socket.say_part(&part, number == 0, number == 4).await;
    }
    assert_eq!(socket.end().await, too_large(), "fragments over the limit");
    bystander.is_unharmed(&server, "fragments over the limit").await;

    let mut socket = server.connect("mina").await;
    for number in 0..70 {
        socket.say_part(b"", number == 0, false).await;
    }
    assert_eq!(socket.end().await, too_large(), "fragments without end");
    bystander.is_unharmed(&server, "fragments without end").await;

    // All frames of a message in one write, which the server reads at once.
    for (frames, is_read) in [(64, true), (65, false)] {
        let mut socket = server.connect("mina").await;
        let ping = br#"{"type":"ping"}"#;
        let mut bytes = Vec::new();
        for number in 0..frames {
            let part = if number == 0 { &ping[..] } else { b"" };
            let last = if number == frames - 1 { 0x80 } else { 0 };
            let kind = if number == 0 { 1 } else { 0 };
            bytes.extend([last | kind, 0x80 | part.len() as u8, 0, 0, 0, 0]);
            bytes.extend(part);
        }
        socket.raw().write_all(&bytes).await.unwrap();
        if is_read {
            socket.hear("pong").await;
            continue;
        }
        let error = socket.hear("error").await;
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("64 frames (`limits.fragments`)"), "{error}");
        assert_eq!(socket.end().await.close, 1009);
    }

    let mut socket = server.connect("mina").await;
    for (number, part) in [br#"{"ty"#.as_slice(), br#"pe":"#, br#""ping"}"#].into_iter().enumerate()
    {
        socket.say_part(part, number == 0, number == 2).await;
    }
    socket.hear("pong").await;

    for bad in [b"\xff\xfe".as_slice(), b"{\"type\":\"ping\xc3\x28\"}", b"\xed\xa0\x80"] {
        let mut socket = server.connect("mina").await;
        socket.say_part(bad, true, true).await;
        assert_eq!(socket.end().await, End::new(1007, "invalid_utf8"), "{bad:?}");
        bystander.is_unharmed(&server, "invalid UTF-8").await;
    }

    let mut socket = server.connect("mina").await;
    socket.say_part(b"a continuation of nothing", false, true).await;
    assert_eq!(socket.end().await.close, 1002);
    bystander.is_unharmed(&server, "a continuation of nothing").await;

    // An unmasked frame, reserved bits, an unknown opcode, and a declared length that would fill
    // the memory.
    for raw in [
        b"\x81\x04ping".as_slice(),
        b"\xf1\x84\0\0\0\0ping",
        b"\x83\x80\0\0\0\0",
        b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",
    ] {
        let mut socket = server.connect("mina").await;
        tokio::io::AsyncWriteExt::write_all(socket.raw(), raw).await.unwrap();
        let close = socket.end().await.close;
        assert!([1002, 1009].contains(&close), "{raw:?}: {close}");
        bystander.is_unharmed(&server, "a raw frame").await;
    }
}

#[tokio::test]
async fn a_get_that_is_no_upgrade_says_so_and_closes() {
    let server = Server::start().await;
    let answer = server.request(Method::GET, "/v1/ws").send().await.unwrap();
    assert!(answer.status().is_client_error(), "{}", answer.status());
    assert_eq!(answer.headers()["connection"], "close");
}

#[tokio::test]
async fn a_wrong_body_is_refused_by_what_is_wrong_with_it() {
    let server = patient().await;
    let mut bystander = Bystander::enter(&server).await;
    let good = r#"{"to":{"user":"mina"},"type":"note","title":"t"}"#;
    let with = |field: &str| format!("{},{field}}}", good.strip_suffix('}').unwrap());
    let json = [("content-type", "application/json")];
    type Headers<'a> = &'a [(&'a str, &'a str)];
    type Case<'a> = (&'a str, Headers<'a>, Vec<u8>, (u16, &'a str));
    let cases: [Case<'_>; 17] = [
        ("no JSON", &json, b"hello".to_vec(), (400, "bad_request")),
        ("half of it", &json, good.as_bytes()[..20].to_vec(), (400, "bad_request")),
        ("something after it", &json, format!("{good}x").into_bytes(), (400, "bad_request")),
        ("nothing", &json, Vec::new(), (400, "bad_request")),
        ("invalid UTF-8", &json, b"\"\xff\"".to_vec(), (400, "invalid_utf8")),
        ("a key twice", &json, with(r#""title":"u""#).into_bytes(), (400, "bad_request")),
        (
            "deep data",
            &json,
            with(&format!(r#""data":{}"#, deep(33))).into_bytes(),
            (400, "bad_request"),
        ),
        (
            "very deep data",
            &json,
            with(&format!(r#""data":{}"#, deep(30_000))).into_bytes(),
            (400, "bad_request"),
        ),
        ("a lone surrogate", &json, with(r#""data":"\ud800""#).into_bytes(), (400, "bad_request")),
        (
            "too large",
            &json,
            with(&format!(r#""data":"{}""#, "x".repeat(65_536))).into_bytes(),
            (413, "too_large"),
        ),
        ("no content type", &[], good.into(), (415, "unsupported_media_type")),
        (
            "a form",
            &[("content-type", "application/x-www-form-urlencoded")],
            good.into(),
            (415, "unsupported_media_type"),
        ),
        ("text", &[("content-type", "text/plain")], good.into(), (415, "unsupported_media_type")),
        (
            "compressed",
            &[("content-type", "application/json"), ("content-encoding", "gzip")],
            good.into(),
            (415, "unsupported_media_type"),
        ),
        (
            "an empty key",
            &[("content-type", "application/json"), ("idempotency-key", "")],
            good.into(),
            (400, "bad_request"),
        ),
        (
            "a long key",
            &[("content-type", "application/json"), ("idempotency-key", LONG_KEY)],
            good.into(),
            (400, "bad_request"),
        ),
        (
            "a key that is no ASCII",
            &[("content-type", "application/json"), ("idempotency-key", "ä")],
            good.into(),
            (400, "bad_request"),
        ),
    ];
    for (what, headers, body, expected) in cases {
        let mut request = server.request(Method::POST, "/v1/notifications").bearer_auth("dev");
        for (name, value) in headers {
            request = request.header(*name, value.as_bytes());
        }
        let refusal = refused(request.body(body)).await;
        assert_eq!((refusal.0, refusal.1.as_str()), expected, "{what}");
        bystander.is_unharmed(&server, what).await;
    }
    assert_eq!(server.notify("mina", "first").await["offset"], 1, "none of them was stored");
}

#[tokio::test]
async fn a_body_that_says_it_is_not_compressed_is_taken() {
    let server = patient().await;
    let body = json!({ "to": { "user": "mina" }, "type": "note", "title": "as it is" });
    for coding in ["identity", "Identity", " identity "] {
        let publish = server.backend("/v1/notifications").header("content-encoding", coding);
        assert_eq!(publish.json(&body).send().await.unwrap().status(), StatusCode::CREATED);
    }
    let both = server.backend("/v1/notifications").header("content-encoding", "identity");
    let both = both.header("content-encoding", "br").json(&body);
    assert_eq!(refused(both).await, (415, "unsupported_media_type".to_owned()));
}

const LONG_KEY: &str = concat!(
    "0123456789012345678901234567890123456789012345678901234567890123",
    "0123456789012345678901234567890123456789012345678901234567890123x"
);

#[tokio::test]
async fn a_channel_that_is_none_is_refused_by_name() {
    let server = patient().await;
    let token = server.token("mina").await;
    let cases = [
        ("42", (404, "unknown_channel")),
        ("Room:1", (404, "unknown_channel")),
        ("room:", (404, "unknown_channel")),
        ("room:%00", (404, "unknown_channel")),
        ("room:%FF", (400, "invalid_utf8")),
        ("secret:1", (403, "forbidden")),
        ("inbox:tom", (403, "forbidden")),
        ("inbox:mina", (403, "forbidden")),
        ("system:all", (403, "forbidden")),
    ];
    for (channel, expected) in cases {
        let path = format!("/v1/channels/{channel}/messages");
        let publish =
            server.request(Method::POST, &path).bearer_auth(&token).json(&json!({ "data": 1 }));
        let refusal = refused(publish).await;
        assert_eq!((refusal.0, refusal.1.as_str()), expected, "{channel}");
    }
    let foreign =
        server.request(Method::GET, "/v1/channels/inbox:tom/messages").bearer_auth(&token);
    assert_eq!(refused(foreign).await, (403, "forbidden".to_owned()));
    // When percent-encoded, a name may contain characters that a path can't.
    let path = "/v1/channels/room%3Aa%2Fb%20%C3%BC/messages";
    let publish =
        server.request(Method::POST, path).bearer_auth(&token).json(&json!({ "data": 1 }));
    assert_eq!(publish.send().await.unwrap().status(), StatusCode::CREATED);
}
