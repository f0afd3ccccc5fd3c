//! Takes connections and speaks HTTP on them, until told to stop; then answers what was asked, and ends.

mod link;

use std::{future::poll_fn, io, net::SocketAddr, pin::pin, sync::Arc, task::Poll, time::Duration};

use axum::Router;
use futures_util::FutureExt as _;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep, sleep_until, timeout_at},
};
use tower::{ServiceExt as _, service_fn};

use self::link::{Answer, Link, Patience};

pub use self::link::Peer;

/// Bounds on what comes in by TCP.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// A request's headers must be there by then.
    pub header_timeout: Duration,
    /// A link that rests between requests ends after this. While `links` are all taken, after `header_timeout`.
    pub keep_alive: Duration,
    /// Unacknowledged bytes end a link after this.
    pub user_timeout: Duration,
    /// New links a second; the rest waits in the kernel's queue, which spreads a storm.
    pub accept_rate: u32,
    /// Links at once, sockets and those in their first request included; more wait in the kernel's queue.
    pub links: usize,
}

/// Written to a link before it takes more, and read of a request's head: what waits in a link whose reader is slow is bounded by
/// this and the kernel.
const LINK_BUFFER: usize = 64 * 1024;

/// What all links go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum House {
    /// There is room.
    Open,
    /// There is none: those that rest make room sooner.
    Full,
    /// The server goes away: what was asked is answered.
    Closing,
}

/// Serves `app` until `stop` is done, which says until when requests that are under way may take. Links go on being taken meanwhile, one
/// request each: who asks whether the server is ready is told that it is not. Sockets are not waited for: their sessions end them.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    bounds: Bounds,
    stop: impl Future<Output = Instant>,
) {
    let (house, _) = watch::channel(House::Open);
    let mut door = Door {
        listener,
        links: Arc::new(Semaphore::new(bounds.links)),
        pace: Pace::new(bounds.accept_rate),
    };
    let start = |taken: Taken, house: watch::Receiver<House>| match taken.set_up(bounds) {
        Ok(()) => drop(tokio::spawn(speak(taken, app.clone(), bounds, house))),
        Err(error) => tracing::debug!(%error, "a link went before it was set up"),
    };
    let mut stop = pin!(stop);
    let until = loop {
        tokio::select! {
            biased;
            until = &mut stop => break until,
            taken = door.next(&house) => start(taken, house.subscribe()),
        }
    };
    let (late, _) = watch::channel(House::Closing);
    house.send_replace(House::Closing);
    let mut done = pin!(timeout_at(until, house.closed()));
    loop {
        tokio::select! {
            biased;
            _ = &mut done => break,
            taken = door.next(&late) => start(taken, late.subscribe()),
        }
    }
    // What waits in the kernel's queue may have been asked already; a listener that closes resets it.
    while let Some(taken) = door.waiting() {
        start(taken, late.subscribe());
    }
    drop(door);
    let _cut = timeout_at(until, late.closed()).await;
}

/// A link that was taken.
struct Taken {
    stream: TcpStream,
    address: SocketAddr,
    place: OwnedSemaphorePermit,
}

impl Taken {
    fn set_up(&self, bounds: Bounds) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        #[cfg(target_os = "linux")]
        SockRef::from(&self.stream).set_tcp_user_timeout(Some(bounds.user_timeout))?;
        #[cfg(not(target_os = "linux"))]
        let _ = (SockRef::from(&self.stream), bounds.user_timeout);
        Ok(())
    }
}

