use tidings_client_core::{Command, Event, Filter, Status, User};

use crate::{
    harness::{READ, Rig},
    marks::refused,
};

#[test]
fn after_close_nothing_is_asked_for_any_more() {
    let mut rig = Rig::live_with(&["a"]);
    rig.mark(1, &["a"], READ);
    rig.event(Event::CloseRequested);
    assert_eq!(rig.client.connection().status, Status::Closed);
    assert_eq!((rig.transport, rig.timer), (None, None));
    assert!(refused(&rig, 1, "closed"), "whoever waits hears of it");
    rig.take();
    for event in [
        Event::ConnectRequested,
        Event::RetryRequested,
        Event::Woke,
        Event::WentOnline,
        Event::TimerFired,
        Event::UserChanged(User::Named("u2".into())),
        Event::TransportOpened { transport: 1 },
    ] {
        rig.event(event);
    }
    assert!(rig.take().is_empty());
    assert_eq!(rig.client.connection().status, Status::Closed);
}

#[test]
fn calls_after_close_are_answered() {
    let mut rig = Rig::live_with(&["a"]);
    rig.event(Event::CloseRequested);
    rig.mark(5, &["a"], READ);
    rig.event(Event::MoreRequested { filter: Filter::default(), intent: 6 });
    rig.event(Event::SignOutRequested { discard: false });
    assert!(refused(&rig, 5, "closed") && refused(&rig, 6, "closed"));
    assert!(rig.commands.contains(&Command::SignedOut { discarded: 0 }));
}

#[test]
fn a_driver_that_failed_takes_the_client_down_with_a_reason() {
    let mut rig = Rig::live_with(&["a"]);
    rig.event(Event::DriverFailed { reason: "trap".into() });
    let connection = rig.client.connection().clone();
    assert_eq!(connection.status, Status::Failed);
    assert_eq!(connection.error.unwrap().code, "internal");
    assert_eq!(rig.ids(), ["a"], "what is known stays readable");
}
