//! `cargo xtask simulate`: runs seeds and reports their results.
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::{
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use tidings_simulation::{
    run::{self, Outcome},
    tally::Tally,
};

/// Broken seeds that are reported before the program stops.
const BROKEN_MAX: usize = 20;

/// The command line.
#[derive(Debug)]
enum Asked {
    /// A range of seeds.
    Seeds { start: u64, seeds: u64 },
    /// One seed, with its trace; with a planted fault, if one is named.
    Replay { seed: u64, plant: Option<String> },
    /// Every planted fault, each until it is caught.
    Planted { start: u64, seeds: u64 },
}

/// Number of seeds after which every kind of event must have occurred.
const ENOUGH: u64 = 1_000;

const USAGE: &str =
    "simulate [--seeds N] [--start S] | --replay SEED [--plant FAULT] | --planted [--seeds N]";

fn main() -> ExitCode {
    let asked = match asked(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(why) => {
            println!("{why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let holds = match asked {
        Asked::Replay { seed, plant: Some(name) } => plant(&name) && replay(seed),
        Asked::Replay { seed, plant: None } => replay(seed),
        Asked::Seeds { start, seeds } => simulate(start, seeds),
        Asked::Planted { start, seeds } => planted(start, seeds),
    };
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn asked(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let (mut start, mut seeds, mut replay, mut plant, mut planted) = (0, None, None, None, false);
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().and_then(|value| value.parse().ok());
            value.ok_or_else(|| format!("`{word}` wants a number"))
        };
        match word.as_str() {
            "--seeds" => seeds = Some(number()?),
            "--start" => start = number()?,
            "--replay" => replay = Some(number()?),
            "--plant" => plant = words.next(),
            "--planted" => planted = true,
            _ => return Err(format!("what is `{word}`?")),
        }
    }
    Ok(match (replay, planted) {
        (Some(seed), _) => Asked::Replay { seed, plant },
        (None, true) => Asked::Planted { start, seeds: seeds.unwrap_or(500) },
        (None, false) => Asked::Seeds { start, seeds: seeds.unwrap_or(1_000) },
    })
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
        println!("{ENOUGH} seeds in which something never happens prove nothing of it");
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
        println!("no planted fault `{name}`: {}", names.join(", "));
    }
    planted::plant(fault.copied());
    fault.is_some()
}

#[cfg(not(feature = "planted-faults"))]
fn planted(_: u64, _: u64) -> bool {
    println!("planted faults are in no ordinary build: --features planted-faults");
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
