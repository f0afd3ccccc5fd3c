//! `cargo xtask wasm`: crates/client-wasm → npm/wasm, and the browser tests of the same crate.

mod debian;
mod optimize;
mod route;

use std::path::PathBuf;
use std::process::Command;

use crate::failure::Failure;
use crate::fingerprint::{Fingerprint, Stamp};
use crate::node;
use crate::repo;
use crate::steps::{Outcome, Step};
use crate::system;
pub(crate) use route::{Goal, Route};
use route::{Purpose, TARGET};

/// The files that a build leaves in npm/wasm.
const RESULTS: [&str; 5] = [
    "tidings_core.js",
    "tidings_core.d.ts",
    "tidings_core_bg.wasm",
    "tidings_core_startup.wasm",
    "tidings_core_deferred.wasm",
];

/// The folder from which the package takes the module.
pub(crate) fn folder() -> PathBuf {
    repo::root().join("npm/wasm")
}

/// The route of the existing module, if xtask built it.
pub(crate) fn route_of_result() -> Option<String> {
    let stamp = stamp().content()?;
    stamp.split_once(' ').map(|(_, route)| route.to_owned())
}

/// Builds module and glue, unless they are up to date.
pub(crate) fn build(goal: Goal, step: &mut Step) -> Result<Outcome, Failure> {
    let _alone = repo::lock(step)?;
    let inputs = inputs()?;
    if is_current(&inputs, goal) {
        return Ok(Outcome::Unchanged);
    }
    let npm = repo::root().join("npm");
    node::install(&npm, step)?;
    let route = Route::pick(goal, step)?;
    step.retitle(route.about());

    step.run(route.cargo("rustc", Purpose::Ship).current_dir(repo::root()))?;
    let module = route.target_dir().join(TARGET).join("small/tidings_client_wasm.wasm");

    let fresh = repo::scratch().join("wasm");
    let mut bindgen = Command::new("cargo");
    bindgen.current_dir(repo::root()).args(["run", "--package", "xtask-bindgen"]);
    bindgen.args(["--bin", "xtask-bindgen", "--"]);
    step.run(bindgen.arg(&module).arg(&fresh).arg("tidings_core"))?;
    for module in RESULTS.iter().filter(|name| name.ends_with(".wasm")) {
        optimize::shrink(&fresh.join(module), &npm, step)?;
    }

    // Files are moved only now: an interrupted build must not leave the glue of one build and the
    // wasm of another.
    let stamp = stamp();
    stamp.set("")?;
    for name in RESULTS {
        let bytes = std::fs::read(fresh.join(name)).map_err(Failure::io("read", &fresh))?;
        repo::write(&folder().join(name), &bytes)?;
    }
    stamp.set(&format!("{inputs} {}", route.name()))?;
    Ok(Outcome::Done)
}

/// Runs the crate's browser tests; their results are in the step's log.
pub(crate) fn test(step: &mut Step) -> Result<bool, Failure> {
    system::ensure(&[system::CHROMIUM, system::CHROMEDRIVER], step)?;
    let route = Route::pick(Goal::Measured, step)?;
    let mut build = Command::new("cargo");
    build.current_dir(repo::root()).args(["build", "--package", "xtask-bindgen"]);
    step.run(build.args(["--features", "test-runner", "--bin", "xtask-wasm-test-runner"]))?;

    let mut test = route.cargo("test", Purpose::Test);
    test.current_dir(repo::root()).args(["--tests", "--no-fail-fast"]);
    let runner = repo::target().join("debug/xtask-wasm-test-runner");
    test.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner);
    if let Some(driver) = system::find("chromedriver") {
        test.env("CHROMEDRIVER", driver);
    }
    Ok(step.status(&mut test)?.success())
}

fn is_current(inputs: &str, goal: Goal) -> bool {
    let Some(stamp) = stamp().content() else { return false };
    let Some((made_from, route)) = stamp.split_once(' ') else { return false };
    // A measurement does not take the module of another compiler if Debian's is installed.
    let route_fits = match std::env::var("TIDINGS_WASM_ROUTE") {
        Ok(asked) => asked == route,
        Err(_) => goal == Goal::Soonest || route == "debian" || debian::Debian::find().is_none(),
    };
    made_from == inputs && route_fits && RESULTS.iter().all(|name| folder().join(name).is_file())
}

/// Names the inputs of the results, and their route.
fn stamp() -> Stamp {
    Stamp::inside(&folder(), "wasm")
}

/// All inputs that decide the module's bytes, except the route.
fn inputs() -> Result<String, Failure> {
    let root = repo::root();
    let mut fingerprint = Fingerprint::new("wasm");
    for crate_name in ["protocol", "client", "client-wasm"] {
        fingerprint = fingerprint.tree(&root.join("crates").join(crate_name), &["tests"])?;
    }
    for file in
        ["Cargo.toml", "Cargo.lock", "npm/package-lock.json", "xtask/src/wasm", "xtask/bindgen"]
    {
        fingerprint = fingerprint.tree(&root.join(file), &[])?;
    }
    Ok(fingerprint.finish())
}
