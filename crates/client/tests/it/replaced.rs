//! Told that a newer connection of the page took over: by another page of its name, or by an older one of its own that came late.

use tidings_client_core::{Credential, Event, Status};

use crate::{harness::Rig, says};

/// Found by seed 1796098690: the network kept a call that was given up for longer than the one after it.
#[test]
fn a_poll_that_an_older_one_of_its_own_replaced_goes_on() {
    let mut rig = Rig::polling(&["a"]);
    rig.advance(15_000);
    rig.event(Event::Woke);
    let newer = rig.asked("poll?").number;
    rig.refused(newer, 409, &says::error("", "replaced", "never"));
    assert_eq!(rig.client.connection().status, Status::Waiting);
    rig.wait_for_attempt();
}

#[test]
fn a_socket_that_an_older_one_of_its_own_replaced_goes_on() {
    let mut rig = Rig::new();
    rig.event(Event::ConnectRequested);
    rig.open();
    // What it said may be on its way for longer than anybody waits.
    rig.advance(10_000);
    rig.reopen();
    rig.receive(&says::connected("u1"));
    rig.receive(&says::error("", "replaced", "never"));
    rig.closed(4105);
    assert_eq!(rig.client.connection().status, Status::Waiting);
}

#[test]
fn whoever_is_replaced_by_another_page_stays_away() {
    let mut rig = Rig::live();
    rig.receive(&says::error("", "replaced", "never"));
    rig.closed(4105);
    assert_eq!(rig.client.connection().status, Status::Failed);
}

#[test]
fn two_pages_of_one_name_do_not_replace_each_other_for_ever() {
    let mut rig = Rig::live();
    rig.cut();
    let mut lives = 0;
    while rig.client.connection().status != Status::Failed {
        rig.reopen();
        rig.receive(&says::connected("u1"));
        rig.advance(5_000);
        rig.receive(&says::error("", "replaced", "never"));
        rig.closed(4105);
        lives += 1;
        assert!(lives < 20);
    }
    rig.event(Event::ConnectRequested);
    rig.ticket(Ok(Credential::Ticket("t-9".into())));
    assert_eq!(rig.client.connection().status, Status::Connecting, "the app may ask again");
}
