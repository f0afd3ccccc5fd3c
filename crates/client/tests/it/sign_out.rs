use tidings_client_core::{Command, Event, Status};

use crate::{
    harness::{READ, Rig},
    marks::{refused, settled},
    says,
};

fn signed_out(rig: &Rig) -> Option<u32> {
    rig.commands.iter().find_map(|command| match command {
        Command::SignedOut { discarded } => Some(*discarded),
        _ => None,
    })
}

#[test]
fn signing_out_wipes_everything() {
    let mut rig = Rig::with(|config| config.storage = true);
    rig.go_live_with_storage(&["a"]);
    rig.event(Event::SignOutRequested { discard: false });
    assert_eq!(signed_out(&rig), Some(0));
    assert!(rig.commands.contains(&Command::Wipe { user: "u1".into(), all: true }));
    let saved_after = rig
        .commands
        .iter()
        .skip_while(|c| !matches!(c, Command::Wipe { .. }))
        .any(|c| matches!(c, Command::Save { .. }));
    assert!(!saved_after);
    assert!(rig.all().items.is_empty());
    assert_eq!(rig.client.connection().status, Status::SignedOut);
    assert_eq!(rig.client.connection().user, None);
    assert_eq!(rig.transport, None);
    rig.take();
    rig.advance(600_000);
    assert!(!rig.commands.iter().any(|c| matches!(c, Command::Save { .. })));
}

#[test]
fn unsent_intents_are_sent_first() {
    let mut rig = Rig::live_with(&["a"]);
    rig.mark(1, &["a"], READ);
    rig.event(Event::SignOutRequested { discard: false });
    assert_eq!(signed_out(&rig), None);
    rig.mark(2, &["a"], READ);
    assert!(refused(&rig, 2, "signed_out"), "nothing new is taken meanwhile");
    rig.receive(&says::ack("lane-1", 1, 2));
    assert!(settled(&rig, 1));
    assert_eq!(signed_out(&rig), Some(0));
}

#[test]
fn but_not_for_longer_than_five_seconds() {
    let mut rig = Rig::live_with(&["a"]);
    rig.cut();
    rig.mark(1, &["a"], READ);
    rig.event(Event::SignOutRequested { discard: false });
    rig.advance(4_999);
    assert_eq!(signed_out(&rig), None);
    rig.advance(1);
    assert_eq!(signed_out(&rig), Some(1));
    assert!(refused(&rig, 1, "signed_out"));
}

#[test]
fn unsent_intents_can_be_thrown_away() {
    let mut rig = Rig::live_with(&["a"]);
    rig.mark(1, &["a"], READ);
    rig.event(Event::SignOutRequested { discard: true });
    assert_eq!(signed_out(&rig), Some(1));
    assert!(refused(&rig, 1, "signed_out"));
}

#[test]
fn where_nothing_can_be_sent_nothing_is_waited_for() {
    let mut rig = Rig::live_with(&["a"]);
    rig.event(Event::DisconnectRequested);
    rig.mark(1, &["a"], READ);
    rig.event(Event::SignOutRequested { discard: false });
    assert_eq!(signed_out(&rig), Some(1));
}

#[test]
fn what_a_signed_out_user_left_does_not_come_back() {
    let mut rig = Rig::live_with(&["a"]);
    rig.mark(1, &["a"], READ);
    rig.event(Event::SignOutRequested { discard: true });
    rig.event(Event::UserChanged(tidings_client_core::User::Named("u1".into())));
    assert_eq!(rig.client.outbox().pending, 0);
    assert!(rig.all().items.is_empty());
}
