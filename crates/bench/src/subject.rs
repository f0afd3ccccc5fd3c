//! Either server: its start, its requests, its end.

use std::{
    env, fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde::Deserialize;
use tidings_backing::Postgres;
use tokio::time::{Instant, sleep};

use crate::{
    BenchError,
    args::Args,
    http::{Http, post},
    machine::{Cores, Process},
    socket::{First, Greeting},
};

/// `--dev` accepts this key, on loopback only.
const KEY: &str = "Authorization: Bearer dev\r\n";
/// Much longer than either server takes to start.
const START: Duration = Duration::from_secs(30);

/// The server under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tidings,
    /// Tidings with its default limits.
    TidingsLimited,
    /// Tidings on its own PostgreSQL, which shares the server's core.
    TidingsPostgres,
    /// A Node `ws` server without authentication, log or counts.
    Node,
    /// The same Node server, with an `fdatasync` for each publish.
    NodeDurable,
}

/// How messages are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// One WebSocket frame for each message.
    Frames,
    /// Several messages in a WebSocket frame.
    JoinedFrames,
    /// Server-sent events, each with an `id`.
    EventSource,
    /// Server-sent events without `id`.
    FetchedStream,
}

/// The recipient of a publish.
#[derive(Clone, Copy, Debug)]
pub(crate) enum To {
    Broadcast,
    /// The user with this number.
    User(u32),
}

/// The programs, and a folder for their data.
pub(crate) struct Binaries {
    tidings: PathBuf,
    node: PathBuf,
    /// Data of servers under test. It is beside the binaries, so that `fdatasync` reaches a disk;
    /// `/tmp` may not be one.
    scratch: PathBuf,
}

impl Binaries {
    /// Builds the server and installs `ws` if they are missing.
    pub(crate) fn ready(args: &Args) -> Result<Self, BenchError> {
        let own = env::current_exe().map_err(BenchError::io("finding this program"))?;
        let release = own.parent().unwrap_or_else(|| Path::new("."));
        let tidings = match &args.server {
            Some(path) => path.clone(),
            None => {
                eprintln!("building the server…");
                let target = release.parent().unwrap_or(release);
                let build =
                    ["build", "--release", "--package", "tidings-server", "--bin", "tidings"];
                let mut cargo =
                    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
                cargo.args(build).arg("--target-dir").arg(target);
                succeed(cargo.current_dir(env!("CARGO_MANIFEST_DIR")), "building the server")?;
                target.join("release/tidings")
            }
        };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("node");
        if !folder.join("node_modules/ws").is_dir() {
            eprintln!("installing ws…");
            let mut npm = Command::new("npm");
            npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder).stdout(Stdio::null());
            succeed(&mut npm, "npm ci in crates/bench/node")?;
        }
        Ok(Self { tidings, node: folder.join("server.mjs"), scratch: release.join("bench-data") })
    }
}

fn succeed(command: &mut Command, what: &str) -> Result<(), BenchError> {
    let status = command.stdin(Stdio::null()).status().map_err(BenchError::io(what))?;
    if status.success() {
        return Ok(());
    }
    Err(BenchError::Subject(format!("{what} failed: {status}")))
}

/// A running server. Ends when dropped.
pub(crate) struct Running {
    kind: Kind,
    pub(crate) address: SocketAddr,
    child: Child,
    folder: PathBuf,
    /// Dropped, and so ended, after the server.
    _postgres: Option<Postgres>,
}

impl Kind {
    fn is_tidings(self) -> bool {
        matches!(self, Self::Tidings | Self::TidingsLimited | Self::TidingsPostgres)
    }
}

