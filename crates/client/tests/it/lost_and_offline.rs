use tidings_client_core::{Event, Status};

use crate::harness::Rig;

#[test]
fn a_connection_counts_as_lost_only_after_a_while() {
    let mut rig = Rig::with(|config| config.backoff.base = 60_000);
    rig.go_live(&[]);
    rig.cut();
    rig.advance(4_999);
    assert!(!rig.client.connection().lost);
    rig.advance(1);
    assert!(rig.client.connection().lost);
    rig.reopen();
    assert!(rig.client.connection().lost, "opening is not connected");
    rig.receive(&crate::says::connected("u1"));
    assert!(!rig.client.connection().lost);
}

#[test]
fn who_wants_no_connection_has_not_lost_one() {
    let mut rig = Rig::live();
    rig.event(Event::DisconnectRequested);
    rig.advance(60_000);
    assert!(!rig.client.connection().lost);
}

#[test]
fn without_a_network_nothing_is_tried_until_it_is_back() {
    let mut rig = Rig::live();
    rig.event(Event::WentOffline);
    assert_eq!(
        rig.client.connection().status,
        Status::Connected,
        "browsers err: the link is probed"
    );
    rig.advance(2_000);
    assert_eq!(rig.client.connection().status, Status::Offline);
    rig.event(Event::Woke);
    rig.advance(600_000);
    assert_eq!(rig.fetches, 1);
    rig.event(Event::WentOnline);
    assert_eq!(rig.client.connection().status, Status::Connecting);
}

#[test]
fn losing_the_network_while_waiting_stops_the_attempts() {
    let mut rig = Rig::live();
    rig.cut();
    rig.event(Event::WentOffline);
    assert_eq!(rig.client.connection().status, Status::Offline);
    assert_eq!(rig.client.connection().retry_at, None);
    rig.advance(600_000);
    assert_eq!(rig.fetches, 1);
}

#[test]
fn the_app_may_know_better_than_the_browser() {
    let mut rig = Rig::live();
    rig.cut();
    rig.event(Event::WentOffline);
    rig.event(Event::RetryRequested);
    assert_eq!(rig.client.connection().status, Status::Connecting);
}

#[test]
fn waking_up_or_coming_online_shortens_the_wait() {
    for event in [Event::Woke, Event::WentOnline] {
        let mut rig = Rig::with(|config| config.backoff.base = 30_000);
        rig.go_live(&[]);
        rig.advance(60_000);
        rig.cut_if_open();
        rig.event(event.clone());
        assert!(rig.wait_for_attempt() <= 250, "{event:?}");
    }
}

#[test]
fn a_page_that_is_shown_over_and_over_does_not_hammer() {
    let mut rig = Rig::new();
    rig.event(Event::ConnectRequested);
    rig.open();
    rig.cut();
    let until = rig.now.mono + 10_000;
    while rig.now.mono < until {
        rig.event(Event::Woke);
        rig.advance(50);
        if rig.fetching.is_some() {
            rig.ticket(Err("down".into()));
        }
    }
    assert!(rig.fetches <= 12, "{} attempts in ten seconds", rig.fetches);
}

#[test]
fn it_can_say_in_words_what_is_going_on() {
    let mut rig = Rig::live();
    assert_eq!(rig.client.explain(rig.now), "Connected and up to date.");
    rig.closed(4229);
    let words = rig.client.explain(rig.now);
    assert!(words.starts_with("Not connected; tries again in 1 s."), "{words}");
    assert!(words.contains("flood"), "{words}");
}
