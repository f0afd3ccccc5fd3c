use tidings_client_core::{Command, Credential, Event, Status};
use tidings_protocol::{ClientMessage, client::Refresh};

use crate::{
    harness::{Rig, START},
    says,
};

const LIFE: u64 = 100_000;

fn connected() -> Rig {
    let mut rig = Rig::new();
    rig.event(Event::ConnectRequested);
    rig.open();
    rig.receive(&says::connected_until("u1", Some(START + LIFE)));
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 0, 0, false));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, false));
    rig.receive(&says::snapshot(&[]));
    rig.take();
    rig
}

/// Lets time pass and answers the pings.
fn live_for(rig: &mut Rig, ms: u64) {
    let until = rig.now.mono + ms;
    while rig.now.mono < until {
        rig.advance((until - rig.now.mono).min(5_000));
        if rig.transport.is_some() {
            let pong = format!(r#"{{"type":"pong","now":{}}}"#, rig.now.wall);
            rig.receive(&pong);
        }
    }
}

fn refresh(rig: &mut Rig) -> Option<Refresh> {
    rig.sent().into_iter().find_map(|message| match message {
        ClientMessage::Refresh(refresh) => Some(refresh),
        _ => None,
    })
}

#[test]
fn a_new_ticket_goes_up_in_band_before_the_old_one_ends() {
    let mut rig = connected();
    live_for(&mut rig, LIFE / 5 * 4 - 1);
    assert_eq!(rig.fetching, None);
    live_for(&mut rig, 1);
    rig.ticket(Ok(Credential::Ticket("t-2".into())));
    let sent = refresh(&mut rig).unwrap();
    assert_eq!(sent.ticket.as_deref(), Some("t-2"));
    let ends = rig.now.wall + LIFE;
    rig.receive(&format!(
        r#"{{"type":"refreshed","id":{},"session_token":"st2","expires_at":{ends}}}"#,
        sent.id.unwrap()
    ));
    assert_eq!(rig.client.connection().status, Status::Connected);
    live_for(&mut rig, LIFE / 5 * 4 - 1);
    assert_eq!(rig.fetching, None);
    live_for(&mut rig, 1);
    assert!(rig.fetching.is_some(), "and so on");
}

#[test]
fn the_server_can_ask_for_it() {
    let mut rig = connected();
    rig.receive(&format!(r#"{{"type":"expiring","expires_at":{}}}"#, START + 10_000));
    rig.receive(&format!(r#"{{"type":"expiring","expires_at":{}}}"#, START + 10_000));
    assert_eq!(rig.fetches, 2, "once for the connection, once for the refresh");
}

#[test]
fn a_ticket_function_that_fails_meanwhile_is_asked_again_without_haste() {
    let mut rig = connected();
    rig.receive(&format!(r#"{{"type":"expiring","expires_at":{}}}"#, START + 10_000));
    for _ in 0..5 {
        let before = rig.now.mono;
        rig.ticket(Err("down".into()));
        while rig.fetching.is_none() {
            live_for(&mut rig, 100);
        }
        assert!(rig.now.mono - before >= 1_000);
    }
    assert_eq!(rig.client.connection().status, Status::Connected);
}

#[test]
fn a_ticket_function_that_hangs_meanwhile_is_aborted() {
    let mut rig = connected();
    rig.receive(&format!(r#"{{"type":"expiring","expires_at":{}}}"#, START + 10_000));
    live_for(&mut rig, 10_000);
    assert!(rig.commands.contains(&Command::AbortCredential { attempt: 2 }));
    assert_eq!(rig.client.connection().status, Status::Connected);
}

#[test]
fn a_refresh_that_is_refused_is_tried_again_unless_it_is_final() {
    let mut rig = connected();
    rig.receive(&format!(r#"{{"type":"expiring","expires_at":{}}}"#, START + 10_000));
    rig.ticket(Ok(Credential::Ticket("t-2".into())));
    let id = refresh(&mut rig).unwrap().id.unwrap();
    rig.receive(&says::error(&format!("\"id\":{id},"), "ticket_invalid", "ticket"));
    assert_eq!(rig.client.connection().status, Status::Connected);
    while rig.fetching.is_none() {
        live_for(&mut rig, 100);
    }
    rig.ticket(Ok(Credential::Ticket("t-3".into())));
    let id = refresh(&mut rig).unwrap().id.unwrap();
    rig.receive(&says::error(&format!("\"id\":{id},"), "user_mismatch", "never"));
    assert_eq!(rig.client.connection().status, Status::Failed);
    assert_eq!(rig.transport, None);
}

#[test]
fn a_ticket_function_that_says_signed_out_ends_the_connection() {
    let mut rig = connected();
    rig.receive(&format!(r#"{{"type":"expiring","expires_at":{}}}"#, START + 10_000));
    rig.ticket(Ok(Credential::SignedOut));
    assert_eq!(rig.client.connection().status, Status::SignedOut);
    assert_eq!(rig.transport, None);
    rig.advance(600_000);
    assert_eq!(rig.fetches, 2);
}

#[test]
fn a_cut_takes_the_refresh_with_it() {
    let mut rig = connected();
    rig.receive(&format!(r#"{{"type":"expiring","expires_at":{}}}"#, START + 10_000));
    // The rig checks that the ticket request is aborted before the next attempt makes its own.
    rig.cut();
    rig.reopen();
    assert_eq!(rig.fetches, 3);
}

/// A clock that jumps ahead is taken for sleep until the server tells its time. Each new credential
/// seemed to have expired already, and was renewed a second later.
#[test]
fn a_clock_set_far_ahead_renews_once() {
    let mut rig = connected();
    rig.now.wall += 10 * LIFE;
    rig.event(Event::Woke);
    rig.receive(&format!(r#"{{"type":"expiring","expires_at":{}}}"#, START + LIFE));
    rig.ticket(Ok(Credential::Ticket("t-2".into())));
    let id = refresh(&mut rig).unwrap().id.unwrap();
    let server = rig.now.wall - 10 * LIFE;
    let ends = server + LIFE;
    rig.receive(&format!(
        r#"{{"type":"refreshed","id":{id},"session_token":"st2","expires_at":{ends},"now":{server}}}"#
    ));
    rig.advance(3_000);
    assert_eq!(rig.fetching, None);
    assert_eq!(rig.client.server_time(rig.now), Some(server + 3_000));
}
