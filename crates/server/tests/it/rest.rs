//! The REST API: each call's answers and refusals.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tidings_server_core::store::NO_LOG;

use super::harness::{KEY, Server, answered, created, problem, refused, text, text_of};

pub(crate) const NOTIFICATIONS: &str = "/v1/notifications";
pub(crate) const ROOM: &str = "/v1/channels/room:42/messages";

#[expect(clippy::needless_pass_by_value, reason = "callers write it out on the spot")]
pub(crate) fn note(to: Value) -> Value {
    json!({ "to": to, "type": "note", "title": "Hi" })
}

#[tokio::test]
async fn a_publish_to_several_users_is_one_transaction() {
    let server = Server::start().await;
    server.notify("b", "earlier").await;
    let body = note(json!({ "users": ["a", "b"] }));
    let results = created(server.backend(NOTIFICATIONS).json(&body)).await["results"].clone();
    let places: Vec<_> = results
        .as_array()
        .unwrap()
        .iter()
        .map(|stored| (text(&stored["channel"]), stored["offset"].as_u64().unwrap()))
        .collect();
    assert_eq!(places, [("inbox:a".to_owned(), 1), ("inbox:b".to_owned(), 2)]);
    assert_ne!(results[0]["notification_id"], results[1]["notification_id"]);
    // One invalid name: no user gets the notification.
    let body = note(json!({ "users": ["a", "b", ""] }));
    let refusal = refused(server.backend(NOTIFICATIONS).json(&body)).await;
    assert_eq!(refusal, (400, "bad_request".to_owned()));
    assert_eq!(server.notify("a", "next").await["offset"], 2);
    assert_eq!(server.notify("b", "next").await["offset"], 3);
}

#[tokio::test]
async fn a_publish_says_which_field_is_wrong() {
    let server = Server::start().await;
    let cases = [
        ("`to`", json!({ "to": {}, "type": "note", "title": "t" })),
        ("`to`", json!({ "to": { "user": "a", "everyone": true }, "type": "note", "title": "t" })),
        ("`to.users`", note(json!({ "users": [] }))),
        ("`to.users`", note(json!({ "users": ["a", "a"] }))),
        ("`to.user`", note(json!({ "user": "x".repeat(129) }))),
        ("`to.topic`", note(json!({ "topic": "a\nb" }))),
        ("`type`", json!({ "to": { "user": "a" }, "type": "two words", "title": "t" })),
        ("`title`", json!({ "to": { "user": "a" }, "type": "note", "title": "" })),
        (
            "`url`",
            json!({ "to": { "user": "a" }, "type": "note", "title": "t", "url": "javascript:alert(1)" }),
        ),
        ("title", json!({ "to": { "user": "a" }, "type": "note" })),
        ("type", json!({ "to": { "user": "a" }, "type": 7, "title": "t" })),
    ];
    for (field, body) in cases {
        let answer = server.backend(NOTIFICATIONS).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{body}");
        let problem = problem(answer).await;
        assert_eq!(problem["code"], "bad_request");
        // A type error comes from serde, which names line and column instead.
        let detail = text(&problem["detail"]);
        assert!(detail.contains(field) || detail.contains("invalid type"), "{detail}");
    }
}

