//! The right to subscribe grants the records after the first subscription; `history` grants the
//! rest.

use tidings_protocol::{
    Channel, Epoch, Proof, ServerMessage,
    server::{Gap, GapReason, Subscribed},
};
use tidings_server_core::session::{Event, Wanted};

use crate::harness::{PROOFS, Peer, Server, offsets};

const ROOM: &str = "room:a";

/// The start of a subscription, and the offsets that came with it.
struct Begun {
    subscribed: Subscribed,
    gap: Option<(u64, u64, GapReason)>,
    got: Vec<u64>,
}

fn begun(peer: &mut Peer) -> Begun {
    let messages = peer.got();
    let subscribed = messages.iter().find_map(|message| match message {
        ServerMessage::Subscribed(one) if one.channel.as_str() == ROOM => Some(one.clone()),
        _ => None,
    });
    let gap = messages.iter().find_map(|message| match message {
        ServerMessage::Gap(Gap { from, to, why, .. }) => Some((*from, *to, *why)),
        _ => None,
    });
    let subscribed = subscribed.unwrap_or_else(|| panic!("no subscription: {messages:?}"));
    Begun { subscribed, gap, got: offsets(&messages, ROOM) }
}

/// A backend publishes this many messages.
fn write(server: &mut Server, messages: u64) {
    let mut peer = server.connect("writer+rooms");
    for _ in 0..messages {
        let text = format!(r#"{{"type":"publish","channel":"{ROOM}","data":"x"}}"#);
        server.say(&mut peer, &text);
    }
    server.feed(&mut peer, Event::TransportClosed);
}

fn subscribe(server: &mut Server, user: &str, since: &str) -> Begun {
    let mut peer = server.connect(user);
    peer.got();
    server.say(&mut peer, &format!(r#"{{"type":"subscribe","channel":"{ROOM}"{since}}}"#));
    let begun = begun(&mut peer);
    server.feed(&mut peer, Event::TransportClosed);
    begun
}

fn cursor(epoch: Epoch, offset: u64, proof: Option<Proof>) -> String {
    let proof = proof.map(|proof| format!(r#","proof":"{}""#, proof.as_str()));
    format!(r#"{{"epoch":"{epoch}","offset":{offset}{}}}"#, proof.unwrap_or_default())
}

fn since(epoch: Epoch, offset: u64, proof: Option<Proof>) -> String {
    format!(r#","since":{}"#, cursor(epoch, offset, proof))
}

#[test]
fn without_the_right_to_read_back_a_room_begins_now_and_goes_on_from_there() {
    let mut server = Server::new();
    write(&mut server, 5);
    let first = subscribe(&mut server, "mina+live", "");
    assert_eq!((first.subscribed.offset, first.got), (5, vec![]));
    let (epoch, proof) = (first.subscribed.epoch, first.subscribed.proof);
    assert!(proof.is_some());
    write(&mut server, 3);
    // From the last position, and also from the first one: the user may read these records again.
    for (at, got) in [(7, vec![8]), (5, vec![6, 7, 8])] {
        let again = subscribe(&mut server, "mina+live", &since(epoch, at, proof));
        assert_eq!((again.subscribed.recovered, again.gap, again.got), (true, None, got), "{at}");
        assert_eq!(again.subscribed.proof, proof, "it holds as long as the log");
    }
}

#[test]
fn whatever_cursor_is_claimed_nothing_from_before_comes() {
    let mut server = Server::new();
    write(&mut server, 5);
    let proven = subscribe(&mut server, "mina+live", "").subscribed;
    let others = subscribe(&mut server, "tom+live", "").subscribed.proof;
    let (epoch, room) = (proven.epoch, Channel::parse("room:b").unwrap());
    let elsewhere = Some(PROOFS.seal("mina", &room, epoch, 0));
    write(&mut server, 2);
    for at in 0..5 {
        // A proof grants the records after its offset. No gap is reported for records that the user
        // had no right to.
        let again = subscribe(&mut server, "mina+live", &since(epoch, at, proven.proof));
        assert_eq!((again.subscribed.offset, again.gap, again.got), (5, None, vec![6, 7]), "{at}");
        assert!(!again.subscribed.recovered, "it is not where the client said it was");
        for proof in [None, Some(Proof::NONE), others, elsewhere] {
            let again = subscribe(&mut server, "mina+live", &since(epoch, at, proof));
            assert_eq!((again.subscribed.offset, again.got), (7, vec![]), "{at} {proof:?}");
        }
    }
    // A cursor from before the channel's first record is a claim, too.
    let unborn = Epoch::from_bits(0);
    for proof in [None, proven.proof] {
        let again = subscribe(&mut server, "mina+live", &since(unborn, 0, proof));
        assert_eq!((again.subscribed.offset, again.got), (7, vec![]), "{proof:?}");
    }
}

#[test]
fn one_who_had_a_cursor_and_lost_the_proof_is_told_what_is_missing() {
    let mut server = Server::new();
    write(&mut server, 5);
    let first = subscribe(&mut server, "mina+live", "").subscribed;
    let nothing_missed = subscribe(&mut server, "mina+live", &since(first.epoch, 5, None));
    assert_eq!((nothing_missed.subscribed.recovered, nothing_missed.gap), (true, None));
    write(&mut server, 3);
    let again = subscribe(&mut server, "mina+live", &since(first.epoch, 6, None));
    assert_eq!(again.gap, Some((7, 8, GapReason::Retention)));
    assert_eq!(again.subscribed.offset, 8);
}

#[test]
fn the_first_record_is_asked_for_with_the_right_to_read_back_only() {
    let mut server = Server::new();
    write(&mut server, 3);
    let mut peer = server.connect("mina+live");
    peer.got();
    let first = format!(r#"{{"type":"subscribe","id":4,"channel":"{ROOM}","since":"first"}}"#);
    server.say(&mut peer, &first);
    let error = peer.error();
    assert_eq!((error.code.as_str(), error.id), ("forbidden", Some(4)));
    assert!(error.message.contains("history"), "{}", error.message);
    let mut peer = server.connect("tom+rooms");
    peer.got();
    server.say(&mut peer, &first);
    let all = begun(&mut peer);
    assert_eq!((all.got, all.subscribed.proof), (vec![1, 2, 3], None));
}

#[test]
fn one_who_was_there_before_the_first_record_has_it_all() {
    let mut server = Server::new();
    let empty = subscribe(&mut server, "mina+live", "").subscribed;
    write(&mut server, 2);
    let born = subscribe(&mut server, "mina+live", &since(empty.epoch, 0, empty.proof));
    assert_eq!((born.subscribed.recovered, born.gap, born.got), (true, None, vec![1, 2]));
    let again = subscribe(
        &mut server,
        "mina+live",
        &since(born.subscribed.epoch, 1, born.subscribed.proof),
    );
    assert_eq!((again.subscribed.recovered, again.got), (true, vec![2]));
}

#[test]
fn cursors_of_connect_and_of_an_address_are_held_to_the_same() {
    let mut server = Server::new();
    write(&mut server, 4);
    let first = subscribe(&mut server, "mina+live", "").subscribed;
    write(&mut server, 2);
    for (proof, got) in [(None, vec![]), (first.proof, vec![5, 6])] {
        let named = cursor(first.epoch, 0, proof);
        let more = format!(r#","cursors":{{"{ROOM}":{named}}}"#);
        let mut peer = server.connect_with("mina+live", &more);
        assert_eq!(begun(&mut peer).got, got, "{proof:?}");

        let mut peer = server.open();
        let at = tidings_protocol::client::Cursor { epoch: first.epoch, offset: 0, proof };
        let channels = vec![(Channel::parse(ROOM).unwrap(), Some(at))];
        peer.want(Wanted { channels, ..Wanted::default() });
        server.say(&mut peer, r#"{"type":"connect","version":1,"token":"mina+live"}"#);
        assert_eq!(begun(&mut peer).got, got, "{proof:?}");
    }
}

#[test]
fn a_repair_on_the_same_connection_needs_no_proof() {
    let mut server = Server::new();
    write(&mut server, 3);
    let mut peer = server.connect("mina+live");
    server.say(&mut peer, &format!(r#"{{"type":"subscribe","channel":"{ROOM}"}}"#));
    let epoch = begun(&mut peer).subscribed.epoch;
    write(&mut server, 2);
    server.settle(&mut peer);
    peer.got();
    for (at, got) in [(4, vec![5]), (1, vec![4, 5])] {
        let since = since(epoch, at, None);
        server.say(&mut peer, &format!(r#"{{"type":"subscribe","channel":"{ROOM}"{since}}}"#));
        assert_eq!(begun(&mut peer).got, got, "{at}");
    }
}

#[test]
fn a_credential_with_fewer_rights_reads_back_no_more_and_keeps_what_came_meanwhile() {
    let mut server = Server::new();
    write(&mut server, 3);
    let mut peer = server.connect("mina+rooms");
    server.say(&mut peer, &format!(r#"{{"type":"subscribe","channel":"{ROOM}"}}"#));
    let epoch = begun(&mut peer).subscribed.epoch;
    server.say(&mut peer, r#"{"type":"refresh","token":"mina+live"}"#);
    write(&mut server, 2);
    server.settle(&mut peer);
    peer.got();
    let again =
        |at| format!(r#"{{"type":"subscribe","channel":"{ROOM}"{}}}"#, since(epoch, at, None));
    server.say(&mut peer, &again(0));
    let fewer = begun(&mut peer);
    assert_eq!((fewer.got, fewer.gap), (vec![4, 5], None));
    server.say(&mut peer, r#"{"type":"refresh","token":"mina+rooms"}"#);
    peer.got();
    server.say(&mut peer, &again(0));
    assert_eq!(begun(&mut peer).got, [1, 2, 3, 4, 5]);
}

#[test]
fn of_everyone_messages_comes_what_was_said_after_the_inbox_was_made() {
    let mut server = Server::new();
    for _ in 0..3 {
        server.broadcast();
    }
    let mut peer = server.connect("mina");
    let messages = peer.got();
    let subscribed = |channel: &str| {
        let mut all = messages.iter().filter_map(|message| match message {
            ServerMessage::Subscribed(one) => Some(one.clone()),
            _ => None,
        });
        all.find(|one| one.channel.as_str() == channel).unwrap()
    };
    let (own, system) = (subscribed("inbox:mina"), subscribed("system:all"));
    assert_eq!((system.first, system.top), (4, 3));
    server.broadcast();
    let at = |offset| format!(r#"{{"epoch":"{}","offset":{offset}}}"#, system.epoch);
    let inbox = format!(r#""inbox:mina":{{"epoch":"{}","offset":0}}"#, own.epoch);
    for offset in 0..3 {
        let more = format!(r#","cursors":{{{inbox},"system:all":{}}}"#, at(offset));
        let mut peer = server.connect_with("mina", &more);
        assert_eq!(offsets(&peer.got(), "system:all").len(), 0, "a snapshot says it all");
        let since = at(offset);
        let text = format!(r#"{{"type":"subscribe","channel":"system:all","since":{since}}}"#);
        server.say(&mut peer, &text);
        assert_eq!(offsets(&peer.got(), "system:all").len(), 0, "{offset}");
    }
    let more = format!(r#","cursors":{{{inbox},"system:all":{}}}"#, at(3));
    let mut peer = server.connect_with("mina", &more);
    assert_eq!(offsets(&peer.got(), "system:all"), [4]);
}
