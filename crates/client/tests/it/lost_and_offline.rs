use tidings_client_core::{Event, Status};

use crate::{harness::Rig, says};

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
    rig.receive(&says::connected("u1"));
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
fn what_the_browser_says_of_the_network_decides_nothing() {
    let mut rig = Rig::live();
    rig.event(Event::WentOffline);
    assert_eq!(rig.client.connection().status, Status::Connected, "the link is probed");
    rig.receive(&says::pong(""));
    rig.cut();
    assert_eq!(rig.client.connection().status, Status::Waiting, "it was wrong");
    rig.reopen();
}

#[test]
fn without_a_network_it_is_tried_on_and_says_so() {
    let mut rig = Rig::live();
    rig.event(Event::WentOffline);
    rig.advance(2_000);
    assert_eq!(rig.client.connection().status, Status::Offline);
    for _ in 0..5 {
        rig.wait_for_attempt();
        assert_eq!(rig.client.connection().status, Status::Offline);
        rig.ticket(Err("Failed to fetch".into()));
        assert_eq!(rig.client.connection().status, Status::Offline);
        assert!(rig.client.connection().retry_at.is_some());
    }
    let words = rig.client.explain(rig.now);
    assert!(words.starts_with("The browser says there is no network; tries again in "), "{words}");
    // The browser never says that the network is back.
    rig.reopen();
    rig.receive(&says::connected("u1"));
    assert_eq!(rig.client.connection().status, Status::Connected);
    rig.cut();
    assert_eq!(rig.client.connection().status, Status::Waiting, "something came: there is one");
}

#[test]
fn a_page_that_begins_without_a_network_connects_as_soon_as_it_can() {
    let mut rig = Rig::new();
    rig.event(Event::WentOffline);
    rig.event(Event::ConnectRequested);
    rig.greet();
    assert_eq!(rig.client.connection().status, Status::Connected);
}

#[test]
fn attempts_without_a_network_use_nothing_up() {
    let mut rig = Rig::with(|config| config.backoff.max_attempts = Some(3));
    rig.go_live(&[]);
    rig.event(Event::WentOffline);
    rig.cut();
    for _ in 0..10 {
        rig.wait_for_attempt();
        rig.ticket(Err("Failed to fetch".into()));
    }
    rig.event(Event::WentOnline);
    assert!(rig.wait_for_attempt() <= 1_000, "an attempt was just made");
    rig.ticket(Err("Failed to fetch".into()));
    assert_eq!(rig.client.connection().status, Status::Waiting, "it counts from here");
}

#[test]
fn focus_and_the_app_shorten_the_wait_whatever_the_browser_says() {
    for event in [Event::Woke, Event::ConnectRequested, Event::WentOnline] {
        let mut rig = Rig::with(|config| config.backoff.base = 30_000);
        rig.go_live(&[]);
        rig.advance(60_000);
        rig.cut_if_open();
        rig.event(Event::WentOffline);
        rig.event(event.clone());
        assert!(rig.wait_for_attempt() <= 250, "{event:?}");
    }
}

#[test]
fn a_clock_that_is_set_while_it_waits_moves_the_time_it_tells() {
    let mut rig = Rig::with(|config| config.backoff.base = 30_000);
    rig.go_live(&[]);
    rig.cut();
    for step in [3_600_000_i64, -3_600_000] {
        rig.now.wall = rig.now.wall.saturating_add_signed(step);
        rig.event(Event::Hidden);
        let left = rig.client.connection().retry_at.unwrap().abs_diff(rig.now.wall);
        assert!(left <= 30_000, "{left} ms after {step}");
    }
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
