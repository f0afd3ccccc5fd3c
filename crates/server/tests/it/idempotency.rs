//! Harmless repeats over REST: idempotency keys and lanes.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    harness::{Process, Server, created, problem, refused, text_of},
    rest::{NOTIFICATIONS, ROOM, note},
};

#[tokio::test]
async fn a_repeat_with_the_same_key_answers_the_first_answer() {
    let server = Server::start().await;
    let send = |path: &'static str, body: Value| {
        server.backend(path).header("idempotency-key", "order-17").json(&body)
    };
    for (path, body) in
        [(NOTIFICATIONS, note(json!({ "user": "mina" }))), (ROOM, json!({ "data": 1 }))]
    {
        let key = format!("key of {path}");
        let send = |body: &Value| server.backend(path).header("idempotency-key", &key).json(body);
        let first = send(&body).send().await.unwrap();
        assert_eq!(
            (first.status(), text_of(&first, "idempotency-replayed")),
            (StatusCode::CREATED, None)
        );
        let first: Value = first.json().await.unwrap();
        let again = send(&body).send().await.unwrap();
        assert_eq!(text_of(&again, "idempotency-replayed").as_deref(), Some("true"), "{path}");
        assert_eq!(again.status(), StatusCode::CREATED);
        assert_eq!(again.json::<Value>().await.unwrap(), first);
        let mut other = body.clone();
        other["data"] = json!("another");
        let mismatch = (422, "idempotency_mismatch".to_owned());
        assert_eq!(refused(send(&other)).await, mismatch, "{path}");
        let next = created(server.backend(path).json(&body)).await;
        let offset = next["results"][0].get("offset").unwrap_or_else(|| &next["offset"]).clone();
        assert_eq!(offset, 2, "neither the repeat nor the refusal made a record");
    }
    // The same key and body for another path is another request.
    created(send("/v1/channels/room:1/messages", json!({ "data": 1 }))).await;
    let elsewhere = refused(send("/v1/channels/room:2/messages", json!({ "data": 1 }))).await;
    assert_eq!(elsewhere, (422, "idempotency_mismatch".to_owned()));
}

#[tokio::test]
async fn a_refused_publish_leaves_its_key_free() {
    let server = Server::start().await;
    let send =
        |body: &Value| server.backend(NOTIFICATIONS).header("idempotency-key", "k").json(body);
    assert_eq!(refused(send(&note(json!({})))).await.0, 400);
    created(send(&note(json!({ "user": "mina" })))).await;
}

#[tokio::test]
async fn a_key_belongs_to_its_credential() {
    let server = Server::start().await;
    let body = json!({ "data": 1 });
    for user in ["mina", "tom"] {
        let token = server.token(user).await;
        let request = server.request(Method::POST, ROOM).bearer_auth(token);
        let answer = request.header("idempotency-key", "k").json(&body).send().await.unwrap();
        assert_eq!(
            (answer.status(), text_of(&answer, "idempotency-replayed")),
            (StatusCode::CREATED, None)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_with_one_key_make_one_record() {
    let server = std::sync::Arc::new(Server::start().await);
    let body = note(json!({ "user": "mina" }));
    let requests: Vec<_> = (0..30)
        .map(|_| {
            let request = server.backend(NOTIFICATIONS).header("idempotency-key", "k").json(&body);
            tokio::spawn(request.send())
        })
        .collect();
    let mut offsets = Vec::new();
    for request in requests {
        let answer = request.await.unwrap().unwrap();
        match answer.status() {
            StatusCode::CREATED => {
                let body: Value = answer.json().await.unwrap();
                offsets.push(body["results"][0]["offset"].as_u64().unwrap());
            }
            status => {
                assert_eq!(status, StatusCode::CONFLICT);
                assert_eq!(text_of(&answer, "retry-after").as_deref(), Some("1"));
                assert_eq!(problem(answer).await["code"], "idempotency_in_flight");
            }
        }
    }
    assert!(!offsets.is_empty() && offsets.iter().all(|offset| *offset == 1), "{offsets:?}");
    assert_eq!(server.notify("mina", "next").await["offset"], 2);
}

#[tokio::test]
async fn a_key_survives_a_restart() {
    let folder = tempfile::TempDir::new().unwrap();
    let body = note(json!({ "user": "mina" }));
    let send = |server: &Process, body: &Value| {
        server.backend(NOTIFICATIONS).header("idempotency-key", "k").json(body)
    };
    let server = Process::start(folder.path());
    let first = created(send(&server, &body)).await;
    server.terminate();
    server.gone().await;
    let server = Process::start(folder.path());
    let again = send(&server, &body).send().await.unwrap();
    assert_eq!(text_of(&again, "idempotency-replayed").as_deref(), Some("true"));
    assert_eq!(again.json::<Value>().await.unwrap(), first);
    let other = note(json!({ "user": "tom" }));
    assert_eq!(refused(send(&server, &other)).await.0, 422);
}

#[tokio::test]
async fn a_lane_over_rest_stores_once_and_refuses_holes() {
    let server = Server::start().await;
    let token = server.token("mina").await;
    let publish = |seq: u64| {
        let body = json!({ "data": seq, "client_id": "lane", "seq": seq });
        server.request(Method::POST, ROOM).bearer_auth(&token).json(&body)
    };
    let first = created(publish(1)).await;
    assert_eq!(created(publish(1)).await, first);
    assert_eq!(refused(publish(3)).await, (409, "sequence".to_owned()));
    assert_eq!(created(publish(2)).await["offset"], 2);
    let lonely = json!({ "data": 1, "seq": 1 });
    let lonely = server.request(Method::POST, ROOM).bearer_auth(&token).json(&lonely);
    assert_eq!(refused(lonely).await, (400, "bad_request".to_owned()));
    let backend = server.backend(ROOM).json(&json!({ "data": 1, "client_id": "lane", "seq": 1 }));
    assert_eq!(refused(backend).await, (400, "bad_request".to_owned()));
}
