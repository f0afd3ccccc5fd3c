//! Prints the TypeScript side of the border: `cargo run -p tidings-client-wasm --example ops --
//! ops`, or `lazy` or `samples` for one of the other files that `cargo xtask types` writes.

use std::io::{self, Write};

use tidings_client_wasm::{
    OPTIONS,
    ops::{self, Op, SHAPES},
    samples::samples,
};

fn main() -> io::Result<()> {
    let text = match std::env::args().nth(1).as_deref() {
        Some("lazy") => lazy(),
        Some("samples") => sampled(),
        _ => all(),
    };
    io::stdout().write_all(text.as_bytes())
}

/// Everything, for what a page loads first.
fn all() -> String {
    let mut out = header("crates/client-wasm/src/ops");
    out.push_str(
        "\nimport type { Fault } from '../error.js'\n\
         import type { ChannelSnapshot, Connection, FailedIntent, Gap, InboxSnapshot, Json } from '../types.js'\n\n\
         /** A text in JSON, of this shape. */\n\
         export type JsonText<T> = string & { readonly '~json'?: T }\n",
    );
    for shape in SHAPES {
        out.push('\n');
        out.push_str(&jsdoc(shape.docs));
        out.push_str(&format!("export type {} = {}\n", shape.name, shape.body));
    }
    out.push_str(&format!(
        "\n/** How views are filtered by state, each by its place. */\n\
         export const SHOWS = {} as const\n\n\
         /** Ways to the server, the best first, each by its place counted from 1. */\n\
         export const TRANSPORTS = {} as const\n\n\
         /** What a mark sets. */\n\
         export type Mark = {}\n\n\
         // What a ticket function gave.\n",
        list(ops::SHOWS, ", ", "[", "]"),
        list(ops::TRANSPORTS, ", ", "[", "]"),
        list(ops::MARKS, " | ", "", ""),
    ));
    for (number, (name, docs)) in ops::GIVEN.iter().enumerate() {
        out.push_str(&format!("/** {docs} */\nexport const {name} = {number}\n"));
    }
    let given: Vec<String> = (0..ops::GIVEN.len()).map(|number| number.to_string()).collect();
    out.push_str(&format!("export type Given = {}\n", given.join(" | ")));
    out.push_str(&format!(
        "\n/** From here on, only the deferred part of the module understands what it is told. */\n\
         export const DEFERRED = {}\n\
         /** Of what a host is asked: for the app, or for code that a page loads with the deferred part. */\n\
         export const TO_APP = {}\nexport const TO_WORLD = {}\n",
        ops::DEFERRED, ops::TO_APP, ops::TO_WORLD,
    ));
    let mut intents = ops::intents();
    for op in &mut intents {
        op.fields.insert(0, ("intent", "number".into()));
    }
    let inbound = [ops::startup_ops(), ops::deferred_ops(), intents].concat();
    let outbound = [ops::host_ops(), ops::app_ops(), ops::world_ops()];
    let reads = [ops::startup_reads(), ops::deferred_reads()].concat();
    for (heading, ops) in [
        ("What a page tells its core.", &inbound),
        ("What a page reads.", &reads),
        ("What a core asks of its host, and tells the app.", &outbound.concat()),
    ] {
        out.push_str(&format!("\n// {heading}\n"));
        for op in ops {
            out.push_str(&constant(op));
        }
    }
    out.push_str("\n/** What a page tells its core: the operation and its fields. */\n");
    out.push_str(&union("InboundOp", &inbound));
    out.push_str("\n/** Tells a core. */\nexport type Tell = (...op: InboundOp) => void\n");
    let [_, app, world] = &outbound;
    out.push_str("\n/** What a core asks of its host: the operation, a number and a text. */\n");
    out.push_str(&union("OutboundOp", &outbound.concat()));
    out.push_str("\n/** Of these, what the app hears. */\n");
    out.push_str(&union("AppOp", app));
    out.push_str("\n/** Of these, what code does that a page loads with the deferred part. */\n");
    out.push_str(&union("WorldOp", world));
    out.push_str("\n/** What a page reads: the operation and its fields. */\n");
    out.push_str(&union("ReadOp", &reads));
    out.push_str("\n/** The texts that answer. */\nexport interface Answers {\n");
    for op in &reads {
        let answer = op.answer.as_deref().unwrap_or_default();
        out.push_str(&format!("  [{}]: {answer}\n", op.name));
    }
    out.push_str("}\n");
    let options: Vec<String> = OPTIONS
        .iter()
        .map(|(name, kind)| {
            let kind = match *kind {
                "String" => "string",
                "bool" => "boolean",
                "Place" => "number | undefined",
                _ => "number",
            };
            format!("{}: {kind}", camel(name))
        })
        .collect();
    out.push_str(&format!(
        "\n/** What a core is made with; crates/client-wasm/src/core.rs says what each means. */\n\
         export type CoreOptions = [{}]\n",
        options.join(", "),
    ));
    out
}

/// The numbers that code knows which loads later: from a file of its own, because it would take the
/// page's with it.
fn lazy() -> String {
    let mut out = header("crates/client-wasm/src/ops");
    let deferred = ops::deferred_ops();
    for op in ops::world_ops().iter().chain(&deferred) {
        out.push_str(&format!("export const {} = {}\n", op.name, op.number));
    }
    out
}

/// A list for the compiler: each text as a value of its shape.
fn sampled() -> String {
    let mut out = header("crates/client-wasm/src/samples.rs");
    let samples = samples();
    let names: Vec<&str> = SHAPES
        .iter()
        .map(|shape| shape.name)
        .filter(|name| samples.iter().any(|sample| sample.shape == *name))
        .collect();
    out.push_str(&format!(
        "\nimport type {{ {} }} from '../../src/generated/ops.js'\n\n\
         /** What the core writes, as TypeScript takes it. */\nexport const samples = [\n",
        names.join(", ")
    ));
    for sample in samples {
        out.push_str(&format!("  {} satisfies {},\n", sample.text, sample.shape));
    }
    out.push_str("]\n");
    out
}

fn header(from: &str) -> String {
    format!("// Generated from {from} by `cargo xtask types`. Don't edit: change the Rust table.\n")
}

fn constant(op: &Op) -> String {
    format!("{}export const {} = {}\n", jsdoc(op.docs), op.name, op.number)
}

fn union(name: &str, ops: &[Op]) -> String {
    let mut out = format!("export type {name} =\n");
    for op in ops {
        let comma = if op.fields.is_empty() { "" } else { ", " };
        out.push_str(&format!("  | [op: typeof {}{comma}{}]\n", op.name, fields(op)));
    }
    out
}

fn fields(op: &Op) -> String {
    let field = |(name, kind): &(&str, String)| format!("{}: {kind}", camel(name));
    op.fields.iter().map(field).collect::<Vec<_>>().join(", ")
}

/// A name as TypeScript writes it.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (head, tail) = word.split_at(1);
        name + &head.to_uppercase() + tail
    })
}

fn jsdoc(lines: &[&str]) -> String {
    let text: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    format!("/** {} */\n", text.join(" "))
}

fn list(words: &[&str], between: &str, open: &str, close: &str) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    format!("{open}{}{close}", words.join(between))
}
