//! The scanner against serde_json, which defines "valid JSON" here.

use proptest::prelude::*;
use serde_json::{Value, value::RawValue};
use tidings_protocol::{
    Json,
    codec::Reason,
    json::{Scanner, push_str_escaped},
    limits::DEPTH,
};

#[test]
fn depth_is_bounded_and_not_by_the_stack() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(Json::parse(&nested(DEPTH)).is_ok());
    assert_eq!(Json::parse(&nested(DEPTH + 1)).unwrap_err().reason(), Reason::Depth);
    assert_eq!(Json::parse(&"[{\"a\":".repeat(1_000_000)).unwrap_err().reason(), Reason::Depth);
    let wide = format!("[{}{{}}]", "{\"a\":[[]]},".repeat(10_000));
    assert!(Json::parse(&wide).is_ok());
}

#[test]
fn refusals_say_what_and_where() {
    let cases = [
        ("", Reason::Ended, 0),
        ("{", Reason::Ended, 1),
        ("{\"a\"", Reason::Ended, 4),
        ("{\"a\":1,}", Reason::NotString, 7),
        ("{a:1}", Reason::NotString, 1),
        ("[1,]", Reason::Unexpected, 3),
        ("[1 2]", Reason::Unexpected, 3),
        ("[1}", Reason::Unexpected, 2),
        ("1 1", Reason::Trailing, 2),
        ("01", Reason::Number, 0),
        ("1.", Reason::Number, 0),
        ("-", Reason::Number, 0),
        ("1e+", Reason::Number, 0),
        (".5", Reason::Unexpected, 0),
        ("nulL", Reason::Unexpected, 0),
        ("\"\n\"", Reason::Control, 1),
        ("\"\\x\"", Reason::Escape, 2),
        ("\"\\u12g4\"", Reason::Escape, 5),
        ("\"\\ud800\"", Reason::Surrogate, 1),
        ("\"\\ud800\\u0041\"", Reason::Surrogate, 1),
        ("\"\\udc00\"", Reason::Surrogate, 1),
        ("\"abc", Reason::Ended, 4),
        ("\u{feff}1", Reason::Unexpected, 0),
        ("'a'", Reason::Unexpected, 0),
        ("NaN", Reason::Unexpected, 0),
    ];
    for (text, reason, at) in cases {
        let error = Json::parse(text).unwrap_err();
        assert_eq!((error.reason(), error.at()), (reason, at), "{text:?}");
    }
}

#[test]
fn integers_are_digits_up_to_what_javascript_counts_exactly() {
    let integer = |text| Scanner::new(text).integer().map_err(|error| error.reason());
    assert_eq!(integer("9007199254740991"), Ok(9_007_199_254_740_991));
    assert_eq!(integer("9007199254740992"), Err(Reason::TooLarge));
    assert_eq!(integer("99999999999999999999999999"), Err(Reason::TooLarge));
    for text in ["-1", "-0", "1.0", "1e3", "\"1\"", "null"] {
        assert_eq!(integer(text), Err(Reason::NotInteger), "{text}");
    }
    assert_eq!(integer("007"), Err(Reason::Number));
}

#[test]
fn a_kept_value_loses_white_space_and_nothing_else() {
    let value =
        Json::parse(" {\n\t\"a b\" : [ 1.50 , \"\\\" \\\\\" ] ,\r\n \"\\u0061\":{ } } ").unwrap();
    assert_eq!(value.as_str(), r#"{"a b":[1.50,"\" \\"],"\u0061":{}}"#);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn accepts_what_serde_json_accepts_and_refuses_what_it_refuses(value in json(), edits in crate::support::edits()) {
        let text = crate::support::edited(&value.to_string(), &edits);
        prop_assert_eq!(Json::parse(&text).is_ok(), valid(&text), "{}", text);
    }

    #[test]
    fn edited_messages_are_valid_json_to_both_or_to_neither(text in crate::support::fixture("server"), edits in crate::support::edits()) {
        let text = crate::support::edited(&text, &edits);
        prop_assert_eq!(Json::parse(&text).is_ok(), valid(&text), "{}", text);
    }

    #[test]
    fn stripped_text_is_serde_jsons_compact_text(value in json()) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let json = Json::parse(&pretty).unwrap();
        prop_assert_eq!(json.as_str(), value.to_string());
    }

    #[test]
    fn strings_escape_and_unescape_as_in_serde_json(text in any::<String>(), controls in "[\u{0}-\u{2f}\\\\\u{7f}]*") {
        let text = text + &controls;
        let mut out = String::new();
        push_str_escaped(&mut out, &text);
        prop_assert_eq!(&out, &serde_json::to_string(&text).unwrap());
        prop_assert_eq!(&*Scanner::new(&out).string().unwrap(), &text);

        let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        let units = format!("\"{units}\"");
        prop_assert_eq!(&*Scanner::new(&units).string().unwrap(), &text);
    }

    #[test]
    fn any_text_is_answered_without_a_panic(text in any::<String>()) {
        let _answer = Json::parse(&text);
    }
}

/// Whether serde_json accepts a text, apart from the documented differences: it limits numbers when
/// it reads values (Tidings never parses a payload's numbers), and it accepts lone surrogates in
/// skipped text (Tidings does not).
fn valid(text: &str) -> bool {
    match serde_json::from_str::<Value>(text) {
        Ok(value) => depth(&value) <= DEPTH,
        Err(error) if error.to_string().starts_with("number out of range") => {
            serde_json::from_str::<&RawValue>(text).is_ok()
        }
        Err(_) => false,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(values) => 1 + values.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e20..1e20_f64).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
