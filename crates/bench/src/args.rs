//! What is asked for.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Benches of Tidings beside a Node `ws` server, in one run on one machine.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
pub(crate) struct Args {
    /// Which bench.
    #[arg(value_enum, default_value = "all")]
    pub(crate) bench: Bench,
    /// Runs of each; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=25))]
    pub(crate) runs: u32,
    /// Idle connections.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(100..=50_000))]
    pub(crate) connections: u32,
    /// Subscribers of the fan-out.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub(crate) subscribers: u32,
    /// Bytes of the app's payload, in fan-out and publish.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub(crate) bytes: u32,
    /// Publishers at once, in the publish bench.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) publishers: u32,
    /// Seconds measured for each figure, after one of warming up.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(crate) seconds: u32,
    /// A server binary. Default: this workspace's, built in release mode.
    #[arg(long)]
    pub(crate) server: Option<PathBuf>,
    /// Where the figures go as JSON.
    #[arg(long, default_value = "target/bench/latest.json")]
    pub(crate) json: PathBuf,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bench {
    /// All of them.
    All,
    /// Deliveries of everyone-messages.
    Fanout,
    /// Memory of connections that wait.
    Idle,
    /// Durable publishes.
    Publish,
}

impl Args {
    pub(crate) fn wants(&self, bench: Bench) -> bool {
        self.bench == Bench::All || self.bench == bench
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
