//! Commands that run cargo with certain arguments.

use std::ffi::OsString;
use std::process::Command;

use lexopt::prelude::*;

use crate::failure::Failure;
use crate::repo;
use crate::steps::shown;
use crate::system::output_of;

/// `cargo xtask bench …`: the load generator, with its own options.
pub(crate) fn bench(args: Vec<OsString>) -> Result<(), Failure> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(repo::root()).args(["run", "--release", "--package", "tidings-bench", "--"]);
    in_the_open(cargo.args(args))
}

/// `cargo xtask fuzz`: runs every target for a while.
pub(crate) fn fuzz(mut args: lexopt::Parser) -> Result<(), Failure> {
    let mut seconds: u64 = 60;
    while let Some(arg) = args.next()? {
        match arg {
            Long("seconds") => seconds = args.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    let mut list = Command::new("cargo");
    list.current_dir(repo::root()).args(["fuzz", "list"]);
    let Some(targets) = output_of(&mut list) else {
        return Err(Failure::Missing {
            what: "cargo-fuzz, or a folder fuzz/ with targets".to_owned(),
            fix: "cargo install cargo-fuzz".to_owned(),
        });
    };
    for target in targets.lines() {
        let mut run = Command::new("cargo");
        // Stable compilers can fuzz, too: without a sanitizer only the coverage flags are unstable,
        // and safe code gives a sanitizer little to find.
        run.current_dir(repo::root()).env("RUSTC_BOOTSTRAP", "1");
        run.args(["fuzz", "run", "-s", "none", target, "--"]);
        in_the_open(run.arg(format!("-max_total_time={seconds}")))?;
    }
    Ok(())
}

/// Runs a command on this terminal.
pub(crate) fn in_the_open(command: &mut Command) -> Result<(), Failure> {
    let shown = shown(command);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Command { shown, status, log: None }),
        Err(source) => Err(Failure::Io { doing: format!("run `{shown}`"), source }),
    }
}
