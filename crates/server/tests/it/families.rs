//! Sessions that end together: those from one JWT, and no others.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    bad_credentials::jwt,
    bad_input::SECRET,
    harness::{End, Server, Socket, answered, created, refused, text},
};

/// A server that accepts HS256 tokens of two issuers.
async fn server() -> Server {
    Server::with(|config| {
        config.auth.jwt = vec![
            serde_json::from_value(json!({ "algorithm": "HS256", "secret": SECRET })).unwrap(),
        ];
    })
    .await
}

async fn connected(server: &Server, credential: Value) -> (Socket, Value) {
    let mut socket = server.open().await;
    let mut connect = json!({ "type": "connect", "version": 1 });
    connect.as_object_mut().unwrap().extend(credential.as_object().unwrap().clone());
    socket.say(connect).await;
    let connected = socket.hear("connected").await;
    socket.until("snapshot").await;
    (socket, connected)
}

async fn refused_with(server: &Server, credential: Value, end: End) {
    let mut socket = server.open().await;
    let mut connect = json!({ "type": "connect", "version": 1 });
    connect.as_object_mut().unwrap().extend(credential.as_object().unwrap().clone());
    socket.say(connect).await;
    assert_eq!(socket.end().await, end, "{credential}");
}

async fn ticket_of(server: &Server, token: &str) -> String {
    let request = server.request(Method::POST, "/v1/tickets").bearer_auth(token).json(&json!({}));
    text(&created(request).await["ticket"])
}

async fn revoke(server: &Server, body: Value) {
    let answer = server.backend("/v1/revocations").json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 202, "{body}");
}

#[tokio::test]
async fn revoking_a_jwt_ends_its_tickets_their_sessions_and_their_tokens() {
    let server = server().await;
    let token = jwt(SECRET, json!({}), json!({ "jti": "j1" }));
    let other = jwt(SECRET, json!({}), json!({ "jti": "j2" }));
    let (mut by_token, _) = connected(&server, json!({ "token": token })).await;
    let (mut by_ticket, opened) =
        connected(&server, json!({ "ticket": ticket_of(&server, &token).await })).await;
    let unspent = ticket_of(&server, &token).await;
    let (mut bystander, _) =
        connected(&server, json!({ "ticket": ticket_of(&server, &other).await })).await;
    revoke(&server, json!({ "jti": "j1" })).await;
    let revoked = || End::new(4003, "revoked");
    assert_eq!(by_token.end().await, revoked());
    assert_eq!(by_ticket.end().await, revoked());
    refused_with(&server, json!({ "ticket": unspent }), revoked()).await;
    let session_token = &opened["session_token"];
    refused_with(&server, json!({ "session_token": session_token }), revoked()).await;
    let inbox = server.request(Method::GET, "/v1/inbox").bearer_auth(text(session_token));
    assert_eq!(refused(inbox).await, (401, "revoked".to_owned()));
    server.notify("mina", "still here").await;
    assert_eq!(bystander.titles(1).await, ["still here"]);
}

/// RFC 7519 asks issuers for unique ids; not all comply.
#[tokio::test]
async fn one_jti_of_two_users_or_issuers_is_two_sessions() {
    let server = server().await;
    let claims = [
        json!({ "jti": "1", "sub": "mina" }),
        json!({ "jti": "1", "sub": "tom" }),
        json!({ "jti": "1", "sub": "mina", "iss": "https://other.example" }),
    ];
    let mut open = Vec::new();
    for claims in claims {
        let token = jwt(SECRET, json!({}), claims);
        open.push(connected(&server, json!({ "token": token })).await);
    }
    revoke(&server, json!({ "session": open[0].1["session"] })).await;
    assert_eq!(open[0].0.end().await, End::new(4003, "revoked"));
    server.notify_to(json!({ "users": ["mina", "tom"] }), "still here").await;
    for (socket, _) in &mut open[1..] {
        assert_eq!(socket.titles(1).await, ["still here"]);
    }
}

#[tokio::test]
async fn a_session_ends_itself_and_no_other() {
    let server = server().await;
    let (mut first, one) =
        connected(&server, json!({ "ticket": server.ticket("mina", json!({})).await })).await;
    let (mut second, two) =
        connected(&server, json!({ "ticket": server.ticket("mina", json!({})).await })).await;
    let path = |connected: &Value| format!("/v1/sessions/{}", text(&connected["session"]));
    let end = |path: &str, bearer: &str| server.request(Method::DELETE, path).bearer_auth(bearer);
    let token = text(&one["session_token"]);
    let jwt = jwt(SECRET, json!({}), json!({ "jti": "j1" }));
    for (path, bearer) in [(path(&two), &*token), (path(&one), "dev"), (path(&one), &*jwt)] {
        assert_eq!(refused(end(&path, bearer)).await, (403, "forbidden".to_owned()), "{path}");
    }
    assert_eq!(end(&path(&one), &token).send().await.unwrap().status(), 204);
    assert_eq!(first.end().await, End::new(4003, "revoked"));
    refused_with(&server, json!({ "session_token": token }), End::new(4003, "revoked")).await;
    assert_eq!(refused(end(&path(&one), &token)).await, (401, "revoked".to_owned()));
    server.notify("mina", "still here").await;
    assert_eq!(second.titles(1).await, ["still here"]);
    let inbox = server.request(Method::GET, "/v1/inbox").bearer_auth(text(&two["session_token"]));
    answered(inbox, reqwest::StatusCode::OK).await;
}

#[tokio::test]
async fn a_name_from_data_grants_one_room_and_never_many() {
    let server = server().await;
    let ask = |grant: Value| {
        let body = json!({ "user": "mina", "channels": [grant] });
        server.backend("/v1/tickets").json(&body)
    };
    let one = json!({ "channel": "room:team", "allow": ["subscribe"] });
    let ticket = text(&created(ask(one)).await["ticket"]);
    let (mut socket, _) = connected(&server, json!({ "ticket": ticket })).await;
    for (channel, is) in [("room:team", true), ("room:team2", false), ("room:team*", false)] {
        socket.say(json!({ "type": "subscribe", "channel": channel })).await;
        let answer = socket.next().await;
        assert_eq!(answer["type"] == "subscribed", is, "{channel}: {answer}");
    }
    for grant in [
        json!({ "channel": "room:team*", "allow": ["subscribe"] }),
        json!({ "channel": "room:*", "allow": ["subscribe"] }),
        json!({ "channel": "room:a", "pattern": "room:a", "allow": ["subscribe"] }),
        json!({ "pattern": "room:a*b", "allow": ["subscribe"] }),
        json!({ "allow": ["subscribe"] }),
    ] {
        let (status, code) = refused(ask(grant.clone())).await;
        assert_eq!((status, &*code), (400, "bad_request"), "{grant}");
    }
    let publish =
        server.backend("/v1/channels/room%3Ateam%2A/messages").json(&json!({ "data": 1 }));
    assert_eq!(refused(publish).await, (404, "unknown_channel".to_owned()));
}
