//! Node, npm, and the packages of the JavaScript folders.

use std::path::Path;
use std::process::Command;

use crate::failure::Failure;
use crate::fingerprint::{Fingerprint, Stamp};
use crate::repo;
use crate::steps::Step;
use crate::system::output_of;

/// The oldest Node that the package, its tools and the examples support.
const OLDEST: (u32, u32) = (20, 19);

/// Checks that node and npm exist and are new enough.
pub(crate) fn check() -> Result<(), Failure> {
    let fix = "install Node 20.19 or newer from https://nodejs.org (Debian 12's own is too old)";
    let missing = |what: String| Failure::Missing { what, fix: fix.to_owned() };
    let Some(version) = output_of(Command::new("node").arg("--version")) else {
        return Err(missing("node, for building and testing the npm package".to_owned()));
    };
    if parse(&version).is_none_or(|found| found < OLDEST) {
        let (major, minor) = OLDEST;
        let found = version.trim();
        return Err(missing(format!("a newer node: found {found}, need {major}.{minor}")));
    }
    if output_of(Command::new("npm").arg("--version")).is_none() {
        return Err(missing("npm, which comes with node".to_owned()));
    }
    Ok(())
}

/// Runs `npm ci` if the lock file changed since the last time. Returns whether it ran.
pub(crate) fn install(folder: &Path, step: &mut Step) -> Result<bool, Failure> {
    let lock = folder.join("package-lock.json");
    if !lock.is_file() {
        let what = format!("{}, which pins the packages to install", repo::shown(&lock));
        let fix = "npm install --package-lock-only, and commit the file".to_owned();
        return Err(Failure::Missing { what, fix });
    }
    let fingerprint = Fingerprint::new("npm ci").tree(&lock, &[])?.finish();
    let stamp = Stamp::inside(&folder.join("node_modules"), "install");
    if stamp.matches(&fingerprint) {
        return Ok(false);
    }
    step.run(npm(folder).args(["ci", "--no-audit", "--no-fund"]))?;
    stamp.set(&fingerprint)?;
    Ok(true)
}

/// npm in a folder.
pub(crate) fn npm(folder: &Path) -> Command {
    let mut command = Command::new("npm");
    // Colours would end up in logs and disturb the counting of tests.
    command.current_dir(folder).env("NO_COLOR", "1").env("FORCE_COLOR", "0").env("CI", "1");
    command
}

/// A tool from a folder's packages.
pub(crate) fn tool(folder: &Path, name: &str) -> Result<Command, Failure> {
    let path = folder.join("node_modules/.bin").join(name);
    if !path.exists() {
        let what = format!("{name}, a devDependency of {}", repo::shown(folder));
        let fix = format!("npm install --save-dev {name} in {}", repo::shown(folder));
        return Err(Failure::Missing { what, fix });
    }
    Ok(Command::new(path))
}

fn parse(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim().strip_prefix('v')?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_node_versions() {
        assert_eq!(parse("v20.19.5\n"), Some((20, 19)));
        assert!(parse("v18.20.4").is_some_and(|found| found < OLDEST));
        assert_eq!(parse("bash: node: not found"), None);
    }
}
