//! Decoders against serde's, over golden messages that were rewritten or broken.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::value::RawValue;
use tidings_protocol::{
    ClientMessage, DecodeError, Json, ServerMessage,
    codec::{Envelope, Reason, messages_of},
    limits::PAYLOAD_DEPTH,
    server::{Message, Page, Posted},
};

#[test]
fn a_page_lists_messages_notifications_and_what_nobody_knows_yet() {
    let text = &crate::support::read("server")["page.notifications"];
    let poll = r#"{"type":"poll","channel":"topic:releases","offset":6,"options":[1]}"#;
    let text = text.replace("\"messages\":[", &format!("\"messages\":[{poll},"));
    let ServerMessage::Page(Page { messages: Some(posted), .. }) =
        ServerMessage::decode(&text).unwrap()
    else {
        panic!("{text}")
    };
    let [Posted::Other(other), Posted::Notification(note), Posted::Message(message)] = &posted[..]
    else {
        panic!("{posted:?}")
    };
    assert_eq!((other.as_str(), note.kind.as_str(), message.offset), (poll, "release", 7));
    let said: Vec<Message> = posted.into_iter().filter_map(Posted::into_message).collect();
    let said: Vec<_> = said.iter().map(|one| (one.offset, one.from.is_some())).collect();
    assert_eq!(said, [(8, false), (7, true)], "a notification is from nobody");
}

