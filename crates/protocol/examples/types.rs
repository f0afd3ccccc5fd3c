//! Prints the TypeScript side of the protocol: `cargo run -p tidings-protocol --features ts
//! --example types`.

use std::io::{self, Write};

use tidings_protocol::{
    ErrorCode, VERSION, limits,
    ts::{self, Declaration},
};

fn main() -> io::Result<()> {
    let mut out = String::from(HEADER);
    out.push_str(&format!(
        "\n/** The protocol version that a client states in `connect`. */\nexport const VERSION = {VERSION}\n"
    ));
    for part in ts::parts() {
        out.push('\n');
        out.push_str(&one_line(&part.docs));
        out.push_str(&format!("export type {} = {}\n", part.name, tidy(&part.body, 0)));
    }
    messages(&mut out, "ClientMessage", "from client to server", &ts::client_messages());
    messages(&mut out, "ServerMessage", "from server to client", &ts::server_messages());
    codes(&mut out);
    limits_table(&mut out);
    io::stdout().write_all(out.as_bytes())
}

/// An interface that maps each `type` to its message, and the union of all.
fn messages(out: &mut String, name: &str, direction: &str, messages: &[Declaration]) {
    out.push_str(&format!(
        "\n/** Messages {direction}, by their `type`. */\nexport interface {name}s {{\n"
    ));
    for message in messages {
        for line in one_line(&message.docs).lines() {
            out.push_str(&format!("  {line}\n"));
        }
        out.push_str(&format!("  {}: {}\n", message.name, tidy(&message.body, 1)));
    }
    out.push_str(&format!(
        "}}\n\n/** A message {direction}. */\nexport type {name} = {name}s[keyof {name}s]\n"
    ));
}

fn codes(out: &mut String) {
    out.push_str("\n/** Every error code: the party at fault, the client's reaction, the close code, the HTTP status, and advice. */\n");
    out.push_str("export const ERROR_CODES = {\n");
    for code in ErrorCode::ALL {
        let close = code.close().map_or_else(|| "null".to_owned(), |close| close.0.to_string());
        out.push_str(&format!(
            "  {code}: {{ fault: '{}', retry: '{}', close: {close}, status: {}, advice: {:?} }},\n",
            code.fault().as_str(),
            code.retry().as_str(),
            code.http(),
            code.advice(),
        ));
    }
    out.push_str(
        "} as const\n\n/** A code that this version knows; newer servers may send others. */\n",
    );
    out.push_str("export type ErrorCode = keyof typeof ERROR_CODES\n");
}

fn limits_table(out: &mut String) {
    out.push_str(
        "\n/** Sizes and counts that client and server both know. */\nexport const LIMITS = {\n",
    );
    let table = [
        ("connectBytes", limits::CONNECT_BYTES as u64),
        ("messageBytes", limits::MESSAGE_BYTES as u64),
        ("publishBytes", limits::PUBLISH_BYTES as u64),
        ("infoBytes", limits::INFO_BYTES as u64),
        ("userBytes", limits::USER_BYTES as u64),
        ("nameBytes", limits::NAME_BYTES as u64),
        ("namespaceBytes", limits::NAMESPACE_BYTES as u64),
        ("cursors", limits::CURSORS as u64),
        ("pageMax", limits::PAGE_MAX.into()),
        ("pageDefault", limits::PAGE_DEFAULT.into()),
        ("markOffsets", limits::MARK_OFFSETS as u64),
        ("depth", limits::DEPTH as u64),
        ("maxOffset", limits::MAX_OFFSET),
        ("usersPerPublish", limits::USERS_PER_PUBLISH as u64),
        ("kindBytes", limits::KIND_BYTES as u64),
        ("titleBytes", limits::TITLE_BYTES as u64),
        ("textBytes", limits::TEXT_BYTES as u64),
        ("urlBytes", limits::URL_BYTES as u64),
        ("idBytes", limits::ID_BYTES as u64),
        ("idempotencyKeyBytes", limits::IDEMPOTENCY_KEY_BYTES as u64),
    ];
    for (name, value) in table {
        out.push_str(&format!("  {name}: {value},\n"));
    }
    out.push_str("} as const\n");
}

/// Puts a doc comment on one line, without the brackets of Rust's links.
fn one_line(docs: &str) -> String {
    let text = docs.trim().trim_start_matches("/**").trim_end_matches("*/").lines();
    let words: Vec<_> = text.map(|line| line.trim_start_matches([' ', '*']).trim()).collect();
    let text = words.join(" ").replace("[`crate::", "[`").replace("[`", "`").replace("`]", "`");
    if text.is_empty() { text } else { format!("/** {} */\n", text.trim()) }
}

/// Puts each field of an object type on its own line, and its doc comment on one line before it.
fn tidy(body: &str, level: usize) -> String {
    let Some(fields) = body.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return body.to_owned();
    };
    let indent = "  ".repeat(level + 1);
    let mut out = String::from("{\n");
    let mut rest = fields.trim();
    while !rest.is_empty() {
        if let Some((comment, after)) = rest.strip_prefix("/**").and_then(|r| r.split_once("*/")) {
            let comment = one_line(&format!("/**{comment}*/"));
            out.push_str(&format!("{indent}{comment}"));
            rest = after.trim_start();
            continue;
        }
        let end = field_end(rest);
        let field = rest.get(..end).unwrap_or(rest).trim();
        out.push_str(&format!("{indent}{field}\n"));
        rest = rest.get(end + 1..).unwrap_or_default().trim_start();
    }
    out.push_str(&"  ".repeat(level));
    out.push('}');
    out
}

/// Finds the comma at the end of a field, outside brackets.
fn field_end(text: &str) -> usize {
    let mut depth = 0;
    for (at, char) in text.char_indices() {
        match char {
            '{' | '[' | '<' => depth += 1,
            '}' | ']' | '>' => depth -= 1,
            ',' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

const HEADER: &str = "// Generated from crates/protocol by `cargo xtask types`. Don't edit: change the Rust types.\n";
