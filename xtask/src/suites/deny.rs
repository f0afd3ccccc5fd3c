//! Licences, bans, sources and known vulnerabilities of the crates, by cargo-deny, which is built
//! into `target/tools` if it is missing.

use std::path::PathBuf;
use std::process::Command;

use super::Counts;
use super::list::cargo;
use crate::failure::Failure;
use crate::repo;
use crate::steps::Step;

/// Pinned, because a new version has new findings.
const VERSION: &str = "0.20.2";

/// Each kind of check is a test. Advisories come from a database on GitHub: if it can't be reached,
/// they are skipped with a message.
pub(crate) fn run(step: &mut Step) -> Result<Counts, Failure> {
    let deny = install(step)?;
    let ask = |words: &[&str]| {
        let mut command = Command::new(&deny);
        command.current_dir(repo::root()).args(words);
        command
    };
    let mut counts = Counts::default();
    for kind in ["bans", "licenses", "sources"] {
        counts.add(Counts::of(step.status(&mut ask(&["check", kind]))?.success()));
    }
    if step.status(&mut ask(&["fetch", "db"]))?.success() {
        let check = ["check", "--disable-fetch", "advisories"];
        counts.add(Counts::of(step.status(&mut ask(&check))?.success()));
    } else {
        step.note("advisories are skipped: their database can't be reached from here")?;
        counts.skipped += 1;
    }
    Ok(counts)
}

fn install(step: &mut Step) -> Result<PathBuf, Failure> {
    let root = repo::target().join("tools").join(format!("cargo-deny-{VERSION}"));
    let deny = root.join("bin/cargo-deny");
    if deny.is_file() {
        return Ok(deny);
    }
    // Not optimised: it runs for seconds, but compiles for minutes.
    let mut install =
        cargo(&["install", "cargo-deny", "--version", VERSION, "--locked", "--debug"]);
    step.run(install.arg("--root").arg(&root).arg("--target-dir").arg(root.join("build")))?;
    let build = root.join("build");
    std::fs::remove_dir_all(&build).map_err(Failure::io("empty", &build))?;
    Ok(deny)
}
