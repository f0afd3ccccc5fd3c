//! A client message that decodes has the same value in serde, and encodes to text that decodes to
//! it again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings_protocol::ClientMessage;

fuzz_target!(|text: &str| {
    let Ok(message) = ClientMessage::decode(text) else { return };
    let serdes: ClientMessage = serde_json::from_str(text).expect("serde refuses what we accept");
    assert_eq!(serdes, message, "serde reads another message");
    let encoded = message.to_json();
    assert!(!encoded.contains('\n'), "a message may share a frame");
    assert_eq!(ClientMessage::decode(&encoded).as_ref(), Ok(&message), "encoding lost something");
});
