//! A server message that decodes has the same value in serde, and encodes to text that decodes to
//! it again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings_protocol::ServerMessage;

fuzz_target!(|text: &str| {
    let Ok(message) = ServerMessage::decode(text) else { return };
    let serdes: ServerMessage = serde_json::from_str(text).expect("serde refuses what we accept");
    assert_eq!(serdes, message, "serde reads another message");
    let encoded = message.to_json();
    assert!(!encoded.contains('\n'), "a message may share a frame");
    assert_eq!(ServerMessage::decode(&encoded).as_ref(), Ok(&message), "encoding lost something");
});
