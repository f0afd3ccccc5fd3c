//! Invalid credentials, and pages of other origins.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use http::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite;

use super::{
    bad_input::{SECRET, patient},
    harness::{Bystander, End, Server, Socket, problem, refused, text},
};

fn seconds_from_now(seconds: i64) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + seconds
}

/// A JWT with these header fields and claims, added to valid ones; `null` removes one.
pub(crate) fn jwt(secret: &str, header: Value, claims: Value) -> String {
    let with = |mut base: Value, changes: Value| {
        for (name, value) in changes.as_object().unwrap() {
            base[name] = value.clone();
        }
        base.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        BASE64.encode(base.to_string())
    };
    let header = with(json!({ "alg": "HS256", "typ": "JWT" }), header);
    let good = json!({ "sub": "mina", "exp": seconds_from_now(600), "iss": "https://issuer.example", "aud": "tidings" });
    let signed = format!("{header}.{}", with(good, claims));
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    let tag = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, jsonwebtoken::Algorithm::HS256)
        .unwrap();
    format!("{signed}.{tag}")
}

#[tokio::test]
async fn a_token_that_is_not_good_opens_nothing() {
    let server = patient().await;
    let mut bystander = Bystander::enter(&server).await;
    let good = jwt(SECRET, json!({}), json!({}));
    let unsigned = |token: &str| token.rsplit_once('.').unwrap().0.to_owned() + ".";
    let none = unsigned(&jwt(SECRET, json!({ "alg": "none" }), json!({})));
    let foreign = jwt("another-secret-of-at-least-32-bytes-here", json!({}), json!({}));
    let claims = |claims| jwt(SECRET, json!({}), claims);
    let header = |header| jwt(SECRET, header, json!({}));
    let cases = [
        ("nothing", String::new(), "unauthorized"),
        ("no JWT", "abc".to_owned(), "unauthorized"),
        ("alg none", none, "unauthorized"),
        ("no signature", unsigned(&good), "unauthorized"),
        ("a foreign signature", foreign, "unauthorized"),
        ("another algorithm", header(json!({ "alg": "HS512" })), "unauthorized"),
        ("RS256 by the HMAC key", header(json!({ "alg": "RS256" })), "unauthorized"),
        ("critical extensions", header(json!({ "crit": ["b64"] })), "unauthorized"),
        ("expired", claims(json!({ "exp": seconds_from_now(-60) })), "expired"),
        ("no end", claims(json!({ "exp": null })), "unauthorized"),
        (
            "an id that no revocation can name",
            claims(json!({ "jti": "j".repeat(257) })),
            "unauthorized",
        ),
        ("an empty id", claims(json!({ "jti": "" })), "unauthorized"),
        ("not yet", claims(json!({ "nbf": seconds_from_now(60) })), "unauthorized"),
        ("another issuer", claims(json!({ "iss": "https://evil.example" })), "unauthorized"),
        ("no issuer", claims(json!({ "iss": null })), "unauthorized"),
        ("another audience", claims(json!({ "aud": "shop" })), "unauthorized"),
        ("no audience", claims(json!({ "aud": null })), "unauthorized"),
        ("nobody", claims(json!({ "sub": null })), "unauthorized"),
        ("issued ahead", claims(json!({ "iat": seconds_from_now(3_600) })), "unauthorized"),
        ("issued long ago", claims(json!({ "iat": seconds_from_now(-31 * 86_400) })), "expired"),
        (
            "good for ten years",
            claims(json!({ "exp": seconds_from_now(3_650 * 86_400) })),
            "unauthorized",
        ),
        (
            "good for ten years since a moment ago",
            claims(json!({ "iat": seconds_from_now(-1), "exp": seconds_from_now(3_650 * 86_400) })),
            "unauthorized",
        ),
        ("an empty name", claims(json!({ "sub": "" })), "unauthorized"),
        ("a long name", claims(json!({ "sub": "x".repeat(129) })), "unauthorized"),
        (
            "a forged session token",
            format!("st_{}.{}", BASE64.encode("{}"), BASE64.encode([0; 32])),
            "unauthorized",
        ),
    ];
    for (what, token, code) in cases {
        let close = if code == "expired" { 4002 } else { 4001 };
        for field in ["token", "session_token", "ticket"] {
            // Only the right field can give a more precise error.
            let code = match (field, code) {
                ("ticket", _) => "ticket_invalid",
                ("session_token", _) => "unauthorized",
                (_, code) => code,
            };
            let close = if field == "token" { close } else { 4001 };
            let mut socket = server.open().await;
            socket.say(json!({ "type": "connect", "version": 1, field: token })).await;
            assert_eq!(socket.end().await, End::new(close, code), "{what} as {field}");
        }
        let inbox = server.request(Method::GET, "/v1/inbox").bearer_auth(&token);
        assert_eq!(refused(inbox).await, (401, code.to_owned()), "{what} over REST");
        bystander.is_unharmed(&server, what).await;
    }
    let mut socket = server.open().await;
    socket.say(json!({ "type": "connect", "version": 1, "token": good })).await;
    assert_eq!(
        socket.hear("connected").await["user_id"],
        "mina",
        "the cases differ from a good one"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_sockets_with_one_ticket_exactly_one_gets_in() {
    let server = patient().await;
    let mut bystander = Bystander::enter(&server).await;
    let ticket = server.ticket("mina", json!({})).await;
    let at = server.at;
    let mut racing = Vec::new();
    for _ in 0..50 {
        let (request, ticket) = (server.upgrade(""), ticket.clone());
        racing.push(tokio::spawn(async move {
            let mut socket = Socket::open(at, request).await.unwrap();
            socket.say(json!({ "type": "connect", "version": 1, "ticket": ticket })).await;
            let first = socket.next().await;
            (text(&first["type"]), first["code"].as_str().map(str::to_owned))
        }));
    }
    let mut won = 0;
    for racer in racing {
        match racer.await.unwrap() {
            (kind, None) if kind == "connected" => won += 1,
            (kind, code) => {
                assert_eq!((kind.as_str(), code.as_deref()), ("error", Some("ticket_invalid")));
            }
        }
    }
    assert_eq!(won, 1);
    bystander.is_unharmed(&server, "the race").await;
    // Spent, expired and unknown tickets get the same answer.
    for ticket in [ticket, "tk_unknown".to_owned()] {
        let request = server.upgrade(&format!("?ticket={ticket}"));
        let mut socket = Socket::open(at, request).await.unwrap();
        assert_eq!(socket.end().await, End::new(4001, "ticket_invalid"));
    }
}

#[tokio::test]
async fn a_ticket_in_an_address_is_read_alike_at_every_entrance() {
    let server = Server::start().await;
    let ticket = async || server.ticket("mina", json!({})).await;
    // Each character is percent-encoded, as a careful client may do.
    let written =
        |ticket: String| ticket.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let query = format!("?ticket={}", written(ticket().await));
    let mut socket = Socket::open(server.at, server.upgrade(&query)).await.unwrap();
    socket.hear("connected").await;
    let poll = format!("/v1/poll?ticket={}", written(ticket().await));
    assert_eq!(server.request(Method::GET, &poll).send().await.unwrap().status(), 200);
    let twice = format!("?ticket={}&ticket=tk_other", ticket().await);
    for (query, status, close, code) in [
        (twice.as_str(), 400, 4109, "bad_request"),
        ("?ticket=", 401, 4001, "ticket_invalid"),
        ("?ticket", 401, 4001, "ticket_invalid"),
    ] {
        let mut socket = Socket::open(server.at, server.upgrade(query)).await.unwrap();
        assert_eq!(socket.end().await, End::new(close, code), "{query}");
        let poll = server.request(Method::GET, &format!("/v1/poll{query}"));
        let answer = poll.send().await.unwrap();
        assert_eq!(answer.status(), status, "{query}");
        let error: Value = answer.json().await.unwrap();
        assert_eq!(error["code"], code, "{query}");
    }
}

#[tokio::test]
async fn an_old_ticket_opens_nothing() {
    let server = Server::with(|config| config.limits.ticket_ms = 0).await;
    let ticket = server.ticket("mina", json!({})).await;
    let mut socket = server.open().await;
    socket.say(json!({ "type": "connect", "version": 1, "ticket": ticket })).await;
    assert_eq!(socket.end().await, End::new(4001, "ticket_invalid"));
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused_before_the_upgrade() {
    let server =
        Server::with(|config| config.origins = vec!["https://app.example".to_owned()]).await;
    let mut bystander = Bystander::enter(&server).await;
    let open = async |origin: &str| {
        let mut request = server.upgrade("");
        request.headers_mut().insert("origin", origin.parse().unwrap());
        match Socket::open(server.at, request).await {
            Ok(_) => 101,
            Err(tungstenite::Error::Http(answer)) => answer.status().as_u16(),
            Err(error) => panic!("{error}"),
        }
    };
    for origin in ["https://app.example", "http://localhost:5173"] {
        assert_eq!(open(origin).await, 101, "{origin}");
    }
    for origin in [
        "https://evil.example",
        "http://app.example",
        "https://app.example:8443",
        "https://app.example.evil.net",
        "https://app.example/",
        "https://app.example:8443.evil.net",
        "null",
        "",
    ] {
        assert_eq!(open(origin).await, 403, "{origin:?}");
        bystander.is_unharmed(&server, origin).await;
    }
}

#[tokio::test]
async fn a_secret_is_never_repeated_in_a_refusal() {
    let server = patient().await;
    let secret = jwt("another-secret-of-at-least-32-bytes-here", json!({}), json!({}));
    let answer =
        server.request(Method::GET, "/v1/inbox").bearer_auth(&secret).send().await.unwrap();
    assert!(!problem(answer).await.to_string().contains(&secret[..20]));
    let mut socket = server.open().await;
    socket.say(json!({ "type": "connect", "version": 1, "token": secret })).await;
    assert!(!socket.hear("error").await.to_string().contains(&secret[..20]));
}
