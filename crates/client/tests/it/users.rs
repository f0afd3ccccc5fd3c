use tidings_client_core::{Command, Credential, Event, InboxStatus, Readable, Status, User};
use tidings_protocol::ClientMessage;

use crate::{
    harness::{READ, Rig},
    marks::{refused, settled},
    says,
};

fn named(user: &str) -> Event {
    Event::UserChanged(User::Named(user.into()))
}

fn live_as(rig: &mut Rig, user: &str, items: &[&str]) {
    let text = |text: String| text.replace("inbox:u1", &format!("inbox:{user}"));
    rig.open();
    rig.receive(&says::connected(user));
    let top = items.len() as u64;
    rig.receive(&text(says::subscribed("inbox:u1", "inboxone", top, top, false)));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, false));
    rig.receive(&text(says::snapshot(items)));
}

#[test]
fn a_ticket_of_another_user_fails_and_shows_nothing() {
    let mut rig = Rig::live_with(&["mine"]);
    rig.cut();
    rig.reopen();
    rig.receive(&says::connected("u2"));
    let connection = rig.client.connection().clone();
    assert_eq!(connection.status, Status::Failed);
    assert_eq!(connection.error.unwrap().code, "user_mismatch");
    assert_eq!(rig.transport, None);
    assert!(rig.all().items.is_empty());
    rig.advance(600_000);
    assert_eq!(rig.fetches, 2);
}

#[test]
fn another_user_sees_nothing_of_the_first() {
    let mut rig = Rig::live_with(&["mine"]);
    rig.take();
    rig.event(named("u2"));
    let commands = rig.take();
    assert!(commands.contains(&Command::Changed(Readable::Inbox)));
    assert!(commands.contains(&Command::Changed(Readable::Connection)));
    assert!(rig.all().items.is_empty());
    assert_eq!((rig.counts(), rig.inbox().status), ((0, 0), InboxStatus::Loading));
    assert_eq!(rig.client.connection().user.as_deref(), Some("u2"));
    assert_eq!(rig.transport, None);
    live_as(&mut rig, "u2", &["theirs"]);
    assert_eq!(rig.ids(), ["theirs"]);
    let connect = rig.sent().into_iter().find_map(|message| match message {
        ClientMessage::Connect(connect) => Some(connect),
        _ => None,
    });
    assert_eq!(connect.unwrap().cursors, None, "nor does the server hear of the first");
}

#[test]
fn unsent_intents_wait_for_their_users_return() {
    let mut rig = Rig::live_with(&["a"]);
    rig.cut();
    rig.mark(1, &["a"], READ);
    rig.event(named("u2"));
    assert_eq!(rig.client.outbox().pending, 0);
    live_as(&mut rig, "u2", &["a"]);
    assert!(!rig.item("a").read);
    rig.event(named("u1"));
    assert_eq!(rig.client.outbox().pending, 1);
    rig.take();
    live_as(&mut rig, "u1", &["a"]);
    assert!(rig.item("a").read);
    rig.receive(&says::ack("lane-1", 1, 2));
    assert!(settled(&rig, 1));
}

#[test]
fn nobody_is_signed_out_until_somebody_comes() {
    let mut rig = Rig::live_with(&["a"]);
    rig.event(Event::UserChanged(User::Nobody));
    assert_eq!(rig.client.connection().status, Status::SignedOut);
    assert!(rig.all().items.is_empty());
    rig.event(Event::ConnectRequested);
    assert_eq!(rig.fetches, 1, "there is nobody to connect");
    rig.mark(1, &["a"], READ);
    assert!(refused(&rig, 1, "signed_out"));
    rig.event(named("u3"));
    assert_eq!(rig.client.connection().status, Status::Connecting, "it is still wanted");
}

#[test]
fn the_same_user_again_changes_nothing() {
    let mut rig = Rig::live_with(&["a"]);
    rig.event(named("u1"));
    assert!(rig.transport.is_some());
    assert_eq!(rig.ids(), ["a"]);
}

#[test]
fn an_unnamed_user_is_whoever_the_ticket_names() {
    let mut rig = Rig::with(|config| config.storage = true);
    rig.event(Event::ConnectRequested);
    assert!(rig.take().contains(&Command::FetchCredential { attempt: 1, user: None }));
    live_as(&mut rig, "u7", &["a"]);
    assert_eq!(rig.client.connection().user.as_deref(), Some("u7"));
    rig.advance(250);
    assert!(rig.commands.iter().any(|c| matches!(c, Command::Save { user, .. } if user == "u7")));
    // Naming the same user keeps everything.
    rig.event(named("u7"));
    assert_eq!(rig.ids(), ["a"]);
    assert!(rig.transport.is_some());
}

#[test]
fn an_unnamed_user_who_becomes_another_starts_empty() {
    let mut rig = Rig::new();
    rig.event(Event::ConnectRequested);
    live_as(&mut rig, "u1", &["a"]);
    rig.cut();
    rig.reopen();
    rig.receive(&says::connected("u2"));
    assert!(rig.all().items.is_empty());
    assert_eq!(rig.client.connection().user.as_deref(), Some("u2"));
}

#[test]
fn a_ticket_on_its_way_for_the_old_user_is_aborted() {
    let mut rig = Rig::new();
    rig.event(named("u1"));
    rig.event(Event::ConnectRequested);
    rig.take();
    rig.event(named("u2"));
    let commands = rig.take();
    assert!(commands.contains(&Command::AbortCredential { attempt: 1 }));
    assert!(commands.contains(&Command::FetchCredential { attempt: 2, user: Some("u2".into()) }));
    rig.event(Event::CredentialFetched {
        attempt: 1,
        result: Ok(Credential::Ticket("of u1".into())),
    });
    assert_eq!(rig.transport, None);
}

#[test]
fn another_user_does_not_wait_for_the_firsts_failures() {
    let mut rig = Rig::new();
    rig.event(named("u1"));
    rig.event(Event::ConnectRequested);
    for _ in 0..4 {
        rig.wait_for_attempt();
        rig.ticket(Err("down".into()));
    }
    assert_eq!(rig.client.connection().attempt, 4);
    rig.event(named("u2"));
    let connection = rig.client.connection();
    assert_eq!((connection.status, connection.attempt), (Status::Connecting, 0));
    assert_eq!(connection.error, None);
}
