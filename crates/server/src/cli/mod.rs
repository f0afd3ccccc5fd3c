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
    /// Print a JWT for a user, valid for a day on a --dev server with the same data folder.
    Token {
        /// The user id that the JWT names.
        #[arg(long)]
        user: String,
        #[command(flatten)]
        folder: Folder,
    },
    /// Publish a notification.
    Publish(Publish),
    /// Connect as a user and print the messages received, one a line.
    Tail {
        /// The user id whose inbox to follow.
        #[arg(long)]
        user: String,
        /// A channel to follow besides the inbox and system:all, such as room:42; may be given
        /// several times.
        #[arg(long = "channel")]
        channels: Vec<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Check the settings and the data folder or database. A server with a data folder must be
    /// stopped first.
    Doctor {
        /// Give every channel a new epoch, after a restore from a backup. Clients reload all data.
        #[arg(long)]
        new_epochs: bool,
        #[command(flatten)]
        folder: Folder,
    },
}

#[derive(Debug, Args)]
struct Serve {
    /// Run for development: the API key is `dev`, `POST /dev/tokens` returns a JWT for any user,
    /// and pages of this machine may connect. Listens on loopback only.
    #[arg(long)]
    dev: bool,
    /// The address and port to listen on [default: 127.0.0.1:8787]
    #[arg(long)]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    folder: Folder,
}

/// The data folder and the settings file.
#[derive(Debug, Args)]
struct Folder {
    /// The data folder [default: tidings-data]
    #[arg(long)]
    data: Option<PathBuf>,
    /// The settings file.
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
    /// The user id of a recipient; may be given several times.
    #[arg(long, group = "to")]
    user: Vec<String>,
    /// Send to the subscribers of this topic.
    #[arg(long, group = "to")]
    topic: Option<String>,
    /// Send to all users.
    #[arg(long, group = "to")]
    everyone: bool,
    /// The app's name for this sort of notification.
    #[arg(long = "type", default_value = "message")]
    kind: String,
    /// The title: one line of text.
    #[arg(long)]
    title: String,
    /// More lines of text below the title.
    #[arg(long)]
    message: Option<String>,
    /// The page it links to: http(s) or relative.
    #[arg(long)]
    url: Option<String>,
    /// Other data for the app, as JSON.
    #[arg(long)]
    data: Option<String>,
    /// The Idempotency-Key: repeated publishes with the same key are stored once.
    #[arg(long)]
    key: Option<String>,
    #[command(flatten)]
    server: Server,
}

/// The server to call, and the credential.
#[derive(Debug, Args)]
struct Server {
    /// The URL of the server.
    #[arg(long, default_value = "http://127.0.0.1:8787")]
    server: String,
    /// The API key; the default works with --dev servers.
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
