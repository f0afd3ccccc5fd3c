//! Every development task of the repository: `cargo xtask <command>`.
//!
//! One file per command, in the order of `COMMANDS` below. Shared parts: `steps` shows progress and
//! keeps logs, `fingerprint` recognises unchanged inputs, and `node`, `system` and `wasm::route`
//! know which programs the machine has and which may be installed.

mod cargo;
mod demo;
mod failure;
mod fingerprint;
mod first_inbox;
mod node;
mod package;
mod repo;
mod setup;
mod simulate;
mod size;
mod steps;
mod suites;
mod system;
mod types;
mod wasm;

use std::ffi::OsString;
use std::process::ExitCode;

use failure::Failure;
use lexopt::prelude::*;
use steps::{Outcome, Steps};
use wasm::Goal;

/// A command: its name, its arguments, its description.
type Entry = (&'static str, &'static str, &'static str);

const COMMANDS: [Entry; 12] = [
    (
        "demo",
        "[--svelte] [--cluster] [--prebuilt]",
        "run the example with a server on this machine, or with two, PostgreSQL, Redis and nginx",
    ),
    ("test", "[--only SUITE…] [--list]", "run all suites, real browser included"),
    (
        "setup",
        "[demo|test]",
        "install a command's requirements, or name the missing ones (default: test)",
    ),
    ("wasm", "", "build crates/client-wasm into npm/wasm"),
    ("package", "", "build npm/dist, the wasm inside"),
    ("types", "[--check]", "generate npm/src/generated from the Rust types"),
    ("size", "[--update]", "measure the bytes that a page loads until its first connect"),
    (
        "first-inbox",
        "[--runs N]",
        "measure the time until a page shows its first inbox, in Chromium on slow networks",
    ),
    ("bench", "[ARG…]", "run the load generator, in release mode"),
    (
        "simulate",
        "[--seeds N] [--start S] [--replay SEED] [--planted]",
        "test both cores in virtual time, each seed with its own faults (--help: all options)",
    ),
    ("fuzz", "[--seconds N]", "run every fuzz target for a while (needs cargo-fuzz)"),
    ("help", "", "print this help"),
];

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            if let Some(log) = failure.log() {
                eprintln!("{}", steps::tail(log, 40));
            }
            ExitCode::FAILURE
        }
    }
}

/// Runs one command; `false` if it ran to its end but found failures.
fn run() -> Result<bool, Failure> {
    let mut args = lexopt::Parser::from_env();
    let command = match args.next()? {
        Some(Value(command)) => text(command)?,
        None | Some(Long("help") | Short('h')) => "help".to_owned(),
        Some(other) => return Err(other.unexpected().into()),
    };
    match command.as_str() {
        "test" => return suites::run(&mut args),
        "demo" => demo::command(args)?,
        "setup" => setup::run(args)?,
        "wasm" => no_more(args).and_then(|()| build_wasm())?,
        "package" => no_more(args).and_then(|()| build_package())?,
        "types" => match flag(args, "check")? {
            true => types::check()?,
            false => types::write()?,
        },
        "size" => measure(flag(args, "update")?)?,
        "first-inbox" => first_inbox::measure(args)?,
        "bench" => cargo::bench(args.raw_args()?.collect())?,
        "simulate" => simulate::run(&args.raw_args()?.collect::<Vec<_>>())?,
        "fuzz" => cargo::fuzz(args)?,
        "help" => no_more(args).map(|()| help())?,
        other => return Err(Failure::Usage(format!("no command `{other}`"))),
    }
    Ok(true)
}

fn build_wasm() -> Result<(), Failure> {
    let log = repo::scratch().join("logs/wasm.log");
    Steps::new(1).run("Building the wasm", &log, |step| wasm::build(Goal::Soonest, step))?;
    println!("npm/wasm, by route {}", wasm::route_of_result().as_deref().unwrap_or("unknown"));
    Ok(())
}

fn build_package() -> Result<(), Failure> {
    let mut steps = Steps::new(2);
    let logs = repo::scratch().join("logs");
    steps.run("Building the wasm", &logs.join("wasm.log"), |s| wasm::build(Goal::Soonest, s))?;
    steps.run("Building the npm package", &logs.join("package.log"), package::build)
}

fn measure(update: bool) -> Result<(), Failure> {
    let log = repo::scratch().join("logs/size.log");
    let mut report = None;
    Steps::new(1).run("Measuring what a page loads", &log, |step| {
        wasm::build(Goal::Measured, step)?;
        package::build(step)?;
        report = Some(size::measure(step)?);
        Ok(Outcome::Done)
    })?;
    let Some(report) = report else { return Ok(()) };
    println!("{}", report.table());
    if update {
        return report.commit();
    }
    if let Outcome::Said(verdict) = report.check()? {
        println!("within bounds: {verdict}");
    }
    Ok(())
}

fn help() {
    println!("cargo xtask <command>\n");
    for (name, takes, does) in COMMANDS {
        println!("  {:<32} {does}", format!("{name} {takes}"));
    }
    println!("\nLogs are in target/xtask/logs and target/test-logs.");
}

/// The remaining command line must be `--name` or empty.
fn flag(mut args: lexopt::Parser, name: &str) -> Result<bool, Failure> {
    match args.next()? {
        None => Ok(false),
        Some(Long(given)) if given == name => no_more(args).map(|()| true),
        Some(other) => Err(other.unexpected().into()),
    }
}

/// The command line must end here.
fn no_more(mut args: lexopt::Parser) -> Result<(), Failure> {
    match args.next()? {
        None => Ok(()),
        Some(other) => Err(other.unexpected().into()),
    }
}

fn text(word: OsString) -> Result<String, Failure> {
    word.into_string().map_err(|word| Failure::Usage(format!("{} is not UTF-8", word.display())))
}
