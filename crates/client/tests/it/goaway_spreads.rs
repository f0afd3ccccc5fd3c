use tidings_client_core::{Event, Status};

use crate::{harness::Rig, says};

const GOAWAY: &str = r#"{"type":"goaway","within_ms":20000}"#;

#[test]
fn clients_leave_at_random_times_within_the_window_and_connect_at_once() {
    let mut times = Vec::new();
    for seed in 0..200 {
        let mut rig = Rig::with(|config| config.seed = seed);
        rig.go_live(&[]);
        rig.advance(2_000);
        rig.receive(GOAWAY);
        assert_eq!(rig.client.connection().status, Status::Connected, "until then it goes on");
        let waited = rig.wait_for_attempt();
        assert!(waited <= 20_000);
        assert_eq!(rig.client.connection().attempt, 0, "it is no failure");
        times.push(waited);
    }
    times.sort_unstable();
    assert!(times[10] < 4_000 && times[190] > 16_000, "spread over the window: {times:?}");
}

#[test]
fn a_server_that_goes_before_the_chosen_time_is_not_stormed() {
    let mut early = 0;
    for seed in 0..100 {
        let mut rig = Rig::with(|config| config.seed = seed);
        rig.go_live(&[]);
        rig.advance(2_000);
        rig.receive(GOAWAY);
        rig.closed(1012);
        assert_eq!(rig.client.connection().status, Status::Waiting);
        rig.event(Event::Woke);
        early += u32::from(rig.wait_for_attempt() < 1_000);
    }
    assert!(early < 20, "{early} of 100 came back within a second");
}

#[test]
fn records_before_leaving_are_still_folded() {
    let mut rig = Rig::live();
    rig.receive(GOAWAY);
    rig.receive(&says::notification(1, "a", 1));
    assert_eq!(rig.ids(), ["a"]);
}
