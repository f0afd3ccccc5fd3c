//! The suites in their order: those that fail soonest come first.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::counts::{Counts, scan};
use super::{conformance, contract, deny, docs};
use crate::failure::Failure;
use crate::node;
use crate::package::{self, Example};
use crate::repo;
use crate::simulate;
use crate::size;
use crate::steps::Step;
use crate::system::{
    self, CHROMEDRIVER, CHROMIUM, FIREFOX, NGINX, POSTGRESQL, REDIS, STRACE, WEBKIT, XVFB,
};
use crate::types;
use crate::wasm::{self, Goal};

/// A suite: its name, its subject, and the function that runs it.
pub(crate) struct Suite {
    /// Name for `--only` and for the log.
    pub(crate) name: &'static str,
    /// Text for the progress line.
    pub(crate) about: &'static str,
    /// Whether it is part of a full run on this machine.
    pub(crate) possible: fn() -> bool,
    /// Sets up and runs the suite; an error counts as one failed test.
    pub(crate) run: fn(&mut Step) -> Result<Counts, Failure>,
}

const fn suite(
    name: &'static str,
    about: &'static str,
    run: fn(&mut Step) -> Result<Counts, Failure>,
) -> Suite {
    Suite { name, about, possible: || true, run }
}

/// All of them.
pub(crate) const SUITES: [Suite; 16] = [
    suite("fmt", "formatting", |step| {
        check(step, cargo(&["fmt", "--all", "--check", "--", "--color", "never"]))
    }),
    suite("clippy", "lints of every crate", |step| {
        let all = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
        check(step, cargo(&all))
    }),
    suite("deny", "licences, bans, sources and advisories of dependencies", deny::run),
    suite("rust", "tests of every crate", rust),
    suite("simulation", "1,000 seeds hold, planted faults are caught", simulate::suite),
    suite("doc", "the crates' documentation", |step| {
        let mut doc = cargo(&["doc", "--workspace", "--no-deps"]);
        doc.env("RUSTDOCFLAGS", "-Dwarnings");
        check(step, doc)
    }),
    suite("types", "generated TypeScript is current", |_| types::check().map(|()| Counts::one())),
    suite("wasm", "the browser module", |step| {
        node::check()?;
        wasm::build(Goal::Measured, step).map(|_| Counts::one())
    }),
    suite("wasm-test", "the browser driver in Chromium", |step| {
        let succeeded = wasm::test(step)?;
        counted(step, succeeded)
    }),
    suite("npm", "the npm package", npm),
    suite("size", "what a page loads", |step| {
        build_package(step)?;
        let report = size::measure(step)?;
        step.note(&report.table())?;
        report.check().map(|_| Counts::one())
    }),
    suite("e2e", "browser, server and network together", e2e),
    suite("engines", "the same scenarios in Chromium, Firefox and WebKit", engines),
    suite("conformance", "the WebSocket protocol, by an outside suite", conformance::run),
    suite("contract", "the REST surface against its description", contract::run),
    suite("docs", "links, paths and figures in the documentation, and names", docs::run),
];

fn rust(step: &mut Step) -> Result<Counts, Failure> {
    system::ensure(&[STRACE, POSTGRESQL, REDIS, NGINX], step)?;
    // The browser driver's integration tests need a browser: suite wasm-test.
    let test = ["test", "--workspace", "--exclude", "tidings-client-wasm", "--no-fail-fast"];
    let mut test = cargo(&test);
    // Tests of other crates run the server's binary, so it is built before the first test.
    test.env("TIDINGS_BIN", repo::target().join("debug/tidings"));
    let succeeded = step.status(&mut test)?.success();
    let unit = ["test", "--package", "tidings-client-wasm", "--lib", "--no-fail-fast"];
    let unit_succeeded = step.status(&mut cargo(&unit))?.success();
    counted(step, succeeded && unit_succeeded)
}

fn npm(step: &mut Step) -> Result<Counts, Failure> {
    system::ensure(&[CHROMIUM], step)?;
    build_package(step)?;
    let folder = repo::root().join("npm");
    let tested = step.status(node::npm(&folder).arg("test"))?.success();
    // Tests the packed tarball in a fresh app, which needs a browser and the registry.
    let pack = ["run", "test:pack"];
    let packed = step.status(node::npm(&folder).args(pack))?.success();
    let mut counts = counted(step, tested && packed)?;
    counts.add(check(step, npm_check(&folder))?);
    Ok(counts)
}

fn e2e(step: &mut Step) -> Result<Counts, Failure> {
    system::ensure(&[CHROMIUM, CHROMEDRIVER, NGINX, POSTGRESQL, REDIS], step)?;
    let (folder, mut test) = browser_tests(step)?;
    test.arg("test");
    // One test runs the demo.
    let this = std::env::current_exe().map_err(Failure::io("find", Path::new("this program")))?;
    test.env("TIDINGS_XTASK", this);
    let succeeded = step.status(&mut test)?.success();
    let mut counts = counted(step, succeeded)?;
    for folder in Example::ALL.map(Example::folder).into_iter().chain([folder]) {
        counts.add(check(step, npm_check(&folder))?);
    }
    Ok(counts)
}

fn engines(step: &mut Step) -> Result<Counts, Failure> {
    system::ensure(&[CHROMIUM, CHROMEDRIVER, FIREFOX, WEBKIT, XVFB, NGINX], step)?;
    let (_, mut test) = browser_tests(step)?;
    let succeeded = step.status(test.args(["run", "engines"]))?.success();
    counted(step, succeeded)
}

/// The folder of tests that need everything built, and npm in it.
fn browser_tests(step: &mut Step) -> Result<(PathBuf, Command), Failure> {
    build_package(step)?;
    for example in Example::ALL {
        package::build_example(example, step)?;
    }
    step.run(&mut cargo(&["build", "--package", "tidings-server"]))?;
    let folder = repo::root().join("e2e");
    node::install(&folder, step)?;
    let mut npm = node::npm(&folder);
    npm.env("TIDINGS_BIN", repo::target().join("debug/tidings"));
    Ok((folder, npm))
}

/// Types, lints and other checks of a folder's packages that run no code.
fn npm_check(folder: &Path) -> Command {
    let mut command = node::npm(folder);
    command.args(["run", "check"]);
    command
}

fn build_package(step: &mut Step) -> Result<(), Failure> {
    node::check()?;
    wasm::build(Goal::Measured, step)?;
    package::build(step).map(drop)
}

/// cargo at the root, without colours in its logs.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(repo::root()).env("CARGO_TERM_COLOR", "never").args(args);
    command
}

/// Counts a program as one test, which passes if it succeeds.
fn check(step: &mut Step, mut command: Command) -> Result<Counts, Failure> {
    Ok(Counts::of(step.status(&mut command)?.success()))
}

/// The counts from the log, compared with the runners' exit status.
fn counted(step: &mut Step, succeeded: bool) -> Result<Counts, Failure> {
    let mut counts = scan(&String::from_utf8_lossy(
        &std::fs::read(step.log()).map_err(Failure::io("read", step.log()))?,
    ));
    if let Some(contradiction) = counts.settle(succeeded) {
        step.note(contradiction)?;
    }
    Ok(counts)
}