/// Speaks HTTP on a link until it ends or becomes something else.
async fn speak(taken: Taken, app: Router, bounds: Bounds, mut house: watch::Receiver<House>) {
    let Taken { stream, address, place } = taken;
    let peer = Peer::default();
    let far = peer.clone();
    let app = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        far.begin();
        request.extensions_mut().insert(address);
        request.extensions_mut().insert(far.clone());
        let answer = app.clone().oneshot(request);
        let far = far.clone();
        async move { answer.await.map(|answer| answer.map(|body| Answer::new(body, far))) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        // Whoever closes its sending side after the request wants the answer all the same.
        .half_close(true)
        .max_buf_size(LINK_BUFFER)
        .serve_connection(
            TokioIo::new(Link::new(stream, peer.clone(), place)),
            TowerToHyperService::new(app),
        )
        .with_upgrades();
    let mut serving = pin!(serving);
    let mut timer = pin!(sleep_until(Instant::now()));
    let mut leaving = None;
    let mut is_told = false;
    loop {
        let now = *house.borrow_and_update();
        if now == House::Closing {
            leaving.get_or_insert_with(Instant::now);
        }
        let idle = match now {
            House::Full => bounds.keep_alive.min(bounds.header_timeout),
            House::Open | House::Closing => bounds.keep_alive,
        };
        let patience = Patience { head: bounds.header_timeout, idle };
        // The first is polled on each waking, so the second sees what the link does by then.
        let deadline = poll_fn(|context| {
            let doing = peer.doing();
            let due = match leaving {
                Some(leaving) if !is_told => match doing.last_deadline(leaving) {
                    Some(due) => due,
                    None => return Poll::Ready(()),
                },
                _ => match doing.deadline(patience) {
                    Some(due) => due,
                    None => return Poll::Pending,
                },
            };
            if timer.deadline() != due {
                timer.as_mut().reset(due);
            }
            timer.as_mut().poll(context)
        });
        tokio::select! {
            biased;
            served = &mut serving => {
                if let Err(error) = served {
                    tracing::debug!(%error, "a link ended early");
                }
                return;
            }
            () = peer.cut_off() => {
                tracing::debug!("a link whose reader took nothing was cut");
                return;
            }
            () = peer.asked_to_look() => {}
            Ok(()) = house.changed() => {}
            () = deadline => match leaving {
                Some(_) if !is_told => {
                    is_told = true;
                    serving.as_mut().graceful_shutdown();
                }
                _ => {
                    tracing::debug!("a link that was silent was ended");
                    return;
                }
            },
        }
    }
}

/// Where links come in.
struct Door {
    listener: TcpListener,
    links: Arc<Semaphore>,
    pace: Pace,
}

impl Door {
    /// The next link, at the pace there may be. Cancel-safe.
    async fn next(&mut self, house: &watch::Sender<House>) -> Taken {
        let links = Arc::clone(&self.links);
        let place = match Arc::clone(&links).try_acquire_owned() {
            Ok(place) => Some(place),
            Err(_) => {
                become_(house, House::Open, House::Full);
                links.acquire_owned().await.ok()
            }
        };
        let Some(place) = place else { return std::future::pending().await };
        if self.links.available_permits() > 0 {
            become_(house, House::Full, House::Open);
        }
        self.pace.wait().await;
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => return Taken { stream, address, place },
                // Out of file descriptors or memory: others must end first.
                Err(error) => {
                    tracing::warn!(%error, "no link could be taken");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// A link that waits already.
    fn waiting(&self) -> Option<Taken> {
        let place = Arc::clone(&self.links).try_acquire_owned().ok()?;
        let (stream, address) = self.listener.accept().now_or_never()?.ok()?;
        Some(Taken { stream, address, place })
    }
}

fn become_(house: &watch::Sender<House>, from: House, to: House) {
    house.send_if_modified(|now| {
        let is_it = *now == from;
        if is_it {
            *now = to;
        }
        is_it
    });
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

    /// Waits for the next one's turn, and takes it. Given up before, it was not taken.
    async fn wait(&mut self) {
        sleep_until(self.next).await;
        let rested = Instant::now().checked_sub(Duration::from_secs(1)).unwrap_or(self.next);
        self.next = self.next.max(rested) + self.step;
    }
}