#[test]
fn a_doubled_key_is_refused_wherever_we_read_it() {
    for text in [
        r#"{"type":"ping","type":"ping"}"#,
        r#"{"type":"ping","id":1,"id":1}"#,
        r#"{"type":"ping","id":1,"\u0069d":2}"#,
        r#"{"type":"connect","version":1,"cursors":{"room:1":{"epoch":"aaaaaaaa","offset":1},"room:1":{"epoch":"aaaaaaaa","offset":1}}}"#,
        r#"{"type":"mark","epochs":{},"set":{"read":true,"read":true}}"#,
    ] {
        assert_eq!(ClientMessage::decode(text).unwrap_err().reason(), Reason::Duplicate, "{text}");
    }
    // Unknown keys and payloads are not read, so a doubled key in them is harmless.
    assert!(ClientMessage::decode(r#"{"type":"ping","x":1,"x":2}"#).is_ok());
    assert!(
        ClientMessage::decode(r#"{"type":"publish","channel":"room:1","data":{"a":1,"a":2}}"#)
            .is_ok()
    );
}

#[test]
fn refusals_name_the_field() {
    let cases = [
        (r#"{"id":1}"#, "type", Reason::Missing),
        (r#"{"type":7}"#, "type", Reason::NotString),
        (r#"{"type":"nope","a":[]}"#, "type", Reason::UnknownType),
        (r#"{"type":"connect"}"#, "version", Reason::Missing),
        (r#"{"type":"connect","version":4294967296}"#, "version", Reason::TooLarge),
        (r#"{"type":"connect","version":null}"#, "version", Reason::NotInteger),
        (r#"{"type":"connect","version":1,"batch":"yes"}"#, "batch", Reason::NotBoolean),
        (r#"{"type":"connect","version":1,"cursors":{"nope":{}}}"#, "cursors", Reason::Channel),
        (
            r#"{"type":"connect","version":1,"cursors":{"room:1":{"epoch":"short","offset":1}}}"#,
            "epoch",
            Reason::Epoch,
        ),
        (r#"{"type":"subscribe","channel":"Room:1"}"#, "channel", Reason::Channel),
        (r#"{"type":"subscribe","channel":"room:1","since":"then"}"#, "since", Reason::UnknownWord),
        (r#"{"type":"mark","epochs":{},"set":[]}"#, "set", Reason::NotObject),
        (
            r#"{"type":"mark","epochs":{},"set":{},"offsets":{"inbox":3}}"#,
            "inbox",
            Reason::NotArray,
        ),
        (r#"{"type":"history","channel":"room:1","before":-1}"#, "before", Reason::NotInteger),
    ];
    for (text, field, reason) in cases {
        let error = ClientMessage::decode(text).unwrap_err();
        assert_eq!((error.field(), error.reason()), (Some(field), reason), "{text}");
    }
    let error = ClientMessage::decode(r#"{"type":"connect"}"#).unwrap_err();
    assert_eq!(error.to_string(), "`version`: required field is missing at byte 18");
}

#[test]
fn a_text_of_unknown_type_that_is_no_json_is_a_bad_request() {
    let codes = |text| ClientMessage::decode(text).unwrap_err().code().as_str();
    assert_eq!(codes(r#"{"type":"nope"}"#), "unknown_type");
    assert_eq!(codes(r#"{"type":"nope"#), "bad_request");
    assert_eq!(codes(r#"{"type":"nope"}}"#), "bad_request");
    assert_eq!(codes(r#"{"type":"nope",}"#), "bad_request");
    assert_eq!(codes("ping"), "bad_request");
}

#[test]
fn an_envelope_tells_what_can_be_read_of_a_broken_message() {
    let envelope = Envelope::peek(r#"{"type":"mark","id":8,"client_id":"l","seq":2,"set":oops"#);
    assert_eq!(envelope.kind.as_deref(), Some("mark"));
    assert_eq!(
        (envelope.id, envelope.client_id.as_deref(), envelope.seq),
        (Some(8), Some("l"), Some(2))
    );
    assert_eq!(Envelope::peek("nonsense"), Envelope::default());
}

#[test]
fn a_batch_frame_splits_into_its_messages() {
    let texts: Vec<_> = crate::support::read("server").into_values().collect();
    assert_eq!(messages_of(&texts.join("\n")).collect::<Vec<_>>(), texts);
    assert_eq!(messages_of("\n{}\r\n\n").collect::<Vec<_>>(), ["{}\r"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn another_rendering_of_a_client_message_means_the_same(text in crate::support::fixture("client"), seed in any::<u64>()) {
        let rendered = rendered(&text, seed);
        prop_assert_eq!(ClientMessage::decode(&rendered).unwrap(), ClientMessage::decode(&text).unwrap(), "{}", rendered);
    }

    #[test]
    fn another_rendering_of_a_server_message_means_the_same(text in crate::support::fixture("server"), seed in any::<u64>()) {
        let rendered = rendered(&text, seed);
        prop_assert_eq!(ServerMessage::decode(&rendered).unwrap(), ServerMessage::decode(&text).unwrap(), "{}", rendered);
    }

    #[test]
    fn an_edited_client_message_reads_as_serde_reads_it(text in crate::support::fixture("client"), edits in crate::support::edits()) {
        let text = crate::support::edited(&text, &edits);
        let ours = ClientMessage::decode(&text);
        agrees(&text, &ours, &serde_json::from_str(&text))?;
        if let Ok(message) = ours {
            let again = message.to_json();
            prop_assert!(!again.contains('\n'));
            prop_assert_eq!(ClientMessage::decode(&again).unwrap(), message);
        }
    }

    #[test]
    fn an_edited_server_message_reads_as_serde_reads_it(text in crate::support::fixture("server"), edits in crate::support::edits()) {
        let text = crate::support::edited(&text, &edits);
        let ours = ServerMessage::decode(&text);
        agrees(&text, &ours, &serde_json::from_str(&text))?;
        if let Ok(message) = ours {
            let again = message.to_json();
            prop_assert!(!again.contains('\n'));
            prop_assert_eq!(ServerMessage::decode(&again).unwrap(), message);
        }
    }
}

/// Both accept the same texts with the same meaning, except for the documented differences.
fn agrees<T: PartialEq + std::fmt::Debug>(
    text: &str,
    ours: &Result<T, DecodeError>,
    serdes: &Result<T, serde_json::Error>,
) -> Result<(), TestCaseError> {
    match (ours, serdes) {
        (Ok(ours), Ok(serdes)) => prop_assert_eq!(ours, serdes, "{}", text),
        (Ok(_), Err(error)) => {
            prop_assert!(false, "we take what serde refuses ({}): {}", error, text)
        }
        (Err(error), Ok(_)) => {
            // serde accepts doubled map keys, integers above 2^53, lone surrogates in skipped text,
            // and arrays in place of structs.
            use Reason::{Duplicate, NotObject, Surrogate, TooLarge, UnknownType};
            prop_assert!(
                matches!(
                    error.reason(),
                    Duplicate | NotObject | Surrogate | TooLarge | UnknownType
                ),
                "{}: {}",
                error,
                text
            );
        }
        (Err(_), Err(_)) => {}
    }
    Ok(())
}

/// Writes a message with other white space, key order and escapes, chosen by the seed. Payloads
/// stay as they are: their text is the publisher's.
fn rendered(text: &str, seed: u64) -> String {
    let mut out = String::new();
    render(text, &mut Dice(seed), &mut out);
    out
}

fn render(text: &str, dice: &mut Dice, out: &mut String) {
    match text.as_bytes().first() {
        Some(b'{') => {
            let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).unwrap();
            let mut fields: Vec<_> = fields.into_iter().collect();
            for last in (1..fields.len()).rev() {
                fields.swap(last, dice.below(last + 1));
            }
            out.push('{');
            for (place, (key, value)) in fields.into_iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                dice.space(out);
                render_string(&key, dice, out);
                dice.space(out);
                out.push(':');
                dice.space(out);
                match key.as_str() {
                    "data" | "info" => out.push_str(value.get()),
                    _ => render(value.get(), dice, out),
                }
                dice.space(out);
            }
            out.push('}');
        }
        Some(b'[') => {
            out.push('[');
            for (place, value) in
                serde_json::from_str::<Vec<&RawValue>>(text).unwrap().iter().enumerate()
            {
                out.push_str(if place > 0 { "," } else { "" });
                dice.space(out);
                render(value.get(), dice, out);
                dice.space(out);
            }
            out.push(']');
        }
        Some(b'"') => render_string(&serde_json::from_str::<String>(text).unwrap(), dice, out),
        _ => out.push_str(text),
    }
}

fn render_string(text: &str, dice: &mut Dice, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        if dice.below(4) == 0 || char == '"' || char == '\\' || char < ' ' {
            for unit in char.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(char);
        }
    }
    out.push('"');
}

/// A xorshift generator: one number of proptest decides the whole text, so that it shrinks.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.max(1);
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as usize % bound
    }

    fn space(&mut self, out: &mut String) {
        out.push_str(["", "", " ", "\n", "\t \r\n"][self.below(5)]);
    }
}

#[test]
fn the_deepest_payload_fits_every_message_that_carries_it() {
    let deep = |levels: usize| ["[".repeat(levels), "]".repeat(levels)].concat();
    let payload = Json::parse(&deep(PAYLOAD_DEPTH)).unwrap();
    assert!(!payload.is_deeper_than(PAYLOAD_DEPTH));
    assert!(Json::parse(&deep(PAYLOAD_DEPTH + 1)).unwrap().is_deeper_than(PAYLOAD_DEPTH));
    assert!(!Json::string("[\"[[\\").is_deeper_than(0), "brackets in texts are none");
    let body = format!(r#"{{"notification_id":"n","type":"k","title":"t","data":{payload}}}"#);
    let item = format!(
        r#"{{"channel":"inbox:u1","offset":1,"id":"n","kind":"k","at":1,"seen":false,"read":false,"archived":false,"data":{body}}}"#
    );
    let record = format!(
        r#"{{"type":"message","channel":"room:1","offset":1,"id":"m","at":1,"from":{{"user":"u1","info":{payload}}},"data":{payload}}}"#
    );
    let page = r#"{"type":"page","channel":"room:1","epoch":"AAAAAAAA","offset":1,"more":false,"#;
    for text in [
        format!(r#"{page}"messages":[{record}]}}"#),
        format!(r#"{page}"items":[{item}]}}"#),
        format!(
            r#"{{"type":"snapshot","channel":"inbox:u1","epoch":"AAAAAAAA","offset":1,"system":{{"epoch":"AAAAAAAA","offset":0}},"counts":{{"inbox":{{"unread":1,"unseen":1}},"system":{{"unread":0,"unseen":0,"at":0}}}},"more":false,"system_more":false,"items":[{item}]}}"#
        ),
    ] {
        ServerMessage::decode(&text).unwrap();
    }
}
