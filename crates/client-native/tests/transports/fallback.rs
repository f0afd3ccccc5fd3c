//! Which transport the client uses, through networks that let only some of them through.

use std::time::Duration;

use serde_json::json;
use tidings_backing::Nginx;
use tidings_client::{
    Status,
    TransportKind::{Poll, Sse, Ws},
};

use crate::{
    listener::Listener,
    proxy::{buffering, impatient, open, plain, shipped, streamless},
    world::{World, patiently},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn takes_the_stream_where_no_websocket_is_let_through() {
    let world = World::begin().await;
    let nginx = Nginx::start("", &plain(&world.server.url()));
    let listener = Listener::open(world.backend.client(&nginx.url())).await;
    assert_eq!(listener.client.connection().transport, Some(Sse));
    world.backend.notify("one").await;
    listener.hear("one").await;
    patiently("a mark", listener.client.inbox().mark_all_read()).await.unwrap();
    assert_eq!(listener.close().await, ["one"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_where_streams_are_held_back() {
    let world = World::begin().await;
    let nginx = Nginx::start("", &buffering(&world.server.url()));
    let listener = Listener::open(world.backend.client(&nginx.url())).await;
    assert_eq!(listener.client.connection().transport, Some(Poll));
    world.backend.notify("one").await;
    listener.hear("one").await;
    patiently("a mark", listener.client.inbox().mark_all_read()).await.unwrap();
    assert_eq!(listener.close().await, ["one"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaves_what_is_sent_elsewhere_or_answered_by_somebody_else() {
    let world = World::begin().await;
    let answers = [
        "return 302 http://127.0.0.1:1/;",
        "return 200 \"<html>sign in</html>\";",
        "default_type text/event-stream; return 200 \"data: hello\\n\\n\";",
        "return 403;",
        "return 404;",
        "return 502;",
    ];
    for answer in answers {
        let rest = plain(&world.server.url());
        let sse = format!("location = /v1/sse {{ {answer} }}\n{rest}");
        let nginx = Nginx::start("", &sse);
        let listener = Listener::open(world.backend.client(&nginx.url())).await;
        assert_eq!(listener.client.connection().transport, Some(Poll), "{answer}");
        drop(listener);

        // The other way round, and the upgrade once the network allows it.
        let poll = format!("location = /v1/poll {{ {answer} }}\n{rest}");
        let mut nginx = Nginx::start("", &poll);
        let transports = [Poll, Sse];
        let client = world.backend.client(&nginx.url()).transports(transports);
        let listener = Listener::open(client.upgrade_after(Duration::from_secs(1))).await;
        assert_eq!(listener.client.connection().transport, Some(Sse), "{answer}");
        let asked = world.backend.asked();
        nginx.configure("", &rest);
        listener.over(Poll).await;
        world.backend.notify(answer).await;
        listener.hear(answer).await;
        assert_eq!((world.backend.asked(), listener.interruptions()), (asked, 0), "{answer}");
        drop(listener);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upgrades_again_and_the_app_sees_nothing_else() {
    let world = World::begin().await;
    let target = world.server.url();
    for (below, network) in [(Sse, plain(&target)), (Poll, streamless(&target))] {
        let mut nginx = Nginx::start("", &network);
        let builder = world.backend.client(&nginx.url()).upgrade_after(Duration::from_secs(1));
        let listener = Listener::open(builder).await;
        listener.over(below).await;
        let room = listener.join("room:open1").await;
        let (asked, before) = (world.backend.asked(), world.backend.stored().await.0.len());
        let publishing = tokio::spawn({
            let (backend, kind) = (world.backend.clone(), format!("{below:?}"));
            async move {
                for number in 0..400 {
                    backend.notify(&format!("{kind} {number}")).await;
                    backend.say("room:open1", &json!(number)).await;
                }
            }
        });
        listener.hear(&format!("{below:?} 10")).await;
        nginx.configure("", &open(&target));
        listener.over(Ws).await;
        let channel = listener.client.channel("room:open1").unwrap();
        let mine = patiently("an answer", channel.publish("mine")).await.unwrap();
        patiently("all publishes", publishing).await.unwrap();
        world.backend.notify(&format!("{below:?} last")).await;
        listener.hear(&format!("{below:?} last")).await;
        listener.hear("room:open1: 399").await;
        assert_eq!((world.backend.asked(), listener.interruptions()), (asked, 0));
        assert_eq!(listener.client.connection().status, Status::Connected);
        let shown = room.snapshot().messages;
        assert!(shown.iter().any(|message| message.offset == Some(mine.offset)));
        let received = listener.close().await;
        let (sent, notified): (Vec<_>, Vec<_>) =
            received.into_iter().partition(|word| word.starts_with("room:"));
        assert_eq!(notified, world.backend.stored().await.0[before..], "each once and in order");
        let mut numbers = sent.iter().filter(|word| !word.contains("mine"));
        for number in 0..400 {
            assert_eq!(numbers.next(), Some(&format!("room:open1: {number}")));
        }
        assert_eq!((numbers.next(), sent.len()), (None, 401));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comes_back_to_the_best_after_the_server_was_away() {
    let mut world = World::begin().await;
    let nginx = shipped(&world.server.url());
    let listener =
        Listener::open(world.backend.client(&nginx.url()).upgrade_after(Duration::from_secs(6)))
            .await;
    assert_eq!(listener.client.connection().transport, Some(Ws));
    world.server.kill();
    world.server.bury();
    // A server that is down looks like a network that lets nothing through: the client tries every
    // transport.
    listener.until(|connection| connection.attempt >= 5).await;
    world.restart().await;
    listener.over(Ws).await;
    world.backend.notify("last").await;
    listener.hear("last").await;
    assert_eq!(listener.close().await, ["last"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stays_on_the_websocket_of_an_impatient_proxy_with_a_shorter_heartbeat() {
    const SENT: &str = "tidings_frames_received_total{transport=\"ws\"}";
    let world = World::begin().await;
    let nginx = impatient(&world.server.url(), 3);
    let listener = Listener::open(world.backend.client(&nginx.url())).await;
    // After two cuts at the same length of silence, the client knows the limit and pings more often
    // than the server asks for.
    patiently("a connection with pings", async {
        loop {
            let (asked, sent) = (world.backend.asked(), world.backend.figure(SENT).await);
            // `connect` counts as one message.
            while world.backend.asked() == asked {
                if world.backend.figure(SENT).await >= sent + 4.0 {
                    return;
                }
            }
        }
    })
    .await;
    world.backend.notify("last").await;
    listener.hear("last").await;
    assert_eq!(listener.client.connection().transport, Some(Ws));
    assert_eq!(listener.close().await, ["last"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_wait_no_longer_than_an_impatient_proxy() {
    let world = World::begin().await;
    let nginx = impatient(&world.server.url(), 3);
    let listener = Listener::open(world.backend.client(&nginx.url()).transports([Poll])).await;
    // The call is logged when it is answered.
    patiently("a shorter call", async {
        while !nginx.access_log().contains("poll?wait=1") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    world.backend.notify("last").await;
    listener.hear("last").await;
    assert_eq!(listener.close().await, ["last"]);
}
