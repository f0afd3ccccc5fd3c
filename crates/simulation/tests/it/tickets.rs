use tidings_client_core::Status;
use tidings_simulation::{Faults, World};

#[test]
fn a_session_is_refreshed_in_band_before_it_ends() {
    let mut world = World::new(1, Faults::NONE);
    world.session_ttl_ms = 300_000;
    let phone = world.device("mina");
    world.settle(5_000);
    world.run(3_600_000);
    assert_eq!(world.devices[phone].status(), Status::Connected);
    assert_eq!(world.devices[phone].seen.dials, 1, "without a new connection");
    assert!(world.devices[phone].seen.tickets >= 12);
}

#[test]
fn a_session_that_can_not_be_refreshed_ends_and_comes_back_with_a_ticket() {
    let mut world = World::new(2, Faults::NONE);
    world.session_ttl_ms = 60_000;
    let phone = world.device("mina");
    world.settle(5_000);
    world.tickets_fail = true;
    world.run(300_000);
    assert_ne!(world.devices[phone].status(), Status::Connected);
    let asked = world.devices[phone].seen.tickets;
    assert!(asked < 60, "{asked} tickets were asked for in five minutes");
    world.tickets_fail = false;
    world.settle(60_000);
}

#[test]
fn a_server_without_tickets_is_not_hammered() {
    let mut world = World::new(3, Faults::NONE);
    world.tickets_fail = true;
    let phone = world.device("mina");
    world.run(600_000);
    let seen = &world.devices[phone].seen;
    assert_eq!(seen.dials, 0);
    assert!(
        (10..120).contains(&seen.tickets),
        "{} tickets were asked for in ten minutes",
        seen.tickets
    );
}