#[tokio::test]
async fn room_messages_are_published_and_read_by_those_entitled() {
    let server = Server::start().await;
    let token = server.token("mina").await;
    let publish = |number: u64| {
        server.request(Method::POST, ROOM).bearer_auth(&token).json(&json!({ "data": number }))
    };
    for number in 1..=5 {
        let stored = created(publish(number)).await;
        assert_eq!(stored["offset"], number);
    }
    let page = async |query: &str| {
        let request = server.request(Method::GET, &format!("{ROOM}{query}")).bearer_auth(&token);
        let page = answered(request, StatusCode::OK).await;
        assert_eq!((&page["first"], &page["top"]), (&json!(1), &json!(5)));
        let offsets: Vec<_> = page["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| {
                assert_eq!(
                    (&message["type"], &message["from"]["user"]),
                    (&json!("message"), &json!("mina"))
                );
                message["offset"].as_u64().unwrap()
            })
            .collect();
        (offsets, page["more"].as_bool().unwrap())
    };
    assert_eq!(page("").await, (vec![5, 4, 3, 2, 1], false));
    assert_eq!(page("?limit=2").await, (vec![5, 4], true));
    assert_eq!(page("?before=3&limit=10").await, (vec![2, 1], false));
    assert_eq!(page("?after=2&limit=2").await, (vec![3, 4], true));
    assert_eq!(page("?after=1&before=5&limit=2").await, (vec![2, 3], true));
    assert_eq!(page("?after=1&before=4&limit=2").await, (vec![2, 3], false));
    assert_eq!(page("?after=1&before=3&limit=2").await, (vec![2], false));
    assert_eq!(page("?after=9&before=1").await, (vec![], false));
    for query in [
        "?limit=0",
        "?limit=101",
        "?before=x",
        "?after=-1",
        "?after=9007199254740992",
        "?limit=1&limit=2",
    ] {
        let request = server.request(Method::GET, &format!("{ROOM}{query}")).bearer_auth(&token);
        assert_eq!(refused(request).await, (400, "bad_request".to_owned()), "{query}");
    }
    let path = "/v1/channels/room:nothing/messages";
    let empty =
        answered(server.request(Method::GET, path).bearer_auth(&token), StatusCode::OK).await;
    let expected =
        json!({ "epoch": NO_LOG.to_string(), "first": 1, "top": 0, "more": false, "messages": [] });
    assert_eq!(empty, expected);
}

#[tokio::test]
async fn an_inbox_is_paged_over_both_channels() {
    let server = Server::start().await;
    drop(server.connect("mina").await);
    for number in 0..4 {
        server.notify("mina", &format!("own {number}")).await;
        server.notify_to(json!({ "everyone": true }), &format!("all {number}")).await;
    }
    let token = server.token("mina").await;
    let read = async |query: &str| {
        let path = format!("/v1/inbox?{query}");
        answered(server.request(Method::GET, &path).bearer_auth(&token), StatusCode::OK).await
    };
    let titles = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|item| text(&item["data"]["title"])).collect()
    };
    let mut all = Vec::new();
    let mut query = "limit=3".to_owned();
    let mut pages = 0;
    loop {
        let page = read(&query).await;
        all.extend(titles(&page));
        pages += 1;
        assert_eq!(page["counts"]["inbox"]["unread"], 4);
        assert_eq!(page["counts"]["system"]["unread"], 4);
        match page.get("next") {
            Some(next) => query = format!("limit=3&before={}", text(next)),
            None => break,
        }
    }
    assert_eq!(pages, 3);
    let newest_first = ["all 3", "own 3", "all 2", "own 2", "all 1", "own 1", "all 0", "own 0"];
    all.sort_by_key(|title| newest_first.iter().position(|known| known == title));
    assert_eq!(all, newest_first, "each item came once");

    let mark = json!({ "offsets": { "inbox": [1], "system": [1] }, "set": { "archived": true } });
    let request = server.request(Method::POST, "/v1/inbox/marks").bearer_auth(&token).json(&mark);
    let marked = answered(request, StatusCode::OK).await;
    assert_eq!(marked["counts"]["inbox"]["unread"], 3);
    assert_eq!(marked["offset"], 5);
    let count = async |query: &str| titles(&read(query).await).len();
    assert_eq!(count("").await, 6, "archived items are out of sight");
    assert_eq!(count("state=archived").await, 2);
    assert_eq!(count("state=all").await, 8);
    assert_eq!(count("state=unread&type=note").await, 6);
    assert_eq!(count("state=all&type=other").await, 0);
    for query in ["state=x", "limit=0", "limit=101", "before=?", "page=2", "state=all&state=all"] {
        let request =
            server.request(Method::GET, &format!("/v1/inbox?{query}")).bearer_auth(&token);
        assert_eq!(refused(request).await, (400, "bad_request".to_owned()), "{query}");
    }
}

