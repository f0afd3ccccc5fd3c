//! An app sees the same over each transport.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};
use tidings_client::{
    ChannelStatus, Client, Status,
    TransportKind::{self, Poll, Sse, Ws},
};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    listener::Listener,
    proxy::{nested, shipped},
    world::{Backend, World, patiently},
};

macro_rules! over_each_transport {
    ($($scenario:ident)*) => { $(
        mod $scenario {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn ws() {
                super::$scenario(super::Ws).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sse() {
                super::$scenario(super::Sse).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn poll() {
                super::$scenario(super::Poll).await;
            }
        }
    )* };
}

over_each_transport! {
    catches_up_with_more_than_one_answer_holds
    follows_the_inbox_and_marks_it
    goes_on_where_it_was_after_kill_9
    goes_on_through_the_shipped_nginx
    is_found_under_a_path
    is_sent_away_before_a_restart_and_comes_back
    joins_as_many_rooms_as_it_likes
    leaves_a_room_and_makes_room_for_another
    outlives_its_first_credential
    says_what_is_wrong_with_a_credential
    stops_when_it_is_revoked
    talks_in_rooms
}

async fn follows_the_inbox_and_marks_it(kind: TransportKind) {
    let world = World::begin().await;
    world.backend.notify("before").await;
    let listener = Listener::open(world.client().transports([kind])).await;
    assert_eq!(listener.client.connection().transport, Some(kind));
    assert_eq!(listener.client.inbox().snapshot().unread, 1, "with the snapshot");

    world.backend.notify("one").await;
    world.backend.notify("two").await;
    listener.hear("two").await;
    let inbox = listener.client.inbox();
    assert_eq!(inbox.snapshot().unread, 3);
    let id = inbox.snapshot().items[0].id.to_string();
    patiently("a mark", inbox.mark_read([id.as_str()])).await.unwrap();
    assert_eq!(world.backend.stored().await.1, 2, "the server has the mark");
    patiently("a mark", inbox.mark_all_read()).await.unwrap();
    assert_eq!(world.backend.stored().await.1, 0);
    let unknown = patiently("a refusal", inbox.mark_read(["nothing"])).await.unwrap_err();
    assert_eq!(unknown.code, "not_found");
    assert_eq!(listener.interruptions(), 0);
    assert_eq!(listener.close().await, ["one", "two", "failed: not_found"]);
}

async fn goes_on_where_it_was_after_kill_9(kind: TransportKind) {
    let mut world = World::begin().await;
    let listener = Listener::open(world.client().transports([kind])).await;
    let crowd = Crowd::gather(&world.backend);
    for _ in 0..6 {
        crowd.acknowledged(40).await;
        world.kill_and_restart().await;
    }
    crowd.acknowledged(40).await;
    crowd.disperse().await;
    world.backend.notify("last").await;
    listener.hear("last").await;
    listener.live().await;
    let (stored, unread) = world.backend.stored().await;
    assert_eq!(listener.client.inbox().snapshot().unread, unread);
    assert_eq!(listener.close().await, stored, "each once and in order");
}

async fn catches_up_with_more_than_one_answer_holds(kind: TransportKind) {
    let world = World::begin().await;
    let listener = Listener::open(world.client().transports([kind])).await;
    world.backend.notify("before").await;
    listener.hear("before").await;
    listener.client.disconnect().await.unwrap();
    listener.until(|connection| connection.status == Status::Idle).await;
    for number in 0..60 {
        world.backend.notify_long(&format!("{number}"), 8 << 10).await;
    }
    listener.client.connect().await.unwrap();
    world.backend.notify("last").await;
    listener.hear("last").await;
    assert_eq!(world.backend.asked(), 2, "one connection each time");
    assert_eq!(listener.close().await, world.backend.stored().await.0);
}

async fn talks_in_rooms(kind: TransportKind) {
    let world = World::begin().await;
    for number in 0..60 {
        world.backend.say("room:open1", &json!(number)).await;
    }
    let listener = Listener::open(world.client().transports([kind])).await;
    let one = listener.join("room:open1").await;
    let mut changes = one.changes();
    let shown = changes.wait_for(|view| view.messages.len() == 50 && view.has_more);
    drop(patiently("the newest messages", shown).await.unwrap());
    patiently("a page", one.load_more()).await.unwrap();
    assert_eq!(one.snapshot().messages.len(), 60);

    let room = listener.client.channel("room:open1").unwrap();
    let stored = patiently("an answer", room.publish("mine")).await.unwrap();
    assert_eq!((stored.channel.as_str(), stored.offset), ("room:open1", 61));
    world.backend.notify("between").await;
    listener.hear("between").await;
    let _two = listener.join("room:open2").await;
    world.backend.say("room:open2", &json!("two")).await;
    world.backend.say("room:open1", &json!("one")).await;

    // A forbidden channel is refused, and does not disturb the others.
    let forbidden = listener.client.channel("room:forbidden").unwrap();
    let shut = forbidden.subscribe().await.unwrap();
    let mut changes = shut.changes();
    let refused = changes.wait_for(|view| view.status == ChannelStatus::Refused);
    drop(patiently("a refusal", refused).await.unwrap());
    assert_eq!(shut.snapshot().error.unwrap().code, "forbidden");
    drop(shut);
    let all: Vec<_> = (0..20).map(|number| json!({ "n": number })).collect();
    let publishing = futures_util::future::join_all(all.iter().map(|data| room.publish(data)));
    for stored in patiently("answers", publishing).await {
        stored.unwrap();
    }
    world.backend.notify("last").await;
    listener.hear("last").await;
    listener.hear(r#"room:open1: {"n":19}"#).await;
    listener.hear(r#"room:open2: "two""#).await;
    assert_eq!(listener.interruptions(), 0, "channels come and go without a new connection");
    let received = listener.close().await;
    let of = |what: &str| -> Vec<String> {
        received.iter().filter_map(|word| word.strip_prefix(what)).map(String::from).collect()
    };
    assert_eq!(of("room:open2: "), ["\"two\""]);
    let mine = (0..20).map(|number| format!("{{\"n\":{number}}}"));
    let expected: Vec<_> =
        ["\"mine\"", "\"one\""].into_iter().map(String::from).chain(mine).collect();
    assert_eq!(of("room:open1: "), expected, "once and in order");
}

async fn joins_as_many_rooms_as_it_likes(kind: TransportKind) {
    let world = World::begin().await;
    let listener = Listener::open(world.client().transports([kind])).await;
    // More channels than one URL may name.
    let rooms: Vec<_> = (0..45).map(|number| format!("room:open{number}")).collect();
    let joining = rooms.iter().map(|room| listener.join(room));
    let _joined = futures_util::future::join_all(joining).await;
    for room in &rooms {
        world.backend.say(room, &Value::from(room.as_str())).await;
    }
    for room in &rooms {
        listener.hear(&format!("{room}: \"{room}\"")).await;
    }
    assert_eq!(listener.interruptions(), 0);
    assert_eq!(listener.close().await.len(), rooms.len(), "each once");
}

async fn leaves_a_room_and_makes_room_for_another(kind: TransportKind) {
    // Inbox, `system:all`, and one more.
    let world = World::with([("TIDINGS_LIMITS_SUBSCRIPTIONS", "3")]).await;
    let listener = Listener::open(world.client().transports([kind])).await;
    let one = listener.join("room:open1").await;
    let two = listener.client.channel("room:open2").unwrap().subscribe().await.unwrap();
    let mut changes = two.changes();
    let refused = changes.wait_for(|view| view.status == ChannelStatus::Refused);
    drop(patiently("a refusal", refused).await.unwrap());
    assert_eq!(two.snapshot().error.unwrap().code, "subscriptions");
    world.backend.say("room:open1", &json!("still")).await;
    listener.hear("room:open1: \"still\"").await;
    drop(one);
    let live = changes.wait_for(|view| view.status == ChannelStatus::Live);
    drop(patiently("the other room", live).await.unwrap());
    world.backend.say("room:open1", &json!("unheard")).await;
    world.backend.say("room:open2", &json!("heard")).await;
    listener.hear("room:open2: \"heard\"").await;
    assert_eq!(listener.interruptions(), 0);
    assert_eq!(listener.close().await, ["room:open1: \"still\"", "room:open2: \"heard\""]);
}

async fn outlives_its_first_credential(kind: TransportKind) {
    let world = World::with([
        ("TIDINGS_LIMITS_SESSION_MS", "5000"),
        ("TIDINGS_LIMITS_EXPIRING_MS", "3000"),
        ("TIDINGS_LIMITS_GRACE_MS", "200"),
    ])
    .await;
    let listener = Listener::open(world.client().transports([kind])).await;
    let _room = listener.join("room:open1").await;
    for refreshes in 1..=3 {
        patiently("a refresh", async {
            while world.backend.asked() <= refreshes {
                tokio::task::yield_now().await;
            }
        })
        .await;
        world.backend.notify(&format!("{refreshes}")).await;
        world.backend.say("room:open1", &json!(refreshes)).await;
        listener.hear(&format!("{refreshes}")).await;
        listener.hear(&format!("room:open1: {refreshes}")).await;
    }
    let room = listener.client.channel("room:open1").unwrap();
    patiently("an answer", room.publish("up")).await.unwrap();
    listener.hear("room:open1: \"up\"").await;
    assert_eq!(listener.interruptions(), 0, "refreshed in band");
    assert_eq!(listener.close().await.len(), 7, "each once");
}

async fn is_sent_away_before_a_restart_and_comes_back(kind: TransportKind) {
    let mut world = World::begin().await;
    let listener = Listener::open(world.client().transports([kind])).await;
    for round in 0..3 {
        world.backend.notify(&format!("{round}")).await;
        listener.hear(&format!("{round}")).await;
        // The drain ends when all connections have ended.
        patiently("the server's end", world.server.drain()).await;
        world.restart().await;
    }
    world.backend.notify("last").await;
    listener.hear("last").await;
    assert_eq!(listener.close().await, ["0", "1", "2", "last"]);
}

async fn stops_when_it_is_revoked(kind: TransportKind) {
    let world = World::begin().await;
    let listener = Listener::open(world.client().transports([kind])).await;
    world.backend.notify("before").await;
    listener.hear("before").await;
    world.backend.sign_out();
    world.backend.revoke().await;
    listener.until(|connection| connection.status == Status::SignedOut).await;
    world.backend.notify("after").await;
    assert_eq!(listener.close().await, ["before"]);
}

async fn says_what_is_wrong_with_a_credential(kind: TransportKind) {
    let world = World::begin().await;
    let wrong = "tk_0000000000000000000000000000000000000000";
    let client = Client::builder(world.server.url())
        .ticket(move || async move { String::from(wrong) })
        .transports([kind])
        .build()
        .unwrap();
    let mut changes = client.connection_changes();
    let failed = changes.wait_for(|connection| connection.error.is_some());
    let error = patiently("the refusal", failed).await.unwrap().error.clone().unwrap();
    assert_eq!(error.code, "ticket_invalid", "{error}");
    assert!(!error.to_string().contains(wrong), "{error}");
    assert!(client.explain().await.contains(&error.message), "{}", client.explain().await);
}

async fn is_found_under_a_path(kind: TransportKind) {
    let world = World::begin().await;
    let nginx = nested("/rt/", &world.server.url());
    let url = format!("{}/rt", nginx.url());
    let listener = Listener::open(world.backend.client(&url).transports([kind])).await;
    world.backend.notify("one").await;
    listener.hear("one").await;
    patiently("a mark", listener.client.inbox().mark_all_read()).await.unwrap();
    assert_eq!(listener.close().await, ["one"]);
}

async fn goes_on_through_the_shipped_nginx(kind: TransportKind) {
    let mut world = World::begin().await;
    let nginx = shipped(&world.server.url());
    let listener = Listener::open(world.backend.client(&nginx.url()).transports([kind])).await;
    let _room = listener.join("room:open1").await;
    for round in 0..3 {
        world.backend.notify(&format!("{round}")).await;
        listener.hear(&format!("{round}")).await;
        let room = listener.client.channel("room:open1").unwrap();
        patiently("an answer", room.publish(&round)).await.unwrap();
        listener.hear(&format!("room:open1: {round}")).await;
        world.kill_and_restart().await;
    }
    world.backend.notify("last").await;
    listener.hear("last").await;
    assert_eq!(listener.close().await.len(), 7, "each once");
}

/// Publishers that go on while the server is killed.
struct Crowd {
    publishers: JoinSet<()>,
    stop: Arc<AtomicBool>,
    acknowledged: watch::Sender<u64>,
}

impl Crowd {
    fn gather(backend: &Backend) -> Self {
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), watch::Sender::new(0));
        let mut publishers = JoinSet::new();
        for publisher in 0..8 {
            let (backend, stop) = (backend.clone(), Arc::clone(&stop));
            let acknowledged = acknowledged.clone();
            publishers.spawn(async move {
                for number in 0_u64.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    backend.notify(&format!("{publisher}-{number}")).await;
                    acknowledged.send_modify(|count| *count += 1);
                }
            });
        }
        Self { publishers, stop, acknowledged }
    }

    /// Waits until this many more are stored; all others are in flight then.
    async fn acknowledged(&self, more: u64) {
        let mut acknowledged = self.acknowledged.subscribe();
        let goal = *acknowledged.borrow() + more;
        drop(patiently("publishes", acknowledged.wait_for(|count| *count >= goal)).await.unwrap());
    }

    async fn disperse(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = patiently("the publishers' ends", self.publishers.join_next()).await
        {
            ended.unwrap();
        }
    }
}
