use tidings_client_core::{Command, Credential, Event, Status};
use tidings_protocol::Fault;

use crate::{harness::Rig, says};

#[test]
fn tickets_are_single_flight() {
    let mut rig = Rig::new();
    // The harness fails on a second request while one is under way.
    rig.event(Event::ConnectRequested);
    rig.event(Event::ConnectRequested);
    rig.event(Event::RetryRequested);
    rig.event(Event::Woke);
    rig.event(Event::WentOnline);
    assert_eq!(rig.fetches, 1);
}

#[test]
fn a_ticket_function_that_hangs_is_aborted_and_asked_again() {
    let mut rig = Rig::new();
    rig.event(Event::ConnectRequested);
    rig.advance(9_999);
    assert_eq!(rig.client.connection().status, Status::Connecting);
    rig.advance(1);
    assert!(rig.take().contains(&Command::AbortCredential { attempt: 1 }));
    let connection = rig.client.connection().clone();
    assert_eq!(connection.status, Status::Waiting);
    assert_eq!(connection.error.unwrap().code, "ticket_timeout");
    // Its answer comes late and is ignored.
    rig.event(Event::CredentialFetched {
        attempt: 1,
        result: Ok(Credential::Ticket("late".into())),
    });
    assert_eq!(rig.transport, None);
    rig.wait_for_attempt();
    assert_eq!(rig.fetches, 2);
}

#[test]
fn a_ticket_function_that_fails_is_asked_again_after_a_wait() {
    let mut rig = Rig::new();
    rig.event(Event::ConnectRequested);
    rig.ticket(Err("ticket: 500".into()));
    let error = rig.client.connection().error.clone().unwrap();
    assert_eq!((error.code.as_str(), error.fault), ("ticket_failed", Fault::App));
    assert!(error.message.contains("ticket: 500"));
    for most in [500, 2_000, 4_000] {
        assert!(rig.wait_for_attempt() <= most);
        rig.ticket(Err("ticket: 500".into()));
    }
}

#[test]
fn a_signed_out_user_is_not_asked_again() {
    let mut rig = Rig::new();
    rig.event(Event::ConnectRequested);
    rig.ticket(Ok(Credential::SignedOut));
    assert_eq!(rig.client.connection().status, Status::SignedOut);
    rig.event(Event::Woke);
    rig.event(Event::WentOnline);
    rig.advance(600_000);
    assert_eq!(rig.fetches, 1);
    rig.event(Event::ConnectRequested);
    assert_eq!(rig.fetches, 2);
}

#[test]
fn refused_tickets_do_not_hammer() {
    let mut rig = Rig::new();
    rig.event(Event::ConnectRequested);
    let minute = rig.now.mono + 60_000;
    while rig.now.mono < minute {
        rig.wait_for_attempt();
        rig.open();
        rig.receive(&says::error("", "ticket_invalid", "ticket"));
        assert_eq!(rig.client.connection().status, Status::Waiting);
        assert_eq!(rig.client.connection().error.as_ref().unwrap().code, "ticket_invalid");
    }
    assert!(rig.fetches <= 16, "{} tickets in a minute", rig.fetches);
}

#[test]
fn a_close_code_speaks_where_the_error_did_not_arrive() {
    for (code, status, name) in [
        (4001, Status::Waiting, "unauthorized"),
        (4002, Status::Waiting, "expired"),
        (4103, Status::Failed, "forbidden"),
        (4126, Status::Failed, "version"),
        (4150, Status::Failed, "network"),
        (4208, Status::Waiting, "slow_consumer"),
        (1008, Status::Waiting, "network"),
        (1012, Status::Waiting, "network"),
    ] {
        let mut rig = Rig::new();
        rig.event(Event::ConnectRequested);
        rig.open();
        rig.closed(code);
        assert_eq!(rig.client.connection().status, status, "{code}");
        assert_eq!(rig.client.connection().error.as_ref().unwrap().code, name, "{code}");
    }
}

#[test]
fn an_error_explains_the_close_that_follows() {
    let mut rig = Rig::live();
    rig.receive(&says::error("", "revoked", "ticket"));
    assert_eq!(rig.client.connection().status, Status::Connected);
    rig.closed(4003);
    assert_eq!(rig.client.connection().error.as_ref().unwrap().code, "revoked");
}

#[test]
fn a_page_that_was_replaced_stays_away() {
    let mut rig = Rig::live();
    rig.receive(&says::error("", "replaced", "never"));
    rig.closed(4105);
    assert_eq!(rig.client.connection().status, Status::Failed);
    assert_eq!(rig.client.connection().error.as_ref().unwrap().code, "replaced");
    rig.advance(600_000);
    assert_eq!(rig.fetches, 1);
}
