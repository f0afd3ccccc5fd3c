//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Benches of Tidings beside a Node `ws` server, in one run on one machine.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
pub(crate) struct Args {
    /// What to measure. Default: everything.
    #[arg(long, value_enum, num_args = 1.., value_name = "WHAT")]
    pub(crate) only: Vec<Bench>,
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
    /// A file whose table of figures is written anew, between `<!-- bench -->` and `<!-- /bench
    /// -->`; needs everything measured.
    #[arg(long, value_name = "README.md", conflicts_with = "only")]
    pub(crate) readme: Option<PathBuf>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bench {
    /// Memory of connections that wait.
    Idle,
    /// Deliveries of everyone-messages over WebSocket, and the CPU of each.
    Fanout,
    /// The same as server-sent events, beside WebSocket.
    Sse,
    /// Durable publishes.
    Publish,
    /// Durable publishes on PostgreSQL, beside SQLite.
    Postgres,
    /// Connects of users while somebody attacks, beside the same without.
    Fair,
}

impl Args {
    /// Whether one of these is asked for.
    pub(crate) fn wants(&self, benches: &[Bench]) -> bool {
        self.only.is_empty() || benches.iter().any(|bench| self.only.contains(bench))
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

    #[test]
    fn what_is_measured_can_be_chosen() {
        let wants = |words: &[&str], benches: &[Bench]| {
            let words = ["bench"].iter().chain(words);
            Args::try_parse_from(words).unwrap().wants(benches)
        };
        assert!(wants(&[], &[Bench::Idle]));
        assert!(wants(&["--only", "sse", "idle"], &[Bench::Fanout, Bench::Sse]));
        assert!(!wants(&["--only", "sse"], &[Bench::Publish, Bench::Postgres]));
    }
}
