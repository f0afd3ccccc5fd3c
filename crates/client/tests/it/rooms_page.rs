use tidings_client_core::{Event, Status};

use crate::{
    harness::Rig,
    room::{ROOM, channel, message, page, subscribed},
    says,
};

/// A room at offset 9 with its newest page, 8 and 9.
fn opened(adjust: impl FnOnce(&mut tidings_client_core::Config)) -> Rig {
    let mut rig = Rig::with(adjust);
    rig.go_live(&[]);
    rig.want(ROOM);
    let (id, _) = rig.asked_to_subscribe();
    rig.receive(&subscribed(id, "roomone1", 1, 9, 9, false));
    let (id, _) = rig.asked_for_page();
    rig.receive(&page(id, "roomone1", 9, true, &[9, 8]));
    rig.take();
    rig
}

fn older(rig: &mut Rig, intent: u64) {
    rig.event(Event::OlderRequested { channel: channel(ROOM), intent });
}

#[test]
fn older_messages_come_page_by_page_until_the_first() {
    let mut rig = opened(|_| {});
    older(&mut rig, 1);
    older(&mut rig, 2);
    assert!(rig.room().loading_more);
    let (id, before) = rig.asked_for_page();
    assert_eq!(before, Some(8));
    rig.receive(&page(id, "roomone1", 9, false, &[7, 6]));
    assert_eq!(rig.texts(), ["m6", "m7", "m8", "m9"]);
    assert_eq!((rig.ended(1), rig.ended(2)), (Some(Ok(None)), Some(Ok(None))), "both joined it");
    assert!(!rig.room().has_more);
    rig.take();
    older(&mut rig, 3);
    assert_eq!(rig.ended(3), Some(Ok(None)), "nothing is left to load");
    assert!(rig.sent().is_empty());
}

#[test]
fn a_load_survives_a_cut_and_ends_with_its_time() {
    let mut rig = opened(|_| {});
    older(&mut rig, 1);
    rig.asked_for_page();
    rig.cut();
    rig.reopen();
    rig.receive(&says::connected("u1"));
    let (id, _) = rig.asked_to_subscribe();
    rig.receive(&subscribed(id, "roomone1", 1, 9, 9, true));
    rig.asked_for_page();
    assert_eq!(rig.ended(1), None);
    rig.advance(10_000);
    assert_eq!(rig.ended(1).unwrap().unwrap_err().code, "network");
    assert_eq!(rig.room().error.unwrap().code, "network");
}