#[tokio::test]
async fn a_backend_reads_the_inbox_of_the_user_it_names() {
    let server = Server::start().await;
    drop(server.connect("mina").await);
    server.notify("mina", "own").await;
    server.notify_to(json!({ "everyone": true }), "all").await;
    server.notify("theo", "another's").await;
    let token = server.token("mina").await;
    let read = |query: &str, credential: &str| {
        server.request(Method::GET, &format!("/v1/inbox?{query}")).bearer_auth(credential)
    };
    let page = answered(read("user=mina", KEY), StatusCode::OK).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    assert_eq!(page, answered(read("", &token), StatusCode::OK).await);
    assert_eq!(page, answered(read("user=mina", &token), StatusCode::OK).await);
    let first = answered(read("user=mina&limit=1", KEY), StatusCode::OK).await;
    assert!(first["next"].is_string(), "{first}");
    // A user without notifications has an empty page. Reading makes no inbox, or the next
    // everyone-message would be an item of it.
    let nina = server.token("nina").await;
    for (query, credential) in [("user=nina", KEY), ("", &nina)] {
        let empty = answered(read(query, credential), StatusCode::OK).await;
        assert_eq!((&empty["items"], &empty["offset"]), (&json!([]), &json!(0)));
        assert_eq!(empty["counts"]["inbox"]["unread"], 0);
    }
    server.notify_to(json!({ "everyone": true }), "before nina came").await;
    drop(server.connect("nina").await);
    let page = answered(read("user=nina", KEY), StatusCode::OK).await;
    assert_eq!(page["items"], json!([]));
    for (query, credential, status, code) in [
        ("", KEY, 400, "bad_request"),
        ("user=", KEY, 400, "bad_request"),
        ("user=a%00b", KEY, 400, "bad_request"),
        ("user=mina&user=theo", KEY, 400, "bad_request"),
        ("user=theo", &token, 403, "user_mismatch"),
    ] {
        let refusal = refused(read(query, credential)).await;
        assert_eq!(refusal, (status, code.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn a_published_message_has_the_id_that_readers_see() {
    let server = Server::start().await;
    let publish =
        || server.backend(ROOM).header("idempotency-key", "m1").json(&json!({ "data": "hello" }));
    let stored = created(publish()).await;
    let token = server.token("mina").await;
    let page =
        answered(server.request(Method::GET, ROOM).bearer_auth(&token), StatusCode::OK).await;
    assert!(!text(&stored["id"]).is_empty());
    assert_eq!(page["messages"][0]["id"], stored["id"]);
    assert_eq!(created(publish()).await, stored, "a repeat answers the same");
}

#[tokio::test]
async fn marks_over_rest_are_heard_on_sockets() {
    let server = Server::start().await;
    let mut socket = server.connect("mina").await;
    server.notify("mina", "one").await;
    socket.hear("notification").await;
    let token = server.token("mina").await;
    let mark = |body: Value| {
        server.request(Method::POST, "/v1/inbox/marks").bearer_auth(&token).json(&body)
    };
    let read = json!({ "up_to": { "inbox": 99 }, "set": { "read": true } });
    let marked = answered(mark(read.clone()), StatusCode::OK).await;
    let received = socket.hear("marked").await;
    assert_eq!((&received["offset"], &received["counts"]), (&marked["offset"], &marked["counts"]));
    assert_eq!(received["up_to"]["inbox"], 1, "clipped to the top");
    let again = answered(mark(read), StatusCode::OK).await;
    assert_eq!(again, marked, "what changes nothing makes no record");
    // The epoch says which log the offsets are of.
    let inbox = server.request(Method::GET, "/v1/inbox").bearer_auth(&token);
    let epoch = answered(inbox, StatusCode::OK).await["epoch"].clone();
    let unread = |epoch: &Value| json!({ "epoch": epoch, "offsets": { "inbox": [1] }, "set": { "read": false } });
    let other = unread(&json!("anOther1"));
    assert_eq!(refused(mark(other)).await, (409, "epoch_mismatch".to_owned()));
    let marked = answered(mark(unread(&epoch)), StatusCode::OK).await;
    assert_eq!(socket.hear("marked").await["offset"], marked["offset"], "it is the next record");
    assert_eq!((&marked["counts"]["inbox"]["unread"], &marked["offset"]), (&json!(1), &json!(3)));
    let bad = [
        json!({ "set": { "read": true } }),
        json!({ "epoch": "no", "up_to": { "inbox": 1 }, "set": { "read": true } }),
        json!({ "up_to": {}, "set": { "read": true } }),
        json!({ "up_to": { "inbox": 1 }, "set": {} }),
        json!({ "offsets": { "inbox": [] }, "set": { "read": true } }),
        json!({ "offsets": { "inbox": [1] }, "up_to": { "inbox": 1 }, "set": { "read": true } }),
    ];
    for body in bad {
        assert_eq!(refused(mark(body.clone())).await, (400, "bad_request".to_owned()), "{body}");
    }
}

#[tokio::test]
async fn pages_of_allowed_origins_may_call() {
    let server =
        Server::with(|config| config.origins = vec!["https://app.example".to_owned()]).await;
    let preflight = |origin: &'static str| {
        server
            .request(Method::OPTIONS, "/v1/inbox/marks")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type")
    };
    for origin in ["https://app.example", "http://localhost:5173"] {
        let answer = preflight(origin).send().await.unwrap();
        assert!(answer.status().is_success());
        assert_eq!(text_of(&answer, "access-control-allow-origin").as_deref(), Some(origin));
        let headers = text_of(&answer, "access-control-allow-headers").unwrap();
        assert!(headers.contains("authorization") && headers.contains("idempotency-key"));
        assert!(text_of(&answer, "access-control-max-age").is_some());
        // CORS never allows cookies here.
        assert_eq!(text_of(&answer, "access-control-allow-credentials"), None);
    }
    let answer = preflight("https://evil.example").send().await.unwrap();
    assert_eq!(text_of(&answer, "access-control-allow-origin"), None);
    // The page can read refusals too.
    let refused = server.request(Method::GET, "/v1/inbox").header("origin", "https://app.example");
    let answer = refused.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        text_of(&answer, "access-control-allow-origin").as_deref(),
        Some("https://app.example")
    );
    let readable = text_of(&answer, "access-control-expose-headers").unwrap();
    assert!(readable.contains("retry-after"), "{readable}: the SDK waits as long as it is told");
}

#[tokio::test]
async fn every_answer_forbids_to_keep_or_leak_it() {
    let server = Server::start().await;
    for path in ["/healthz", "/readyz", "/openapi.json", "/v1/inbox", "/nowhere"] {
        let answer = server.request(Method::GET, path).send().await.unwrap();
        assert_eq!(text_of(&answer, "cache-control").as_deref(), Some("no-store"), "{path}");
        assert_eq!(text_of(&answer, "referrer-policy").as_deref(), Some("no-referrer"), "{path}");
        assert_eq!(
            text_of(&answer, "x-content-type-options").as_deref(),
            Some("nosniff"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_request_id_goes_through_where_it_is_plain() {
    let server = Server::start().await;
    let ask = |id: &'static str| server.request(Method::GET, "/nowhere").header("x-request-id", id);
    let answer = ask("from-the-proxy-1").send().await.unwrap();
    assert_eq!(text_of(&answer, "x-request-id").as_deref(), Some("from-the-proxy-1"));
    assert_eq!(problem(answer).await["request_id"], "from-the-proxy-1");
    let answer = ask("two words").send().await.unwrap();
    assert_ne!(text_of(&answer, "x-request-id").as_deref(), Some("two words"));
}

#[tokio::test]
async fn addresses_and_methods_that_are_not_there_are_problems_too() {
    let server = Server::start().await;
    let get = |path| server.request(Method::GET, path);
    assert_eq!(refused(get("/v1/nothing")).await, (404, "not_found".to_owned()));
    assert_eq!(refused(get(NOTIFICATIONS)).await, (405, "method_not_allowed".to_owned()));
    let answer = get(NOTIFICATIONS).send().await.unwrap();
    assert_eq!(text_of(&answer, "allow").as_deref(), Some("POST"));
}

#[tokio::test]
async fn health_and_metrics_are_served_as_switched() {
    let server = Server::start().await;
    for path in ["/healthz", "/readyz"] {
        let answer = server.request(Method::GET, path).send().await.unwrap();
        assert_eq!(
            (answer.status(), answer.text().await.unwrap().as_str()),
            (StatusCode::OK, "ok\n")
        );
    }
    let server = Server::with(|config| config.metrics = false).await;
    assert_eq!(refused(server.request(Method::GET, "/metrics")).await.0, 404);
}
