//! Parts that several suites use: the golden messages, and texts made from them.

use std::{collections::BTreeMap, fs, path::PathBuf};

use proptest::prelude::*;

/// Folder of the golden messages.
pub(crate) fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/protocol")
}

/// The folder's files: name without `.json`, and text without the final newline.
pub(crate) fn read(folder: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(fixtures().join(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            all.insert(name, text.strip_suffix('\n').unwrap().to_owned());
        }
    }
    assert!(!all.is_empty(), "{folder} has fixtures");
    all
}

/// One of a folder's messages.
pub(crate) fn fixture(folder: &'static str) -> impl Strategy<Value = String> {
    proptest::sample::select(read(folder).into_values().collect::<Vec<_>>())
}

/// An edit: position (scaled to the text), number of characters to cut, and the text to insert.
pub(crate) type Edit = (prop::sample::Index, usize, String);

/// Up to three edits that a broken or hostile writer might make.
pub(crate) fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let piece = prop_oneof![
        proptest::sample::select(PIECES).prop_map(str::to_owned),
        "[0-9]{1,3}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), 0..4_usize, piece), 0..3)
}

/// Applies edits at character boundaries.
pub(crate) fn edited(text: &str, edits: &[Edit]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (place, cut, piece) in edits {
        let from = place.index(chars.len() + 1);
        let to = (from + cut).min(chars.len());
        chars.splice(from..to, piece.chars());
    }
    chars.into_iter().collect()
}

const PIECES: &[&str] = &[
    "",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u",
    "\\ud83d",
    "\\udc4b",
    "\\ud83d\\udc4b",
    "\\u0041",
    "\\n",
    "\\x",
    "\\/",
    "-",
    "+",
    ".",
    "e",
    "E5",
    "e-9",
    "0",
    "00",
    "1e400",
    "null",
    "true",
    "false",
    "nul",
    "\n",
    "\t",
    " ",
    "\u{0}",
    "\u{1f}",
    "\u{7f}",
    "\u{feff}",
    "\"id\":3,",
    "\"type\":\"ping\",",
    "\"x\":{\"y\":[]},",
    "9007199254740992",
    "-0",
];