#[test]
fn without_the_right_to_read_back_a_room_begins_empty() {
    let mut rig = Rig::live();
    rig.want(ROOM);
    let (id, _) = rig.asked_to_subscribe();
    rig.receive(&subscribed(id, "roomone1", 1, 9, 9, false));
    let (id, _) = rig.asked_for_page();
    rig.receive(&says::error(&format!(r#""id":{id},"channel":"room:1","#), "forbidden", "never"));
    let room = rig.room();
    assert!(!room.has_more && !room.loading_more);
    assert_eq!(room.error, None, "nobody asked for it");
    assert_eq!(rig.client.connection().status, Status::Connected);
}

/// Found by the simulation (seed 1462 of its day): the room stayed empty as long as the page was
/// open.
#[test]
fn a_credential_that_grants_to_read_back_brings_what_another_did_not() {
    for over_a_cut in [true, false] {
        let mut rig = Rig::live();
        rig.want(ROOM);
        let (id, _) = rig.asked_to_subscribe();
        rig.receive(&subscribed(id, "roomone1", 1, 9, 9, false));
        let (id, _) = rig.asked_for_page();
        let fields = format!(r#""id":{id},"channel":"room:1","#);
        rig.receive(&says::error(&fields, "forbidden", "never"));
        assert!(!rig.room().has_more);
        if over_a_cut {
            rig.cut();
            rig.reopen();
            rig.receive(&says::connected("u1"));
            let (id, _) = rig.asked_to_subscribe();
            rig.receive(&subscribed(id, "roomone1", 1, 9, 9, true));
        } else {
            rig.receive(r#"{"type":"refreshed","session_token":"st_other"}"#);
        }
        let (id, _) = rig.asked_for_page();
        rig.receive(&page(id, "roomone1", 9, true, &[9, 8]));
        assert_eq!(rig.texts(), ["m8", "m9"]);
        assert!(rig.room().has_more);
    }
}

#[test]
fn memory_is_bounded_by_messages_and_by_bytes() {
    let mut rig = opened(|config| config.messages_max = 3);
    for offset in 10..=14 {
        rig.receive(&message(offset));
    }
    assert_eq!(rig.texts(), ["m12", "m13", "m14"]);
    assert!(!rig.room().has_more, "there is no room for older ones");
    older(&mut rig, 1);
    assert_eq!(rig.ended(1), Some(Ok(None)));

    let size = r#"{"text":"m10"}"#.len() as u32;
    let mut rig = opened(|config| config.messages_bytes = 2 * size);
    for offset in 10..=14 {
        rig.receive(&message(offset));
    }
    assert_eq!(rig.texts(), ["m13", "m14"]);
}

#[test]
fn nobody_can_load_what_nobody_reads() {
    let mut rig = Rig::live();
    older(&mut rig, 1);
    assert_eq!(rig.ended(1).unwrap().unwrap_err().code, "not_found");
}

#[test]
fn a_topics_notifications_are_read_back_as_messages_of_nobody() {
    let mut rig = Rig::live();
    rig.want(ROOM);
    let (id, _) = rig.asked_to_subscribe();
    rig.receive(&subscribed(id, "roomone1", 1, 3, 3, false));
    let (id, _) = rig.asked_for_page();
    let record = |kind: &str, offset: u64| {
        message(offset).replace(r#""type":"message""#, &format!(r#""type":"{kind}","kind":"k""#))
    };
    let listed = [record("notification", 3), record("poll", 2), message(1)].join(",");
    rig.receive(&format!(
        r#"{{"type":"page","id":{id},"channel":"room:1","epoch":"roomone1","offset":3,"more":false,"messages":[{listed}]}}"#
    ));
    assert_eq!(rig.texts(), ["m1", "m3"], "what nobody knows is passed");
    let from: Vec<_> = rig.room().messages.iter().map(|one| one.from.is_some()).collect();
    assert_eq!(from, [true, false]);
}

/// Refuses a page, as a server does that gets too many requests.
fn flood(rig: &mut Rig, id: u64) {
    let fields = format!(r#""id":{id},"retry_after_ms":2000,"#);
    rig.receive(&says::error(&fields, "flood", "backoff"));
}

#[test]
fn a_page_that_is_refused_for_now_is_asked_for_again() {
    let mut rig = opened(|_| {});
    older(&mut rig, 1);
    let (id, _) = rig.asked_for_page();
    flood(&mut rig, id);
    rig.advance(1_999);
    assert!(rig.sent().is_empty() && rig.room().loading_more);
    rig.advance(1_001);
    let (id, before) = rig.asked_for_page();
    assert_eq!(before, Some(8));
    rig.receive(&page(id, "roomone1", 9, false, &[7]));
    assert_eq!(
        (rig.ended(1), rig.texts()),
        (Some(Ok(None)), ["m7", "m8", "m9"].map(Into::into).into())
    );
}

#[test]
fn the_first_page_that_is_refused_for_now_comes_too() {
    let mut rig = Rig::live();
    rig.want(ROOM);
    let (id, _) = rig.asked_to_subscribe();
    rig.receive(&subscribed(id, "roomone1", 1, 9, 9, false));
    let (id, _) = rig.asked_for_page();
    flood(&mut rig, id);
    rig.advance(3_000);
    let (id, _) = rig.asked_for_page();
    rig.receive(&page(id, "roomone1", 9, true, &[9, 8]));
    assert_eq!(rig.texts(), ["m8", "m9"]);
}

#[test]
fn a_refusal_that_does_not_end_is_told() {
    let mut rig = opened(|_| {});
    older(&mut rig, 1);
    for _ in 0..3 {
        let (id, _) = rig.asked_for_page();
        flood(&mut rig, id);
        rig.advance(3_000);
    }
    assert_eq!(rig.ended(1), None);
    let (id, _) = rig.asked_for_page();
    flood(&mut rig, id);
    assert_eq!(rig.ended(1).unwrap().unwrap_err().code, "flood");
    assert_eq!(rig.room().error.unwrap().code, "flood");
}
