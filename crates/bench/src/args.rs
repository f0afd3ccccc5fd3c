//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Benches of Tidings beside a Node `ws` server, in one run on one machine.
#[derive(Debug, Parser)]
#[command(name = "bench", bin_name = "cargo xtask bench")]
pub(crate) struct Args {
    /// The benches to run. Default: all.
    #[arg(long, value_enum, num_args = 1.., value_name = "BENCH")]
    pub(crate) only: Vec<Bench>,
    /// Runs of each bench; the median is reported.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=25))]
    pub(crate) runs: u32,
    /// Number of idle connections.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(100..=50_000))]
    pub(crate) connections: u32,
    /// Number of subscribers in the fan-out bench.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub(crate) subscribers: u32,
    /// Size of the app's payload in bytes, in the fan-out and publish benches.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub(crate) bytes: u32,
    /// Number of concurrent publishers in the publish bench.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) publishers: u32,
    /// Measured seconds for each figure, after a second of warm-up.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(crate) seconds: u32,
    /// The server binary. Default: this workspace's, built in release mode.
    #[arg(long)]
    pub(crate) server: Option<PathBuf>,
    /// The file to write the figures to, as JSON.
    #[arg(long, default_value = "target/bench/latest.json")]
    pub(crate) json: PathBuf,
    /// The file in which to replace the table of figures, between `<!-- bench -->` and
    /// `<!-- /bench -->`. Needs all benches.
    #[arg(long, value_name = "README.md", conflicts_with = "only")]
    pub(crate) readme: Option<PathBuf>,
}

/// The benches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bench {
    /// Memory of idle connections.
    Idle,
    /// Broadcast deliveries per second over WebSocket, and the CPU time of each.
    Fanout,
    /// Broadcast deliveries per second over server-sent events, compared with WebSocket.
    Sse,
    /// Durable publishes per second.
    Publish,
    /// Durable publishes per second on PostgreSQL, compared with SQLite.
    Postgres,
    /// Connect latency of users during an attack, compared with none.
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
