//! Kills the client, the server, or both: persisted intents are stored once and in order.

use serde_json::{Value, json};

use crate::{
    author::Author,
    world::{World, everything, patiently},
};

/// The number in the newest row on disk.
fn kept(world: &World) -> Option<u64> {
    let lanes = std::fs::read_dir(world.state.0.join("outbox").join("mina")).ok()?;
    let text: String = lanes
        .filter_map(Result::ok)
        .filter_map(|lane| std::fs::read_to_string(lane.path()).ok())
        .collect();
    let (_, data) = text.rsplit_once(r#"data\":"#)?;
    data.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_a_client_loses_and_doubles_nothing() {
    let world = World::begin().await;
    let url = world.server.url();
    let mut answered = Vec::new();
    for life in 0..12 {
        let author = Author::start(&url, &world.state.0, life * LIFE, u64::MAX);
        // Some processes are killed right after an attempt began, some after an answer; some early,
        // some late.
        for _ in 0..=life * 3 {
            let word = if life % 2 == 0 { "trying" } else { "stored" };
            let number = author.until(word);
            if word == "stored" {
                answered.push(number);
            }
        }
    }
    let last = 12 * LIFE;
    let author = Author::start(&url, &world.state.0, last, last + 1);
    author.until("empty");
    drop(author);
    let numbers = numbers(&world).await;
    assert!(numbers.is_sorted_by(|a, b| a < b), "in order and once: {numbers:?}");
    assert_eq!(numbers.last(), Some(&last));
    for answered in answered {
        assert!(numbers.contains(&answered), "{answered} was stored, and is not there");
    }
    for number in &numbers {
        let first = number % LIFE == 0;
        assert!(first || numbers.contains(&(number - 1)), "{number} overtook the one before it");
    }
}

/// The distance between the numbers of one author process and the next.
const LIFE: u64 = 1_000_000;

async fn numbers(world: &World) -> Vec<u64> {
    world.log("room:1").await.iter().map(|data| data.as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_kept_offline_is_sent_by_the_next_process() {
    let mut world = World::begin().await;
    let url = world.server.url();
    // One publish is answered first: then the author is connected and holds its lane.
    let author = Author::start(&url, &world.state.0, 0, u64::MAX);
    author.until("stored");
    world.server.kill();
    world.server.bury();
    // The next publish can't be answered and is on disk: kills the client now.
    patiently("a kept row", async {
        while kept(&world).is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let kept = kept(&world).unwrap();
    drop(author);
    let http = world.http.clone();
    world.server.start(&http).await;
    let before = numbers(&world).await;
    let author = Author::start(&url, &world.state.0, LIFE, LIFE + 1);
    author.until("empty");
    drop(author);
    let after = numbers(&world).await;
    // The server may have stored it before the kill, so that only the answer is missing.
    let left = Some(kept).filter(|kept| !before.contains(kept));
    let expected: Vec<_> = before.into_iter().chain(left).chain([LIFE]).collect();
    assert_eq!(after, expected, "what was left, then what is new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_midway_is_told_again_and_stores_once() {
    let mut world = World::begin().await;
    let client = world.client("mina", &everything()).state(&world.state.0).build().unwrap();
    let room = client.channel("room:1").unwrap();
    let mut calls = tokio::task::JoinSet::new();
    let http = world.http.clone();
    for round in 0..5_u64 {
        for number in 0..40 {
            let room = room.clone();
            calls.spawn(async move { room.publish(&(round * 40 + number)).await.map(|_| ()) });
        }
        // Between the first answer and the last.
        patiently("an answer", calls.join_next()).await.unwrap().unwrap().unwrap();
        world.server.kill();
        world.server.bury();
        world.server.start(&http).await;
    }
    while let Some(answer) = patiently("all answers", calls.join_next()).await {
        answer.unwrap().unwrap();
    }
    let mut numbers = numbers(&world).await;
    numbers.sort_unstable();
    assert_eq!(numbers, (0..200).collect::<Vec<_>>(), "each once");
}

#[tokio::test]
async fn a_refusal_in_the_middle_outlives_the_process_and_holds_nothing_up() {
    let world = World::begin().await;
    let only = json!([{ "pattern": "room:1", "allow": ["publish"] }]);
    let build = || world.client("mina", &only).state(&world.state.0).build().unwrap();
    let client = build();
    let (good, bad) = (client.channel("room:1").unwrap(), client.channel("room:2").unwrap());
    let (one, two, three) = patiently("answers", async {
        tokio::join!(good.publish("a"), bad.publish("b"), good.publish("c"))
    })
    .await;
    assert!(one.is_ok() && three.is_ok());
    assert_eq!(two.unwrap_err().code, "forbidden");
    client.close().await;

    let client = build();
    let mut outbox = client.outbox().changes();
    patiently("the refusal", outbox.wait_for(|view| view.failed.len() == 1)).await.unwrap();
    let failed = client.outbox().snapshot().failed[0].clone();
    assert_eq!((failed.channel.as_str(), &*failed.error.code), ("room:2", "forbidden"));
    assert_eq!(client.outbox().snapshot().pending, 0);
    client.outbox().discard(failed.id).await.unwrap();
    patiently("no refusal", outbox.wait_for(|view| view.failed.is_empty())).await.unwrap();
    client.close().await;

    let client = build();
    let good = client.channel("room:1").unwrap();
    patiently("an answer", good.publish("d")).await.unwrap();
    assert!(client.outbox().snapshot().failed.is_empty(), "thrown away for good");
    let log = world.log("room:1").await;
    assert_eq!(log, ["a", "c", "d"].map(Value::from));
}
