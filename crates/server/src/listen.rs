//! Takes connections and speaks HTTP on them, until told to stop.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
    time::{Instant, sleep, sleep_until},
};
use tower::ServiceExt;

/// Bounds on what comes in by TCP.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// A request's headers must be there by then.
    pub header_timeout: Duration,
    /// Unacknowledged bytes end a link after this.
    pub user_timeout: Duration,
    /// New links a second; the rest waits in the kernel's queue, which spreads a storm.
    pub accept_rate: u32,
    /// Links at once, those in their first request included; more wait in the kernel's queue.
    pub links: usize,
}

/// Ends an HTTP link from inside a response that its reader does not take. In the extensions of each request that [`serve`] passes on.
#[derive(Clone, Debug, Default)]
pub struct Cut(Arc<Notify>);

impl Cut {
    /// Cuts it, now or as soon as somebody looks.
    pub fn off(&self) {
        self.0.notify_one();
    }
}

/// Written to a link before it takes more, and read of a request's head: what waits in a link whose reader is slow is bounded by
/// this and the kernel.
const LINK_BUFFER: usize = 64 * 1024;

/// Serves `app` until `stop` is done, then takes no more links. Links that are open go on: sockets are ended by their sessions.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
) {
    let links = Arc::new(Semaphore::new(bounds.links));
    let mut pace = Pace::new(bounds.accept_rate);
    tokio::pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = &mut stop => return,
            link = accept(&listener, &mut pace) => link,
        };
        let Ok(permit) = Arc::clone(&links).acquire_owned().await else { return };
        if let Err(error) = set_up(&stream, bounds.user_timeout) {
            tracing::debug!(%error, "a link went before it was set up");
            continue;
        }
        let cut = Cut::default();
        let off = Arc::clone(&cut.0);
        let app =
            app.clone().map_request(move |mut request: http::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(peer);
                request.extensions_mut().insert(cut.clone());
                request
            });
        tokio::spawn(async move {
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(bounds.header_timeout)
                .max_buf_size(LINK_BUFFER)
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app))
                .with_upgrades();
            tokio::select! {
                served = serving => if let Err(error) = served {
                    tracing::debug!(%error, "a link ended early");
                },
                () = off.notified() => tracing::debug!("a link whose reader took nothing was cut"),
            }
            drop(permit);
        });
    }
}

/// At most so many a second, a second's worth at once after a rest.
struct Pace {
    step: Duration,
    /// When the next is due; at most a second behind.
    next: Instant,
}

impl Pace {
    fn new(rate: u32) -> Self {
        Self { step: Duration::from_secs(1) / rate.max(1), next: Instant::now() }
    }

    async fn wait(&mut self) {
        let rested = Instant::now().checked_sub(Duration::from_secs(1)).unwrap_or(self.next);
        self.next = self.next.max(rested) + self.step;
        sleep_until(self.next).await;
    }
}

async fn accept(listener: &TcpListener, pace: &mut Pace) -> (TcpStream, SocketAddr) {
    pace.wait().await;
    loop {
        match listener.accept().await {
            Ok(link) => return link,
            // Out of file descriptors or memory: others must end first.
            Err(error) => {
                tracing::warn!(%error, "no link could be taken");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn set_up(stream: &TcpStream, user_timeout: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    SockRef::from(stream).set_tcp_user_timeout(Some(user_timeout))?;
    #[cfg(not(target_os = "linux"))]
    let _ = (SockRef::from(stream), user_timeout);
    Ok(())
}
