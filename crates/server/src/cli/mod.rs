//! The command line: one file a command.

mod call;
mod doctor;
mod files;
mod serve;
mod tail;
mod token;

use std::{future::Future, io, net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use tidings_server::config::Flags;

/// Real-time notifications and messaging for web apps.
#[derive(Debug, Parser)]
#[command(name = "tidings", version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a server.
    Serve(Serve),
    /// Print a user's JWT, good for a day on a --dev server with the same data folder.
    Token {
        /// Whose.
        #[arg(long)]
        user: String,
        #[command(flatten)]
        folder: Folder,
    },
    /// Publish a notification.
    Publish(Publish),
    /// Print what a user's connection receives, one message a line.
    Tail {
        /// Whose inbox.
        #[arg(long)]
        user: String,
        /// Channels besides the inbox and system:all, such as room:42.
        #[arg(long = "channel")]
        channels: Vec<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Check settings and data folder of a server that is not running.
    Doctor {
        /// Give every channel a new epoch: after the data folder was restored from a backup.
        /// Clients start fresh.
        #[arg(long)]
        new_epochs: bool,
        #[command(flatten)]
        folder: Folder,
    },
}

#[derive(Debug, Args)]
struct Serve {
    /// For development: API key `dev`, tokens for anybody, pages of this machine. On loopback only.
    #[arg(long)]
    dev: bool,
    /// Where to listen [default: 127.0.0.1:8787]
    #[arg(long)]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    folder: Folder,
}

/// Which data folder.
#[derive(Debug, Args)]
struct Folder {
    /// The data folder [default: tidings-data]
    #[arg(long)]
    data: Option<PathBuf>,
    /// A settings file.
    #[arg(long)]
    config: Option<PathBuf>,
}

impl Folder {
    fn flags(self) -> Flags {
        Flags { data: self.data, config: self.config, ..Flags::default() }
    }
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("to").required(true))]
struct Publish {
    /// To one user; may be given several times.
    #[arg(long, group = "to")]
    user: Vec<String>,
    /// To the subscribers of a topic.
    #[arg(long, group = "to")]
    topic: Option<String>,
    /// To everyone.
    #[arg(long, group = "to")]
    everyone: bool,
    /// The app's name for this sort of notification.
    #[arg(long = "type", default_value = "message")]
    kind: String,
    /// One line.
    #[arg(long)]
    title: String,
    /// A few more.
    #[arg(long)]
    message: Option<String>,
    /// Where it leads: http(s) or relative.
    #[arg(long)]
    url: Option<String>,
    /// JSON for the app.
    #[arg(long)]
    data: Option<String>,
    /// Idempotency-Key: the same key publishes once.
    #[arg(long)]
    key: Option<String>,
    #[command(flatten)]
    server: Server,
}

/// Which server, and how to be let in.
#[derive(Debug, Args)]
struct Server {
    /// Its address.
    #[arg(long, default_value = "http://127.0.0.1:8787")]
    server: String,
    /// An API key; the default is that of --dev servers.
    #[arg(long, env = "TIDINGS_API_KEY", hide_env_values = true, default_value = "dev")]
    api_key: String,
}

/// A command failed; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Config(#[from] tidings_server::config::ConfigError),
    #[error(transparent)]
    Start(#[from] tidings_server::StartError),
    #[error("can't listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    #[error("the system lacks something: {0}")]
    System(#[from] io::Error),
    #[error("ended at once by a second signal: requests under way were not answered")]
    CutShort,
    #[error("{0}")]
    Refused(String),
    #[error("the server can't be reached: {0}")]
    Http(#[from] reqwest::Error),
    #[error("the connection broke: {0}")]
    Socket(#[from] tokio_tungstenite::tungstenite::Error),
}

/// Runs a command to its end.
pub(crate) fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Serve(serve) => {
            let flags = Flags { dev: serve.dev, listen: serve.listen, ..serve.folder.flags() };
            serve::serve(&flags)
        }
        Command::Token { user, folder } => token::token(&user, &folder.flags()),
        Command::Publish(publish) => on_runtime(call::publish(publish)),
        Command::Tail { user, channels, server } => on_runtime(tail::tail(user, channels, server)),
        Command::Doctor { new_epochs, folder } => doctor::doctor(new_epochs, &folder.flags()),
    }
}

fn on_runtime(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_publish_names_its_target() {
        let parse = |args: &[&str]| {
            Cli::try_parse_from([&["tidings", "publish", "--title", "t"], args].concat())
        };
        assert!(parse(&[]).is_err());
        assert!(parse(&["--user", "u1", "--user", "u2"]).is_ok());
        assert!(parse(&["--everyone"]).is_ok());
        assert!(parse(&["--everyone", "--user", "u1"]).is_err());
    }
}
