//! The golden messages of `fixtures/protocol/`. The TypeScript tests read them too.

use crate::support::read;
use serde_json::Value;
use tidings_protocol::{ClientMessage, ServerMessage};

#[test]
fn every_client_message_has_a_fixture_and_round_trips_byte_for_byte() {
    round_trip("client", ClientMessage::TYPES, |text| {
        let message = ClientMessage::decode(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        (message.type_name(), message.to_json())
    });
}

#[test]
fn every_server_message_has_a_fixture_and_round_trips_byte_for_byte() {
    round_trip("server", ServerMessage::TYPES, |text| {
        let message = ServerMessage::decode(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        (message.type_name(), message.to_json())
    });
}

#[test]
fn messages_of_other_writers_decode_to_the_canonical_ones() {
    let all = read("plain");
    let mut pairs = 0;
    for (name, text) in &all {
        let Some(canonical) = all.get(&format!("{name}.canonical")) else { continue };
        let encoded = match name.split('.').next() {
            Some("client") => ClientMessage::decode(text).unwrap().to_json(),
            Some("server") => ServerMessage::decode(text).unwrap().to_json(),
            _ => panic!("{name} has no direction"),
        };
        assert_eq!(&encoded, canonical, "{name}");
        pairs += 1;
    }
    assert_eq!(pairs * 2, all.len(), "each file has its counterpart");
}

#[test]
fn serde_reads_and_writes_every_fixture_alike() {
    for text in read("client").values() {
        let ours = ClientMessage::decode(text).unwrap();
        assert_eq!(serde_json::from_str::<ClientMessage>(text).unwrap(), ours, "{text}");
        assert_eq!(&serde_json::to_string(&ours).unwrap(), text);
    }
    for text in read("server").values() {
        let ours = ServerMessage::decode(text).unwrap();
        assert_eq!(serde_json::from_str::<ServerMessage>(text).unwrap(), ours, "{text}");
        assert_eq!(&serde_json::to_string(&ours).unwrap(), text);
    }
}

#[test]
fn serde_reads_the_messages_of_other_writers_alike() {
    for (name, text) in read("plain") {
        if name.starts_with("client") {
            let serdes: ClientMessage = serde_json::from_str(&text).unwrap();
            assert_eq!(serdes, ClientMessage::decode(&text).unwrap(), "{name}");
        } else {
            let serdes: ServerMessage = serde_json::from_str(&text).unwrap();
            assert_eq!(serdes, ServerMessage::decode(&text).unwrap(), "{name}");
        }
    }
}

#[test]
fn the_minimal_fixture_holds_only_what_is_required() {
    // Each file is named by a type alone. Without any one of its fields it must not decode; fields
    // that may be absent belong in a variant.
    for (direction, types) in [("client", ClientMessage::TYPES), ("server", ServerMessage::TYPES)] {
        let all = read(direction);
        for name in types {
            let Value::Object(whole) = serde_json::from_str(&all[*name]).unwrap() else { panic!() };
            for key in whole.keys().filter(|key| !OPTIONAL.contains(&(*name, key.as_str()))) {
                let mut less = whole.clone();
                less.remove(key);
                let text = Value::Object(less).to_string();
                let decoded = match direction {
                    "client" => ClientMessage::decode(&text).map(|_| ()),
                    _ => ServerMessage::decode(&text).map(|_| ()),
                };
                assert!(decoded.is_err(), "{direction} {name} without {key}");
            }
        }
    }
}

/// Optional fields in a minimal message: without them it would make no sense.
const OPTIONAL: &[(&str, &str)] =
    &[("mark", "offsets"), ("refresh", "ticket"), ("notification", "counts"), ("marked", "up_to")];

fn round_trip(folder: &str, types: &[&str], decode_encode: fn(&str) -> (&'static str, String)) {
    let all = read(folder);
    for (name, text) in &all {
        let (kind, encoded) = decode_encode(text);
        assert_eq!(&encoded, text, "{name}");
        assert_eq!(name.split('.').next(), Some(kind), "{name} is named by its type");
    }
    for kind in types {
        assert!(all.contains_key(*kind), "{folder}/{kind}.json is missing");
    }
}
