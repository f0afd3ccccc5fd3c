//! `tidings serve`.

use std::{io, net::SocketAddr};

use tidings_server::{Config, config::Flags, telemetry};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use super::{Failure, files::Files};

pub(super) fn serve(flags: &Flags) -> Result<(), Failure> {
    let config = Config::load(flags, std::env::vars_os())?;
    telemetry::start(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(served(config));
    // No work is in progress, or the user does not want to wait for it.
    runtime.shutdown_background();
    ended
}

async fn served(config: Config) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let listen = config.listen;
    let listener =
        TcpListener::bind(listen).await.map_err(|error| Failure::Listen(listen, error))?;
    let at = listener.local_addr()?;
    warn(&config, at);
    let (dev, data) = (config.dev, config.data.clone());
    let ready = move || {
        tracing::info!(address = %at, data = %data.display(), "listening");
        if dev {
            // Standard output may be closed.
            let _unread = greet(at);
        }
    };
    let (ask, asked) = oneshot::channel::<()>();
    // In its own task, so that signals are handled while the log is being opened.
    let mut serving = tokio::spawn(async move {
        let asked = async { drop(asked.await) };
        tidings_server::run_and_say(config, listener, ready, asked).await
    });
    tokio::select! {
        ended = &mut serving => return ended.map_err(io::Error::other)?.map_err(Failure::from),
        () = signals.next() => drop(ask),
    }
    tokio::select! {
        ended = serving => ended.map_err(io::Error::other)?.map_err(Failure::from),
        () = signals.next() => Err(Failure::CutShort),
    }
}

/// The signals that stop a server: the first drains it, the second stops it at once.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        Ok(Self { interrupt: signal(interrupt)?, terminate: signal(terminate)? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Warns of settings that are valid but may cause trouble.
fn warn(config: &Config, at: SocketAddr) {
    let files = Files::raise(config);
    if !config.dev && !files.suffice() {
        tracing::warn!(
            needed = files.needed,
            allowed = files.allowed,
            "`limits.links` is more than the files this process may open: raise the hard limit (`ulimit -Hn`, systemd's LimitNOFILE=, a container's ulimits), or lower the setting"
        );
    }
    if !config.dev && !at.ip().is_loopback() {
        tracing::warn!(address = %at, "this is plain HTTP: put a proxy with TLS in front");
    }
    for warning in config.warnings(std::env::var("TIDINGS_API_KEY").ok().as_deref()) {
        tracing::warn!("{warning}");
    }
}

fn greet(at: SocketAddr) -> io::Result<()> {
    use io::Write as _;

    writeln!(
        io::stdout().lock(),
        "tidings {version} for development on http://{at}

  API key   dev
  A token   curl http://{at}/dev/tokens -H 'Content-Type: application/json' -d '{{\"user\":\"mina\"}}'
  Publish   curl http://{at}/v1/notifications -H 'Authorization: Bearer dev' -H 'Content-Type: application/json' \\
              -d '{{\"to\":{{\"user\":\"mina\"}},\"type\":\"message\",\"title\":\"Hello\"}}'
  Watch     tidings tail --user mina --server http://{at}
",
        version = env!("CARGO_PKG_VERSION"),
    )
}
