//! `cargo xtask simulate`: both cores in virtual time, over thousands of seeds; and the test suite
//! of that name.

use std::ffi::OsString;
use std::process::Command;

use crate::failure::Failure;
use crate::repo;
use crate::steps::Step;
use crate::suites::Counts;

/// Number of seeds in the suite.
const SEEDS: &str = "1000";
/// The compiler's error for planted faults in a build that could be released.
const REFUSAL: &str = "is refused in builds without debug assertions";
/// Crates that must not accept planted faults, because their builds are released.
const SHIPPED: [&str; 3] = ["crates/server", "crates/client-wasm", "crates/client-native"];

/// `cargo xtask simulate …`, with the simulation's own options.
pub(crate) fn run(args: &[OsString]) -> Result<(), Failure> {
    let planted = args.iter().any(|arg| arg.to_string_lossy().starts_with("--plant"));
    crate::cargo::in_the_open(simulation(planted).args(args))
}

/// Checks that seeds hold, that planted faults are caught, and that no release build accepts them.
pub(crate) fn suite(step: &mut Step) -> Result<Counts, Failure> {
    let mut counts = Counts::default();
    let mut one =
        |holds: bool| counts.add(if holds { Counts::one() } else { Counts::failed_one() });
    one(step.status(simulation(false).args(["--seeds", SEEDS]))?.success());
    one(step.status(simulation(true).arg("--planted"))?.success());
    for (package, profile) in [("tidings-server-core", "release"), ("tidings-client-core", "small")]
    {
        one(is_refused(package, profile, step)?);
    }
    for folder in SHIPPED {
        let manifest = repo::root().join(folder).join("Cargo.toml");
        one(!repo::read(&manifest)?.contains("planted-faults"));
    }
    Ok(counts)
}

fn simulation(planted: bool) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(repo::root()).env("CARGO_TERM_COLOR", "never");
    cargo.args(["run", "--quiet", "--profile", "simulation", "--package", "tidings-simulation"]);
    if planted {
        cargo.args(["--features", "planted-faults"]);
    }
    cargo.arg("--");
    cargo
}

/// Whether a package with planted faults fails to compile, for exactly that reason.
fn is_refused(package: &str, profile: &str, step: &mut Step) -> Result<bool, Failure> {
    let before = repo::read(step.log())?.matches(REFUSAL).count();
    let mut check = Command::new("cargo");
    check.current_dir(repo::root()).env("CARGO_TERM_COLOR", "never");
    check.args(["check", "--package", package, "--profile", profile]);
    let compiled = step.status(check.args(["--features", "planted-faults"]))?.success();
    let refused = repo::read(step.log())?.matches(REFUSAL).count() > before;
    if compiled || !refused {
        step.note(&format!("failed: {package} compiles with planted faults in {profile}"))?;
    }
    Ok(!compiled && refused)
}
