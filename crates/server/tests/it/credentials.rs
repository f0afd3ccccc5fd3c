//! Credentials over REST: how to get each, and what each allows.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    harness::{End, Server, Socket, answered, created, problem, refused, text, text_of},
    rest::{NOTIFICATIONS, ROOM, note},
};

#[tokio::test]
async fn tickets_hold_what_was_asked_for() {
    let server = Server::start().await;
    let asked = server.backend("/v1/tickets").json(&json!({ "user": "mina" }));
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(text_of(&answer, "cache-control").as_deref(), Some("no-store"));
    let body: Value = answer.json().await.unwrap();
    assert!(text(&body["expires_at"]).ends_with('Z'));
    let ask = |body: Value| server.backend("/v1/tickets").json(&body);
    for body in [
        json!({}),
        json!({ "user": "" }),
        json!({ "user": "m", "session_ttl_ms": 1 }),
        json!({ "user": "m", "origin": "app.example" }),
        json!({ "user": "m", "info": "x".repeat(1_100) }),
        json!({ "user": "m", "channels": [{ "pattern": "*", "allow": ["subscribe"] }] }),
    ] {
        assert_eq!(refused(ask(body.clone())).await, (400, "bad_request".to_owned()), "{body}");
    }
    let token = server.token("mina").await;
    let own =
        |body: Value| server.request(Method::POST, "/v1/tickets").bearer_auth(&token).json(&body);
    created(own(json!({}))).await;
    created(own(json!({ "user": "mina" }))).await;
    assert_eq!(refused(own(json!({ "user": "tom" }))).await, (403, "user_mismatch".to_owned()));
    assert_eq!(refused(own(json!({ "channels": [] }))).await, (403, "forbidden".to_owned()));
}

/// A session token reconnects its session. It must not create sessions that outlive it.
#[tokio::test]
async fn a_session_token_reads_its_inbox_but_gets_no_ticket() {
    let server = Server::start().await;
    let mut socket = server.connecting("mina", json!({})).await;
    let token = text(&socket.hear("connected").await["session_token"]);
    let inbox = server.request(Method::GET, "/v1/inbox").bearer_auth(&token);
    assert_eq!(answered(inbox, StatusCode::OK).await["offset"], 0);
    let ticket = server.request(Method::POST, "/v1/tickets").bearer_auth(&token).json(&json!({}));
    assert_eq!(refused(ticket).await, (403, "forbidden".to_owned()));
}

#[tokio::test]
async fn a_ticket_for_one_origin_opens_only_there() {
    let server = Server::start().await;
    let origin = "http://localhost:5173";
    for (from, end) in
        [(origin, None), ("http://localhost:9999", Some(End::new(4001, "ticket_invalid")))]
    {
        let ticket = server.ticket("mina", json!({ "origin": origin })).await;
        let mut request = server.upgrade("");
        request.headers_mut().insert("origin", from.parse().unwrap());
        let mut socket = Socket::open(server.at, request).await.unwrap();
        socket.say(json!({ "type": "connect", "version": 1, "ticket": ticket })).await;
        match end {
            None => drop(socket.hear("connected").await),
            Some(end) => assert_eq!(socket.end().await, end),
        }
    }
}

#[tokio::test]
async fn each_call_is_for_those_it_is_meant_for() {
    let server = Server::start().await;
    let token = server.token("mina").await;
    let ticket = server.ticket("mina", json!({})).await;
    let calls = [
        (Method::POST, NOTIFICATIONS, note(json!({ "user": "tom" })), "backend"),
        (Method::POST, "/v1/revocations", json!({ "user": "tom" }), "backend"),
        (Method::GET, "/v1/inbox?user=mina", Value::Null, "both"),
        (
            Method::POST,
            "/v1/inbox/marks",
            json!({ "up_to": { "inbox": 1 }, "set": { "read": true } }),
            "user",
        ),
        (Method::GET, ROOM, Value::Null, "both"),
        (Method::POST, "/v1/tickets", json!({ "user": "mina" }), "both"),
    ];
    for (method, path, body, whose) in calls {
        let request = || {
            let request = server.request(method.clone(), path);
            if body.is_null() { request } else { request.json(&body) }
        };
        let unauthorized = (401, "unauthorized".to_owned());
        for nobody in [
            request(),
            request().bearer_auth("wrong"),
            request().bearer_auth(&ticket),
            request().header("authorization", "Basic ZGV2"),
            request().header("authorization", "Bearer"),
        ] {
            assert_eq!(refused(nobody).await, unauthorized, "{path}");
        }
        let answer = request().bearer_auth("wrong").send().await.unwrap();
        assert_eq!(text_of(&answer, "www-authenticate").as_deref(), Some("Bearer"));
        for (who, bearer) in [("backend", "dev"), ("user", token.as_str())] {
            let answer = request().bearer_auth(bearer).send().await.unwrap();
            if whose == who || whose == "both" {
                assert!(answer.status().is_success(), "{path} by a {who}: {}", answer.status());
            } else {
                assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path} by a {who}");
                assert_eq!(problem(answer).await["code"], "forbidden");
            }
        }
    }
}