impl Running {
    /// Starts the server on its core and waits until it answers.
    pub(crate) async fn start(
        kind: Kind,
        binaries: &Binaries,
        cores: &Cores,
    ) -> Result<Self, BenchError> {
        let address = free_address()?;
        let folder = binaries.scratch.join(address.port().to_string());
        fs::create_dir_all(&folder).map_err(BenchError::io("making a folder for data"))?;
        let mut command = Command::new("taskset");
        command.arg("--cpu-list").arg(cores.server.to_string());
        let postgres = match kind {
            Kind::TidingsPostgres => Some(postgres_on(cores)?),
            _ => None,
        };
        match kind {
            Kind::Tidings | Kind::TidingsLimited | Kind::TidingsPostgres => {
                let config = folder.join("tidings.toml");
                let limits = if kind == Kind::TidingsLimited { "" } else { LIMITS };
                fs::write(&config, format!("{LOG}{limits}"))
                    .map_err(BenchError::io("writing the settings"))?;
                command.arg(&binaries.tidings).args(["serve", "--dev", "--listen"]);
                command.arg(address.to_string()).arg("--data").arg(folder.join("data"));
                command.arg("--config").arg(config);
            }
            Kind::Node | Kind::NodeDurable => {
                command.args(["node", "--expose-gc"]).arg(&binaries.node);
                command.arg(folder.join("node.log")).arg(address.port().to_string());
            }
        }
        // Environment variables meant for another server must not configure this one.
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"TIDINGS_") {
                command.env_remove(name);
            }
        }
        if let Some(postgres) = &postgres {
            command.env("TIDINGS_STORE_URL", postgres.database());
        }
        let output = fs::File::create(folder.join("output"));
        let output = output.map_err(BenchError::io("keeping the server's output"))?;
        let errors = output.try_clone().map_err(BenchError::io("keeping the server's output"))?;
        let child = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        let child = child.map_err(BenchError::io(format!("starting {kind:?}")))?;
        let mut running = Self { kind, address, child, folder, _postgres: postgres };
        running.answers().await?;
        Ok(running)
    }

    async fn answers(&mut self) -> Result<(), BenchError> {
        let began = Instant::now();
        loop {
            if let Ok(mut http) = Http::connect(self.address).await {
                let asked = http.ask(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await;
                if asked.is_ok() {
                    return Ok(());
                }
            }
            let ended = self.child.try_wait().map_err(BenchError::io("watching the server"))?;
            if ended.is_some() || began.elapsed() > START {
                let said = fs::read_to_string(self.folder.join("output")).unwrap_or_default();
                return Err(BenchError::Subject(format!("{:?} does not start: {said}", self.kind)));
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn process(&self) -> Process {
        Process::of(self.child.id())
    }

    /// The first bytes on a connection of user `number`. Requests a ticket if the subject has
    /// tickets.
    pub(crate) async fn greet(
        &self,
        http: &mut Http,
        number: u32,
        way: Way,
    ) -> Result<Greeting, BenchError> {
        #[derive(Deserialize)]
        struct Ticket<'a> {
            ticket: &'a str,
        }
        if !self.kind.is_tidings() {
            let first = First::Upgrade { path: "/", hello: None };
            return Ok(Greeting { first, ready: r#""type":"connected""# });
        }
        let request = post("/v1/tickets", KEY, &format!(r#"{{"user":"bench-{number}"}}"#));
        let answer = http.ask(&request).await?;
        let Ticket { ticket } = serde_json::from_slice(http.body(&answer))
            .map_err(|error| BenchError::Subject(format!("the answer to a ticket: {error}")))?;
        let batch = way == Way::JoinedFrames;
        let hello = format!(
            r#"{{"type":"connect","version":1,"ticket":"{ticket}","instance":"bench-{number}","batch":{batch}}}"#
        );
        let first = match way {
            Way::Frames | Way::JoinedFrames => {
                First::Upgrade { path: "/v1/ws", hello: Some(hello) }
            }
            Way::EventSource => {
                First::Address(format!("/v1/sse?ticket={ticket}&instance=bench-{number}"))
            }
            Way::FetchedStream => First::Connect(hello),
        };
        Ok(Greeting { first, ready: r#""type":"snapshot""# })
    }

    /// A user's JWT.
    pub(crate) async fn token(&self, user: &str) -> Result<String, BenchError> {
        #[derive(Deserialize)]
        struct Token {
            token: String,
        }
        let mut http = Http::connect(self.address).await?;
        let request = post("/dev/tokens", "", &format!(r#"{{"user":"{user}"}}"#));
        let answer = http.ask(&request).await?;
        let Token { token } = serde_json::from_slice(http.body(&answer))
            .map_err(|error| BenchError::Subject(format!("the answer to a token: {error}")))?;
        Ok(token)
    }

    /// A complete publish request with an app payload of this many bytes.
    pub(crate) fn publish(&self, to: To, bytes: u32) -> Vec<u8> {
        let length = usize::try_from(bytes).unwrap_or(usize::MAX);
        // The quotes of a JSON string are part of the payload.
        let data = format!("\"{}\"", "x".repeat(length.saturating_sub(2)));
        match self.kind {
            Kind::Tidings | Kind::TidingsLimited | Kind::TidingsPostgres => {
                let to = match to {
                    To::Broadcast => String::from(r#"{"everyone":true}"#),
                    To::User(number) => format!(r#"{{"user":"bench-{number}"}}"#),
                };
                let body = format!(r#"{{"to":{to},"type":"bench","title":"bench","data":{data}}}"#);
                post("/v1/notifications", KEY, &body)
            }
            Kind::Node => post("/publish", "", &data),
            Kind::NodeDurable => post("/publish?durable", "", &data),
        }
    }

    /// Resident memory once it stays the same, after garbage collection where the subject has one.
    pub(crate) async fn settled_memory(&self) -> Result<u64, BenchError> {
        const SAME: u64 = 64 << 10;
        const PAUSE: Duration = Duration::from_millis(250);
        let mut last = 0;
        let mut still = 0;
        // At most ten seconds: memory that still changes then will not settle.
        for _ in 0..40 {
            if !self.kind.is_tidings() {
                Http::connect(self.address).await?.ask(&post("/gc", "", "")).await?;
            }
            sleep(PAUSE).await;
            let resident = self.process().resident()?;
            still = if resident.abs_diff(last) <= SAME { still + 1 } else { 0 };
            last = resident;
            if still == 4 {
                break;
            }
        }
        Ok(last)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Each may fail only because the process or folder is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A PostgreSQL on the server's core: the processes it forks from now on inherit the binding.
fn postgres_on(cores: &Cores) -> Result<Postgres, BenchError> {
    let postgres = Postgres::start();
    let mut taskset = Command::new("taskset");
    taskset.args(["--cpu-list", "--pid", &cores.server.to_string(), &postgres.pid().to_string()]);
    succeed(taskset.stdout(Stdio::null()), "taskset")?;
    Ok(postgres)
}

/// No log line for each of thousands of connections.
const LOG: &str = "[log]\nlevel = \"warn\"\n";
/// Raises the one limit that thousands of connections from one address would reach.
const LIMITS: &str = "[limits]\naccept_per_second = 100000\n";

fn free_address() -> Result<SocketAddr, BenchError> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(BenchError::io("finding a port"))?;
    listener.local_addr().map_err(BenchError::io("finding a port"))
}
