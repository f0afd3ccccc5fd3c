//! `cargo xtask simulate`: runs seeds and reports their results.
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::{
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use clap::Parser;
use tidings_simulation::{
    run::{self, Outcome},
    tally::Tally,
};

/// Broken seeds that are reported before the program stops.
const BROKEN_MAX: usize = 20;

/// Tests both cores in virtual time. Each seed is one world with its own faults.
#[derive(Debug, Parser)]
#[command(name = "simulate", bin_name = "cargo xtask simulate")]
struct Args {
    /// Number of seeds to run [default: 1000, or up to 500 for each fault with --planted]
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
    /// The first seed.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    start: u64,
    /// Run one seed and print its trace.
    #[arg(long, value_name = "SEED", conflicts_with_all = ["planted", "seeds", "start"])]
    replay: Option<u64>,
    /// Plant this fault in the replayed seed.
    #[arg(long, value_name = "FAULT", requires = "replay")]
    plant: Option<String>,
    /// Plant each known fault in turn, and run seeds until one of them catches it.
    #[arg(long)]
    planted: bool,
}

/// Number of seeds after which every kind of event must have occurred.
const ENOUGH: u64 = 1_000;

fn main() -> ExitCode {
    let Args { seeds, start, replay: seed, plant: fault, planted: with_faults } = Args::parse();
    let holds = match (seed, fault) {
        (Some(seed), Some(name)) => plant(&name) && replay(seed),
        (Some(seed), None) => replay(seed),
        (None, _) if with_faults => planted(start, seeds.unwrap_or(500)),
        (None, _) => simulate(start, seeds.unwrap_or(1_000)),
    };
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one seed with a readable trace.
fn replay(seed: u64) -> bool {
    let lived = run::one(seed, true);
    println!("\n{}", lived.tally);
    match lived.violation {
        Some(violation) => {
            println!("seed {seed}: {violation}");
            false
        }
        None => {
            println!("seed {seed} holds, trace {:016x}", lived.trace.unwrap_or_default());
            true
        }
    }
}

/// Runs many seeds.
fn simulate(start: u64, seeds: u64) -> bool {
    quiet();
    let clock = clock();
    let every = (seeds / 20).max(1);
    let told = AtomicUsize::new(0);
    let outcome = run::many(
        start,
        seeds,
        threads(),
        || (),
        |outcome| {
            let broken = &outcome.broken;
            for (seed, violation) in broken.iter().skip(told.swap(broken.len(), Relaxed)) {
                println!("seed {seed}: {violation}");
            }
            if outcome.seeds.is_multiple_of(every) {
                let Outcome { seeds: done, broken, .. } = outcome;
                println!("{done}/{seeds} seeds, {} broken, {}", broken.len(), speed(*done, &clock));
            }
            outcome.broken.len() < BROKEN_MAX
        },
    );
    summary(&outcome.tally);
    for (seed, violation) in &outcome.broken {
        println!("seed {seed}: {violation}\n    cargo xtask simulate --replay {seed}");
    }
    let broken = outcome.broken.len() as u64;
    if outcome.seeds >= ENOUGH && outcome.tally.missing().next().is_some() {
        println!("some events never happened: {ENOUGH} seeds without an event don't test it");
        return false;
    }
    let held = outcome.seeds - broken;
    println!("{held} seeds hold, {broken} do not: {}", speed(outcome.seeds, &clock));
    broken == 0
}

fn summary(tally: &Tally) {
    println!("\n{tally}");
    let missing: Vec<&str> = tally.missing().collect();
    if !missing.is_empty() {
        println!("  never happened: {}", missing.join(", "));
    }
}

#[cfg(not(feature = "planted-faults"))]
fn plant(_: &str) -> bool {
    planted(0, 0)
}

/// Plants a fault by its name; `false` if there is none of that name.
#[cfg(feature = "planted-faults")]
fn plant(name: &str) -> bool {
    use tidings_protocol::planted::{self, Planted};
    let fault = Planted::ALL.iter().find(|fault| fault.name() == name);
    if fault.is_none() {
        let names: Vec<&str> = Planted::ALL.iter().map(|fault| fault.name()).collect();
        println!("no planted fault is named `{name}`; the names are {}", names.join(", "));
    }
    planted::plant(fault.copied());
    fault.is_some()
}

#[cfg(not(feature = "planted-faults"))]
fn planted(_: u64, _: u64) -> bool {
    println!("planted faults need a build with `--features planted-faults`");
    false
}

/// Plants each fault and runs seeds until one catches it.
#[cfg(feature = "planted-faults")]
fn planted(start: u64, seeds: u64) -> bool {
    use tidings_protocol::planted::{self, Planted};
    quiet();
    println!("| planted fault | where | caught by seed | by | after seeds |");
    println!("|---|---|---|---|---|");
    let mut caught = 0;
    for fault in Planted::ALL {
        let outcome = run::many(
            start,
            seeds,
            threads(),
            || planted::plant(Some(*fault)),
            |outcome| outcome.broken.is_empty(),
        );
        let (name, place) = (fault.name(), fault.place());
        match outcome.broken.first() {
            Some((seed, violation)) => {
                caught += 1;
                let by = violation.invariant;
                println!("| {name} | {place} | {seed} | {by} | {} |", outcome.seeds);
            }
            None => println!("| {name} | {place} | not caught | | {} |", outcome.seeds),
        }
    }
    let missed = Planted::ALL.len() - caught;
    println!("\n{caught} planted faults are caught, {missed} are not");
    missed == 0
}

/// Panics are reported with their seed, not when they occur.
fn quiet() {
    std::panic::set_hook(Box::new(|_| ()));
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[expect(clippy::disallowed_methods, reason = "how long people wait is not part of any world")]
fn clock() -> std::time::Instant {
    std::time::Instant::now()
}

fn speed(seeds: u64, since: &std::time::Instant) -> String {
    let seconds = since.elapsed().as_secs_f64();
    format!("{:.0} seeds per second in {seconds:.0} s", seeds as f64 / seconds.max(0.001))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, error::ErrorKind};

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_has_a_help() {
        Args::command().debug_assert();
        let kind = |words: &[&str]| {
            let words = ["simulate"].iter().chain(words);
            Args::try_parse_from(words).map_err(|error| error.kind())
        };
        assert_eq!(kind(&["--help"]).unwrap_err(), ErrorKind::DisplayHelp);
        assert_eq!(kind(&["--seed"]).unwrap_err(), ErrorKind::UnknownArgument);
        assert_eq!(kind(&["--plant", "x"]).unwrap_err(), ErrorKind::MissingRequiredArgument);
        assert_eq!(kind(&["--planted", "--replay", "1"]).unwrap_err(), ErrorKind::ArgumentConflict);
        assert_eq!(kind(&["--replay", "7", "--plant", "x"]).unwrap().replay, Some(7));
        assert_eq!(kind(&["--start", "5", "--seeds", "2"]).unwrap().seeds, Some(2));
    }
}
