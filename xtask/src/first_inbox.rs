//! `cargo xtask first-inbox`: the time until a page shows its first inbox, in Chromium on slow
//! networks.

use std::process::Command;

use lexopt::prelude::*;

use crate::cargo::in_the_open;
use crate::failure::Failure;
use crate::node;
use crate::package;
use crate::repo;
use crate::steps::{Outcome, Steps};
use crate::system;
use crate::wasm::{self, Goal};

/// Builds the package and the server, then measures.
pub(crate) fn measure(mut args: lexopt::Parser) -> Result<(), Failure> {
    let mut runs: u32 = 15;
    while let Some(arg) = args.next()? {
        match arg {
            Long("runs") => runs = args.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    let folder = repo::root().join("e2e");
    let log = repo::scratch().join("logs/first-inbox.log");
    Steps::new(1).run("Building the package and the server", &log, |step| {
        system::ensure(&[system::CHROMIUM], step)?;
        wasm::build(Goal::Measured, step)?;
        package::build(step)?;
        let mut cargo = Command::new("cargo");
        cargo.current_dir(repo::root());
        step.run(cargo.args(["build", "--release", "--package", "tidings-server"]))?;
        node::install(&folder, step)?;
        Ok(Outcome::Done)
    })?;
    let mut npm = node::npm(&folder);
    npm.env("TIDINGS_BIN", repo::target().join("release/tidings")).env("RUNS", runs.to_string());
    in_the_open(npm.args(["run", "first-inbox"]))
}