#[tokio::test]
async fn a_revocation_names_exactly_one_thing() {
    let server = Server::start().await;
    let revoke = |body: Value| server.backend("/v1/revocations").json(&body);
    for body in [json!({}), json!({ "user": "a", "jti": "b" }), json!({ "session": "" })] {
        assert_eq!(refused(revoke(body.clone())).await, (400, "bad_request".to_owned()), "{body}");
    }
    let token = server.token("mina").await;
    let claims = BASE64.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    let mut socket = server.open().await;
    socket.say(json!({ "type": "connect", "version": 1, "token": token })).await;
    socket.until("snapshot").await;
    let answer = revoke(json!({ "jti": claims["jti"] })).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert_eq!(socket.end().await, End::new(4003, "revoked"));
    let inbox = server.request(Method::GET, "/v1/inbox").bearer_auth(&token);
    assert_eq!(refused(inbox).await, (401, "revoked".to_owned()));
}

#[tokio::test]
async fn development_tokens_exist_in_development_only() {
    let server = Server::with(|config| config.dev = false).await;
    let ask = server.request(Method::POST, "/dev/tokens").json(&json!({ "user": "mina" }));
    assert_eq!(refused(ask).await, (404, "not_found".to_owned()));
    let publish = server.backend(NOTIFICATIONS).json(&note(json!({ "user": "mina" })));
    assert_eq!(refused(publish).await, (401, "unauthorized".to_owned()));
    let server = Server::start().await;
    let ask = server.request(Method::POST, "/dev/tokens").json(&json!({ "user": "" }));
    assert_eq!(refused(ask).await, (400, "bad_request".to_owned()));
}

/// All clients behind one proxy, or in one office, have one address. An attacker there must not
/// harm the others.
#[tokio::test]
async fn whoever_has_a_good_credential_is_served_whatever_others_at_the_address_do() {
    let server = Server::with(|config| config.auth.failures_per_minute = 3).await;
    let token = server.token("mina").await;
    let mut inside = server.connect("mina").await;
    let guess = || server.request(Method::GET, "/v1/inbox").bearer_auth("guess");
    for _ in 0..3 {
        assert_eq!(refused(guess()).await.0, 401);
    }
    let answer = guess().send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(text_of(&answer, "retry-after").is_some());
    let connect = |field: &str, with: &str| json!({ "type": "connect", "version": 1, field: with });
    let mut socket = server.open().await;
    socket.say(connect("token", "guess")).await;
    assert_eq!(socket.end().await, End::new(4229, "flood"));
    for path in ["/v1/sse", "/v1/poll"] {
        let ask = server.request(Method::POST, path).json(&connect("token", "guess"));
        assert_eq!(ask.send().await.unwrap().status(), 429, "{path}");
    }
    // The server's own tokens can't be guessed: the client of an old one is told at once that it
    // needs a new one.
    let mut socket = server.open().await;
    socket.say(connect("ticket", "tk_old")).await;
    assert_eq!(socket.end().await, End::new(4001, "ticket_invalid"));
    let old = server.request(Method::GET, "/v1/inbox").bearer_auth("st_old.old");
    assert_eq!(refused(old).await, (401, "unauthorized".to_owned()));

    created(server.backend(NOTIFICATIONS).json(&note(json!({ "user": "tom" })))).await;
    let user = |method, path| server.request(method, path).bearer_auth(&token);
    answered(user(Method::GET, "/v1/inbox"), StatusCode::OK).await;
    created(user(Method::POST, "/v1/tickets").json(&json!({}))).await;
    let mut socket = server.open().await;
    socket.say(connect("token", &token)).await;
    socket.hear("connected").await;
    for path in ["/v1/sse", "/v1/poll"] {
        let ticket = server.ticket("mina", json!({})).await;
        let ask = server.request(Method::GET, &format!("{path}?ticket={ticket}"));
        assert_eq!(ask.send().await.unwrap().status(), 200, "{path}");
    }
    let ticket = server.ticket("mina", json!({})).await;
    inside.say(json!({ "type": "refresh", "id": 1, "ticket": ticket })).await;
    let session = inside.until("refreshed").await;
    let mut socket = server.open().await;
    socket.say(connect("ticket", &server.ticket("mina", json!({})).await)).await;
    let connected = socket.hear("connected").await;
    let path = format!("/v1/sessions/{}/messages", text(&connected["session"]));
    let bearer = text(&connected["session_token"]);
    let post = server.request(Method::POST, &path).bearer_auth(&bearer);
    let answer = post.json(&json!({ "type": "ping" })).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{session}");
}
