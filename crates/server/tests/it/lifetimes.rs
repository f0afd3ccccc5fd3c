//! Renewal and end of connections: replaced, refreshed, expired, revoked, silent.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{
    harness::{End, Server, text, within},
    rooms::{ROOM, entitled},
};

#[tokio::test]
async fn a_page_that_comes_again_replaces_its_older_connection() {
    let server = Server::start().await;
    let mut older = server.connecting("mina", json!({ "instance": "page-1" })).await;
    older.until("snapshot").await;
    let mut other = server.connecting("mina", json!({ "instance": "page-2" })).await;
    other.until("snapshot").await;
    let mut foreign = server.connecting("tom", json!({ "instance": "page-1" })).await;
    foreign.until("snapshot").await;
    let mut newer = server.connecting("mina", json!({ "instance": "page-1" })).await;
    newer.until("snapshot").await;
    assert_eq!(older.end().await, End::new(4105, "replaced"));
    server.notify_to(json!({ "users": ["mina", "tom"] }), "still here").await;
    for socket in [&mut newer, &mut other, &mut foreign] {
        assert_eq!(socket.titles(1).await, ["still here"]);
    }
}

#[tokio::test]
async fn a_refresh_extends_the_connection_in_band() {
    let server = Server::start().await;
    let mut socket = server.open().await;
    let ticket = server.ticket("mina", json!({ "session_ttl_ms": 20_000 })).await;
    socket.say(json!({ "type": "connect", "version": 1, "ticket": ticket })).await;
    let ends = socket.hear("connected").await["expires_at"].as_u64();
    socket.until("snapshot").await;
    let ticket = server.ticket("mina", json!({})).await;
    socket.say(json!({ "type": "refresh", "id": 4, "ticket": ticket })).await;
    let refreshed = socket.hear("refreshed").await;
    assert_eq!(refreshed["id"], 4);
    assert!(refreshed["expires_at"].as_u64() > ends);
    // The ticket is spent now; the connection continues with its current credential.
    socket.say(json!({ "type": "refresh", "id": 5, "ticket": ticket })).await;
    let error = socket.hear("error").await;
    assert_eq!((&error["id"], &error["code"]), (&json!(5), &json!("ticket_invalid")));
    let foreign = server.ticket("tom", json!({})).await;
    socket.say(json!({ "type": "refresh", "ticket": foreign })).await;
    assert_eq!(socket.end().await, End::new(4104, "user_mismatch"));
}

#[tokio::test]
async fn a_refresh_takes_back_what_is_no_longer_granted() {
    let server = Server::start().await;
    let rights = json!([{ "pattern": "room:*", "allow": ["subscribe"] }]);
    let mut socket = entitled(&server, "mina", rights).await;
    socket.say(json!({ "type": "subscribe", "channel": ROOM })).await;
    socket.hear("subscribed").await;
    let ticket = server.ticket("mina", json!({})).await;
    socket.say(json!({ "type": "refresh", "ticket": ticket })).await;
    socket.hear("refreshed").await;
    let told = socket.hear("unsubscribed").await;
    assert_eq!((&told["channel"], &told["code"]), (&json!(ROOM), &json!("forbidden")));
}

#[tokio::test]
async fn a_connection_ends_with_its_credential() {
    let server = Server::with(|config| {
        config.limits.session_ms = 300;
        config.limits.grace_ms = 100;
    })
    .await;
    let ticket = server.ticket("mina", json!({})).await;
    let mut socket = server.open().await;
    socket.say(json!({ "type": "connect", "version": 1, "ticket": ticket })).await;
    let connected = socket.hear("connected").await;
    let warning = socket.until("expiring").await;
    assert_eq!(warning["expires_at"], connected["expires_at"]);
    assert_eq!(socket.end().await, End::new(4002, "expired"));
    let mut socket = server.open().await;
    let session_token = &connected["session_token"];
    socket.say(json!({ "type": "connect", "version": 1, "session_token": session_token })).await;
    assert_eq!(socket.end().await, End::new(4002, "expired"));
}

#[tokio::test]
async fn a_revocation_ends_connections_and_their_session_tokens() {
    let server = Server::start().await;
    for by in ["user", "session"] {
        let ticket = server.ticket("mina", json!({})).await;
        let mut socket = server.open().await;
        socket.say(json!({ "type": "connect", "version": 1, "ticket": ticket })).await;
        let connected = socket.hear("connected").await;
        socket.until("snapshot").await;
        let name = if by == "user" { "user_id" } else { "session" };
        let body = json!({ by: connected[name] });
        let answer = server.backend("/v1/revocations").json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 202, "{by}");
        assert_eq!(socket.end().await, End::new(4003, "revoked"), "{by}");
        let session_token = &connected["session_token"];
        let mut socket = server.open().await;
        socket
            .say(json!({ "type": "connect", "version": 1, "session_token": session_token }))
            .await;
        assert_eq!(socket.end().await, End::new(4003, "revoked"), "{by}");
    }
}

#[tokio::test]
async fn a_connection_is_revoked_by_what_it_was_refreshed_to() {
    let server = Server::start().await;
    for by in ["session", "jti"] {
        let mut socket = server.connect("mina").await;
        let refresh = match by {
            "jti" => json!({ "type": "refresh", "token": server.token("mina").await }),
            _ => json!({ "type": "refresh", "ticket": server.ticket("mina", json!({})).await }),
        };
        socket.say(refresh.clone()).await;
        let token = text(&socket.hear("refreshed").await["session_token"]);
        let claims = |token: &str, part: usize| {
            let part = token.split('.').nth(part).unwrap();
            let json = URL_SAFE_NO_PAD.decode(part.trim_start_matches("st_")).unwrap();
            serde_json::from_slice::<Value>(&json).unwrap()
        };
        let name = match by {
            "jti" => claims(refresh["token"].as_str().unwrap(), 1)["jti"].clone(),
            _ => claims(&token, 0)["s"].clone(),
        };
        let body = json!({ by: name });
        let answer = server.backend("/v1/revocations").json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 202, "{by}");
        assert_eq!(socket.end().await, End::new(4003, "revoked"), "{by}");
    }
}

#[tokio::test]
async fn the_server_pings_a_silent_client_and_lets_a_dead_one_go() {
    let server = Server::with(|config| {
        config.limits.idle_ms = 50;
        config.limits.timeout_ms = 300;
    })
    .await;
    let mut socket = server.connect("mina").await;
    // Reading answers pings, so this client is alive although it sends no messages.
    for _ in 0..3 {
        assert!(matches!(socket.frame().await, Some(Message::Ping(_))));
    }
    server.notify("mina", "alive").await;
    let title = loop {
        match socket.frame().await {
            Some(Message::Ping(_)) => {}
            Some(Message::Text(text)) => {
                break serde_json::from_str::<Value>(&text).unwrap()["data"]["title"].clone();
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(title, "alive");
    // From here on the client answers no pings.
    let mut bytes = Vec::new();
    within("the end of a dead client", async {
        tokio::io::AsyncReadExt::read_to_end(socket.raw(), &mut bytes).await.unwrap()
    })
    .await;
    let close = [0x88, 2 + "no sign of life".len() as u8, 0x03, 0xE9];
    assert!(bytes.windows(close.len()).any(|part| part == close), "{bytes:?}");
}
