//! serde_json accepts every text that the scanner accepts, and stripping white space changes no
//! value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use tidings_protocol::Json;

fuzz_target!(|text: &str| {
    let Ok(json) = Json::parse(text) else { return };
    serde_json::from_str::<&RawValue>(text).expect("serde_json refuses what we accept");
    assert_eq!(Json::parse(json.as_str()).as_ref(), Ok(&json), "stripped text reads as itself");
    assert!(!json.as_str().contains(['\n', '\r', '\t']), "raw white space is left");
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(text) {
        assert_eq!(json.to::<serde_json::Value>().ok(), Some(value), "stripping changed the meaning");
    }
});
