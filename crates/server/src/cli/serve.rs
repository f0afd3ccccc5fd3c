//! `tidings serve`.

use std::{io, net::SocketAddr};

use tidings_server::{Config, config::Flags, telemetry};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use super::Failure;

pub(super) fn serve(flags: &Flags) -> Result<(), Failure> {
    let config = Config::load(flags, std::env::vars())?;
    telemetry::start(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listen = config.listen;
        let listener =
            TcpListener::bind(listen).await.map_err(|error| Failure::Listen(listen, error))?;
        let at = listener.local_addr()?;
        warn(&config, at);
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let asked = async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        let (dev, data) = (config.dev, config.data.clone());
        let ready = move || {
            tracing::info!(address = %at, data = %data.display(), "listening");
            if dev {
                // Whoever closed standard output does not want to read it.
                let _unread = greet(at);
            }
        };
        Ok(tidings_server::run_and_say(config, listener, ready, asked).await?)
    })
}

/// Settings that work and may hurt.
fn warn(config: &Config, at: SocketAddr) {
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
