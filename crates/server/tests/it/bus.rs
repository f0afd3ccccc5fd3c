//! The contract of every bus: each message arrives, or the bus reports that some may be lost.

use std::{
    collections::BTreeSet,
    sync::{Arc, mpsc},
    time::Duration,
};

use tidings_protocol::{Channel, Epoch};
use tidings_server::bus::{Bus, BusEvent, BusMessage, Exchange, Redis};
use tidings_server_core::{hub::Hint, leases::ConnectionId};

/// Time after which a wait counts as failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A node's bus, and its received events.
struct Node {
    bus: Arc<dyn Bus>,
    received: mpsc::Receiver<BusEvent>,
}

impl Node {
    /// A node that listens. Its first event is that it missed everything before.
    fn new(bus: impl Bus) -> Self {
        let (sender, received) = mpsc::channel();
        let bus: Arc<dyn Bus> = Arc::new(bus);
        bus.listen(Box::new(move |word| drop(sender.send(word))));
        let node = Self { bus, received };
        assert_eq!(node.next(), BusEvent::Missed);
        node
    }

    fn next(&self) -> BusEvent {
        self.received.recv_timeout(PATIENCE).expect("nothing was heard")
    }

    /// Skips earlier events.
    fn until(&self, wanted: &BusEvent) {
        while self.next() != *wanted {}
    }

    fn tell(&self, top: u64) {
        self.bus.publish(&[hint(top)]);
    }
}

fn hint(top: u64) -> BusMessage {
    let channel = Channel::parse("room:a").unwrap();
    BusMessage::Hint(Hint { channel, epoch: Epoch::from_bits(7), top })
}

fn every_message_reaches_the_others_and_not_oneself(make: &dyn Fn() -> Node) {
    let nodes = [make(), make(), make()];
    let all =
        [hint(1), BusMessage::Revoked, BusMessage::Replaced(ConnectionId { node: 1, number: 2 })];
    nodes[0].bus.publish(&all);
    nodes[0].bus.publish(&[]);
    for node in &nodes[1..] {
        let received: Vec<BusEvent> = all.iter().map(|_| node.next()).collect();
        assert_eq!(received, all.clone().map(BusEvent::Message));
    }
    // If a node received its own messages, they would come before this one.
    nodes[1].tell(9);
    assert_eq!(nodes[0].next(), BusEvent::Message(hint(9)));
    assert!(nodes.iter().all(|node| node.bus.is_up()));
}

fn many_messages_arrive_or_it_is_said_that_some_did_not(make: &dyn Fn() -> Node) {
    let (teller, listener) = (make(), make());
    for top in 1..=2_000 {
        teller.tell(top);
    }
    let mut received = BTreeSet::new();
    loop {
        match listener.next() {
            BusEvent::Message(BusMessage::Hint(Hint { top, .. })) => drop(received.insert(top)),
            BusEvent::Missed => return,
            other => panic!("{other:?}"),
        }
        if received.len() == 2_000 {
            return;
        }
    }
}

fn a_node_that_has_gone_is_told_nothing(make: &dyn Fn() -> Node) {
    let (stays, goes) = (make(), make());
    let Node { bus, received } = goes;
    drop(bus);
    stays.tell(1);
    // Its listener is dropped with it, which closes this channel.
    while received.recv_timeout(PATIENCE).is_ok() {}
}

fn keeps_the_contract(make: &dyn Fn() -> Node) {
    every_message_reaches_the_others_and_not_oneself(make);
    many_messages_arrive_or_it_is_said_that_some_did_not(make);
    a_node_that_has_gone_is_told_nothing(make);
}

#[test]
fn the_exchange_within_a_process_keeps_the_contract() {
    let exchange = Exchange::default();
    keeps_the_contract(&|| Node::new(exchange.join()));
}

#[test]
fn redis_keeps_the_contract() {
    let redis = tidings_backing::Redis::start();
    keeps_the_contract(&|| Node::new(Redis::new(&redis.url()).unwrap()));
}

#[test]
fn after_redis_was_away_everybody_is_told_to_look_and_hears_again() {
    let mut redis = tidings_backing::Redis::start();
    let nodes = [(); 2].map(|()| Node::new(Redis::new(&redis.url()).unwrap()));
    let away = |redis: &mut tidings_backing::Redis, how: &str| match how {
        "cut" => redis.cut(),
        "killed" => {
            redis.kill();
            while nodes.iter().any(|node| node.bus.is_up()) {
                std::thread::yield_now();
            }
            // The message is lost, which is no error.
            nodes[0].tell(1);
            redis.restart();
        }
        _ => {
            redis.freeze();
            while nodes.iter().any(|node| node.bus.is_up()) {
                std::thread::yield_now();
            }
            redis.thaw();
        }
    };
    for (top, how) in (100..).zip(["cut", "killed", "frozen"]) {
        away(&mut redis, how);
        nodes.iter().for_each(|node| node.until(&BusEvent::Missed));
        nodes[0].tell(top);
        nodes[1].until(&BusEvent::Message(hint(top)));
        nodes[1].tell(top);
        nodes[0].until(&BusEvent::Message(hint(top)));
    }
}

#[test]
fn a_url_that_is_none_is_refused_and_keeps_its_secret() {
    for url in ["", "http://x", "nonsense://u:hush@x"] {
        let error = Redis::new(url).unwrap_err().to_string();
        assert!(error.contains("bus.url") && !error.contains("hush"), "{error}");
    }
    let away = Redis::new("redis://u:hush@127.0.0.1:1/").unwrap();
    assert!(!away.is_up() && !format!("{away:?}").contains("hush"));
}
