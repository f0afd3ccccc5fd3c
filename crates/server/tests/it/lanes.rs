//! How many lanes a user has: over all entrances, over nodes, and beside others.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use http::{Method, StatusCode};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::{
    budgets::{Attacked, HONEST},
    harness::{Server, Socket, answered, created, problem, text, text_of, within},
    postgres,
};

const ROOM: &str = "/v1/channels/room:1/messages";

fn publish(client_id: &str, seq: u64) -> Value {
    json!({ "data": client_id, "client_id": client_id, "seq": seq })
}

/// Whether it was stored; one lane too many names the cure and when to come again.
async fn stored(request: RequestBuilder) -> bool {
    let answer = request.send().await.unwrap();
    if answer.status() == StatusCode::CREATED {
        return true;
    }
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(text_of(&answer, "retry-after"), Some("60".to_owned()));
    is_full(&problem(answer).await);
    false
}

/// It is one lane too many, and says what to do.
fn is_full(refusal: &Value) {
    assert_eq!(refusal["code"], "full", "{refusal}");
    let words = refusal.get("detail").unwrap_or_else(|| &refusal["message"]);
    for word in ["limits.user_lanes", "client_id"] {
        assert!(text(words).contains(word), "{refusal}");
    }
}

/// Opens lanes by a socket, with what needs no right; how many of them there are.
async fn voids_by_socket(socket: &mut Socket, count: usize) -> usize {
    let mut taken = 0;
    for number in 0..count {
        let void = json!({ "type": "void", "client_id": format!("socket{number}"), "seq": 1 });
        socket.say(void).await;
        match socket.next().await {
            ack if ack["type"] == "ack" => taken += 1,
            error => {
                is_full(&error);
                assert_eq!((&error["retry"], &error["seq"]), (&json!("backoff"), &json!(1)));
            }
        }
    }
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn one_users_lanes_are_bounded_over_all_entrances_and_a_hundred_others_are_served() {
    const LANES: usize = 20;
    let server = Attacked::start(&format!("user_lanes = {LANES}"));
    let (mut socket, session, token) = server.enter("mina").await;
    let of = |token: &str, body: Value| server.request(Method::POST, ROOM, token).json(&body);
    let first = created(of(&token, publish("first", 1))).await;
    let taken = AtomicUsize::new(1);
    let by_rest = async {
        for number in 0..60 {
            if stored(of(&token, publish(&format!("rest{number}"), 1))).await {
                taken.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let by_posts = async {
        for number in 0..60 {
            let void = json!({ "type": "void", "client_id": format!("post{number}"), "seq": 1 });
            let path = format!("/v1/sessions/{session}/messages");
            let post = server.request(Method::POST, &path, &token).json(&void);
            match answered(post, StatusCode::OK).await {
                ack if ack["type"] == "ack" => _ = taken.fetch_add(1, Ordering::Relaxed),
                error => is_full(&error),
            }
        }
    };
    let by_socket = async {
        let lanes = voids_by_socket(&mut socket, 60).await;
        taken.fetch_add(lanes, Ordering::Relaxed);
    };
    let honest = join_all((0..HONEST).map(async |number| {
        let token = server.enter(&format!("lea{number}")).await.2;
        for seq in 1..=3 {
            created(of(&token, publish("page", seq))).await;
        }
    }));
    let attack = async { tokio::join!(by_rest, by_posts, by_socket) };
    tokio::join!(attack, within("honest users with lanes", honest), server.hundred());
    assert_eq!(taken.into_inner(), LANES, "of 181 lanes by three ways");
    // A lane that holds a publish makes no room: its repeat is a repeat, and it goes on.
    let repeat = of(&token, publish("first", 1)).send().await.unwrap();
    assert_eq!(text_of(&repeat, "idempotency-replayed"), Some("true".to_owned()));
    assert_eq!(repeat.json::<Value>().await.unwrap(), first);
    created(of(&token, publish("first", 2))).await;
    // Whoever has no lane left publishes without one.
    created(of(&token, json!({ "data": 1 }))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_lanes_are_bounded_over_two_nodes() {
    const LANES: usize = 24;
    let url = postgres::server().database();
    let start = async || {
        let url = url.clone();
        Server::with(move |config| {
            config.store.url.0 = url;
            config.limits.user_lanes = LANES as u64;
        })
        .await
    };
    let (one, two) = (start().await, start().await);
    let token = one.token("mina").await;
    let asks = (0..80).map(async |number| {
        let node = if number % 2 == 0 { &one } else { &two };
        let request = node.request(Method::POST, ROOM).bearer_auth(&token);
        stored(request.json(&publish(&format!("lane{number}"), 1))).await
    });
    let taken = within("the publishes", join_all(asks)).await;
    assert_eq!(taken.iter().filter(|taken| **taken).count(), LANES);
}
