//! `cargo xtask bench`: Tidings beside a Node `ws` server that does the same basic job, in one run
//! on one machine.
//!
//! The server under test has one core, the generator another. Subjects alternate, each run is a new
//! process, and figures are medians. One thread generates the load; the report prints its share of
//! a core, which shows when the generator was the bottleneck.
//!
//! | file | content |
//! |---|---|
//! | `args` | the command line |
//! | `machine` | cores, limits, and figures of a process from `/proc` |
//! | `subject` | starting and stopping either server, and the requests each understands |
//! | `http`, `socket`, `frames`, `events` | the lean clients |
//! | `swarm` | thousands of connections at once |
//! | `load` | publishers, and the figures taken while they publish |
//! | `idle`, `fanout`, `publish`, `fair` | the benches |
//! | `step` | progress: the current measurement and its duration |
//! | `report` | medians, ratios, table, JSON |
//! | `readme` | the figures as README.md states them |

mod args;
mod events;
mod fair;
mod fanout;
mod frames;
mod http;
mod idle;
mod load;
mod machine;
mod publish;
mod readme;
mod report;
mod socket;
mod step;
mod subject;
mod swarm;

use std::{io, process::ExitCode, time::Instant};

use clap::Parser as _;
use tokio::task::LocalSet;

use args::Args;
use report::Report;
use subject::Binaries;

/// The reason why a bench has no figures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// The system refused an operation.
    #[error("{what}: {source}")]
    Io {
        /// The operation.
        what: String,
        /// The system's error.
        source: io::Error,
    },
    /// A server misbehaved.
    #[error("{0}")]
    Subject(String),
    /// The arguments need more than this machine has.
    #[error("{0}")]
    Machine(String),
}

impl BenchError {
    /// For `map_err`: the system refused `what`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what: what.into(), source }
    }
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), BenchError> {
    let files = machine::raise_open_files()?;
    let most = args.connections.max(args.subscribers);
    if u64::from(most) + 200 > files {
        let message =
            format!("{most} connections need more open files than {files}: see ulimit -n");
        return Err(BenchError::Machine(message));
    }
    let cores = machine::Cores::pick()?;
    let binaries = Binaries::ready(args)?;
    // The runtime's threads inherit the binding, so it comes first.
    cores.pin_generator()?;
    let mut report = Report::new(args, &cores);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(BenchError::io("starting tokio"))?;
    LocalSet::new().block_on(&runtime, async {
        let began = Instant::now();
        for run in 1..=args.runs {
            let label = format!("run {run} of {}", args.runs);
            idle::run(args, &binaries, &cores, &label, &mut report).await?;
            fanout::run(args, &binaries, &cores, &label, &mut report).await?;
            publish::run(args, &binaries, &cores, &label, &mut report).await?;
            fair::run(args, &binaries, &cores, &label, &mut report).await?;
        }
        eprintln!("all of it took {} s", began.elapsed().as_secs());
        Ok(())
    })?;
    report.print();
    report.write(&args.json)?;
    match &args.readme {
        Some(file) => readme::write(file, &report),
        None => Ok(()),
    }
}
