//! `cargo xtask demo`: from a fresh clone to an inbox in the browser, and a server that the user
//! may kill.

mod children;
mod cluster;
mod port;

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lexopt::prelude::*;

use crate::failure::Failure;
use crate::node;
use crate::package::{self, Example};
use crate::repo;
use crate::steps::{Outcome, Step, Steps};
use crate::wasm::{self, Goal};
use children::{Child, pause};

/// How long the server stays down after a kill: long enough for pages to notice.
const AWAY: Duration = Duration::from_secs(2);
/// The API key of every `--dev` server.
const API_KEY: &str = "dev";
/// The user that the example shows at first.
const USER: &str = "mina";

/// The options of the command.
#[derive(Clone, Copy)]
struct Wanted {
    example: Example,
    built: Built,
}

/// Whether to build first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Built {
    /// Builds results that are missing or stale.
    Now,
    /// Builds nothing: all results are there.
    Before,
}

/// Runs the demo with these arguments until Ctrl-C.
pub(crate) fn command(mut args: lexopt::Parser) -> Result<(), Failure> {
    let mut wanted = Wanted { example: Example::React, built: Built::Now };
    let mut in_a_cluster = false;
    while let Some(arg) = args.next()? {
        match arg {
            Long("svelte") => wanted.example = Example::Svelte,
            Long("cluster") => in_a_cluster = true,
            Long("prebuilt") => wanted.built = Built::Before,
            other => return Err(other.unexpected().into()),
        }
    }
    match in_a_cluster {
        true => cluster::run(wanted),
        false => run(wanted),
    }
}

/// Builds missing or stale results, and runs one framework's example until Ctrl-C.
fn run(wanted: Wanted) -> Result<(), Failure> {
    let Wanted { example, built } = wanted;
    let logs = repo::scratch().join("logs");
    let mut steps = Steps::new(2 + built.steps());
    steps.run("Checking node and npm", &logs.join("demo-node.log"), |_| {
        node::check().map(|()| Outcome::Done)
    })?;
    prepare(wanted, &mut steps)?;
    let stop = stop_by_ctrl_c()?;

    let ports = Ports { server: port::free_from(8787)?, page: port::free_from(5173)? };
    let mut server = None;
    let mut backend = None;
    let log = logs.join("demo-start.log");
    steps.run("Starting the server and the example's backend", &log, |_| {
        let child = server.insert(start_server(ports)?);
        child.wait_until_it_answers(ports.server, "/healthz", &stop)?;
        let child = backend.insert(start_backend(example, ports.page, &ports.server_url())?);
        child.wait_until_it_answers(ports.page, "/", &stop)?;
        Ok(Outcome::Done)
    })?;
    let (Some(mut server), Some(mut backend)) = (server, backend) else { return Ok(()) };
    print_guide(example, ports, &server);

    while !stop.load(Ordering::SeqCst) {
        if let Some(status) = backend.ended()? {
            return Err(Failure::Check(format!(
                "the example's backend ended with {status}: see {}",
                repo::shown(backend.log())
            )));
        }
        if let Some(status) = server.ended()? {
            println!("The server is gone ({status}); starting it again in {} s.", AWAY.as_secs());
            pause(AWAY, &stop);
            if !stop.load(Ordering::SeqCst) {
                server = start_server(ports)?;
                server.wait_until_it_answers(ports.server, "/healthz", &stop)?;
                println!("It is back with its data. Kill it again: kill -9 {}", server.pid());
            }
        }
        pause(Duration::from_millis(100), &stop);
    }
    println!("\nStopping.");
    backend.stop();
    server.stop();
    Ok(())
}

/// A flag that Ctrl-C sets, or the end of the terminal.
fn stop_by_ctrl_c() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    ctrlc::set_handler(move || asked.store(true, Ordering::SeqCst))
        .map_err(|error| Failure::Check(format!("could not listen for Ctrl-C: {error}")))?;
    Ok(stop)
}

impl Built {
    /// The number of steps of [`prepare`].
    fn steps(self) -> usize {
        match self {
            Self::Now => 4,
            Self::Before => 0,
        }
    }
}

/// Builds everything the example needs.
fn prepare(wanted: Wanted, steps: &mut Steps) -> Result<(), Failure> {
    let Wanted { example, built } = wanted;
    if built == Built::Before {
        return Ok(());
    }
    let logs = repo::scratch().join("logs");
    let log = |name: &str| logs.join(format!("{name}.log"));
    steps.run("Building the wasm", &log("wasm"), |step| wasm::build(Goal::Soonest, step))?;
    steps.run("Building the npm package", &log("package"), package::build)?;
    let title = format!("Building the {} example", example.framework());
    steps.run(&title, &log("example"), |step| package::build_example(example, step))?;
    steps.run("Building the server (release; minutes the first time)", &log("server"), build_server)
}

fn build_server(step: &mut Step) -> Result<Outcome, Failure> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(repo::root()).args(["build", "--release", "--package", "tidings-server"]);
    step.run(&mut cargo).map(|()| Outcome::Done)
}

/// The server's binary: `TIDINGS_BIN`, or this workspace's release build.
fn server() -> PathBuf {
    let built = || repo::target().join("release/tidings");
    env::var_os("TIDINGS_BIN").map_or_else(built, PathBuf::from)
}

/// The ports in use; the usual ones if they were free.
#[derive(Clone, Copy)]
struct Ports {
    server: u16,
    page: u16,
}

impl Ports {
    fn server_url(self) -> String {
        format!("http://127.0.0.1:{}", self.server)
    }
}

fn data_folder() -> PathBuf {
    repo::root().join(".tidings/demo")
}

fn start_server(ports: Ports) -> Result<Child, Failure> {
    let mut command = Command::new(server());
    command.current_dir(repo::root()).args(["serve", "--dev", "--listen"]);
    command.arg(format!("127.0.0.1:{}", ports.server)).arg("--data").arg(data_folder());
    let config = repo::root().join("examples/react/tidings.toml");
    if config.is_file() {
        command.arg("--config").arg(config);
    }
    Child::start(command, "demo-server")
}

fn start_backend(example: Example, page: u16, server_url: &str) -> Result<Child, Failure> {
    let mut command = Command::new("node");
    command.current_dir(example.folder()).arg("server.mjs");
    command.env("PORT", page.to_string());
    command.env("TIDINGS_URL", server_url).env("TIDINGS_API_KEY", API_KEY);
    Child::start(command, "demo-backend")
}

fn print_guide(example: Example, ports: Ports, server: &Child) {
    let server_url = ports.server_url();
    let other = match example {
        Example::React => "the same in Svelte: cargo xtask demo --svelte",
        Example::Svelte => "the same in React: cargo xtask demo",
    };
    println!(
        r#"
  Open        http://127.0.0.1:{page}   (in two tabs, if you like)
              written in {framework}; {other}

  Publish     curl {server_url}/v1/notifications \
                -H 'Authorization: Bearer {API_KEY}' -H 'Content-Type: application/json' \
                -d '{{"to":{{"user":"{USER}"}},"type":"message","title":"Hello","message":"from curl"}}'

  Break it    kill -9 {pid}
              The server is back after {away} s; the page shows each acknowledged notification once.

  Logs        {log}
  End         Ctrl-C
"#,
        page = ports.page,
        framework = example.framework(),
        pid = server.pid(),
        away = AWAY.as_secs(),
        log = repo::shown(server.log()),
    );
}
