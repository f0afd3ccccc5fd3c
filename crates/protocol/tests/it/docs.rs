//! The examples of `docs/protocol.md` are the golden messages.

use std::{fs, path::PathBuf};

use tidings_protocol::{ClientMessage, ErrorCode, ServerMessage};

use crate::support::fixtures;

/// `<!-- fixture: client/ping -->`, followed by a code block that is the file.
#[test]
fn every_example_is_its_fixture() {
    let text = protocol();
    let mut examples = 0;
    for after in text.split("<!-- fixture: ").skip(1) {
        let (name, rest) = after.split_once(" -->\n```json\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let fixture = fs::read_to_string(fixtures().join(format!("{name}.json"))).unwrap();
        assert_eq!(example, fixture, "{name}");
        examples += 1;
    }
    assert!(examples >= ClientMessage::TYPES.len() + ServerMessage::TYPES.len());
}

#[test]
fn every_message_has_an_example_and_every_code_a_heading() {
    let text = protocol();
    for (folder, types) in [("client", ClientMessage::TYPES), ("server", ServerMessage::TYPES)] {
        for name in types {
            let marker = format!("<!-- fixture: {folder}/{name}");
            assert!(text.contains(&marker), "{marker} is missing");
        }
    }
    for code in ErrorCode::ALL {
        assert!(text.contains(&format!("| <a id=\"{code}\"></a>`{code}` |")), "{code} is missing");
    }
}

/// The table is written by hand for its readers, so it must agree with the crate.
#[test]
fn the_table_of_codes_says_what_the_crate_does() {
    let text = protocol();
    for code in ErrorCode::ALL {
        let close = code.close().map_or_else(|| "–".to_owned(), |close| close.0.to_string());
        let row = format!(
            "| <a id=\"{code}\"></a>`{code}` | {} | {} | {close} | {} | {} |",
            code.fault().as_str(),
            code.retry().as_str(),
            code.http(),
            code.advice(),
        );
        assert!(text.contains(&row), "expected the row\n{row}");
    }
}

fn protocol() -> String {
    fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol.md"))
        .unwrap()
}
