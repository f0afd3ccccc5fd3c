//! Accepts TCP connections and speaks HTTP on them until the server stops. Then answers the
//! requests in progress, and ends.

mod link;
mod lobby;

use std::{future::poll_fn, io, net::SocketAddr, pin::pin, sync::Arc, task::Poll, time::Duration};

use axum::Router;
use futures_util::FutureExt as _;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use socket2::SockRef;
use tidings_server_core::{
    Principal,
    fair::{self, Fair, Turned},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep_until, timeout_at},
};
use tower::{ServiceExt as _, service_fn};

use self::{
    link::{Answer, Held, Link, Patience},
    lobby::{Gave, Lobby},
};
use crate::{
    files,
    proxies::Proxies,
    shares::{Bound, Shares},
};

pub use self::link::Peer;

/// Bounds for TCP connections.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Time for a request's headers.
    pub header_timeout: Duration,
    /// A TCP connection that is idle between requests ends after this; while all `links` are taken,
    /// after `header_timeout`.
    pub keep_alive: Duration,
    /// Unacknowledged bytes end a TCP connection after this.
    pub user_timeout: Duration,
    /// A TCP connection ends if its client takes no bytes of an answer for this long. Long-lived
    /// answers check this themselves.
    pub send_timeout: Duration,
    /// New TCP connections a second; addresses take turns. Further connections wait, which spreads
    /// a storm of reconnects.
    pub accept_rate: u32,
    /// TCP connections that wait for their turn or for room: of one address, and in all.
    pub waiting: fair::Bounds,
    /// TCP connections at once, WebSockets and those in their first request included.
    pub links: usize,
    /// Open files that TCP connections may hold, those in the queue included. The last one is kept
    /// for the next connection.
    pub files: usize,
    /// The unauthenticated TCP connections among them: of one address, and in all. The longest
    /// silent one makes room.
    pub strangers: fair::Bounds,
    /// TCP connections of one user, besides those that carry the user's sockets and streams.
    pub links_per_user: usize,
}

/// Which addresses are trusted proxies, and where used-up shares are reported.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// A proxy's TCP connections carry many clients, so they have no share.
    pub proxies: Arc<Proxies>,
    /// Reports used-up shares.
    pub shares: Shares,
}

/// Size of the write buffer of a TCP connection, and of a request's head. Together with the
/// kernel's buffer, it bounds the bytes that wait for a slow reader.
pub(crate) const LINK_BUFFER: usize = 64 * 1024;

/// Bytes of a TCP connection that wait unsent in the kernel (Linux). Once half of them are sent,
/// the server writes more. A client that takes that much within the send timeout is slow, not
/// stuck.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 64 * 1024;

/// How long the connection with the last file may hold it without a credential. A client sends its
/// credential within moments.
pub(crate) const TIME_TO_SHOW: Duration = Duration::from_secs(1);

/// The state of the server that all TCP connections follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum House {
    /// There is room.
    Open,
    /// There is no room: idle connections are closed sooner.
    Full,
    /// The server stops: requests in progress are answered.
    Closing,
}

/// Serves `app` until `stop` is done, which returns the deadline for requests in progress. New TCP
/// connections are still accepted until that deadline, for one request each, so that a readiness
/// check is answered. The server does not wait for WebSockets: their sessions end them.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    bounds: Bounds,
    gate: Gate,
    stop: impl Future<Output = Instant>,
) {
    let (house, _) = watch::channel(House::Open);
    let mut acceptor = Acceptor::new(listener, bounds, gate);
    let lobby = Arc::clone(&acceptor.lobby);
    let start = |taken: Taken, house: watch::Receiver<House>| match taken.set_up(bounds) {
        Ok(()) => {
            let peer = Peer::default();
            // A proxy's connections carry many clients.
            if let Principal::Address(_) = taken.whose {
                lobby.enter(taken.whose.clone(), &peer);
            }
            drop(tokio::spawn(speak(taken, peer, app.clone(), bounds, house)));
        }
        Err(error) => tracing::debug!(%error, "a link went before it was set up"),
    };
    let mut stop = pin!(stop);
    let until = loop {
        tokio::select! {
            biased;
            until = &mut stop => break until,
            taken = acceptor.next(&house) => start(taken, house.subscribe()),
        }
    };
    let (late, _) = watch::channel(House::Closing);
    house.send_replace(House::Closing);
    let mut done = pin!(timeout_at(until, house.closed()));
    loop {
        tokio::select! {
            biased;
            _ = &mut done => break,
            taken = acceptor.next(&late) => start(taken, late.subscribe()),
        }
    }
    // Connections in the kernel's queue may have sent a request already. To close the listener
    // would reset them.
    while let Some(taken) = acceptor.waiting() {
        start(taken, late.subscribe());
    }
    drop(acceptor);
    let _cut = timeout_at(until, late.closed()).await;
}

/// A TCP connection that waits for its turn.
struct Arrived {
    stream: TcpStream,
    address: SocketAddr,
    file: OwnedSemaphorePermit,
}

/// A TCP connection that was accepted.
struct Taken {
    whose: Principal,
    stream: TcpStream,
    address: SocketAddr,
    held: Held,
}

impl Taken {
    fn set_up(&self, bounds: Bounds) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        #[cfg(target_os = "linux")]
        {
            let socket = SockRef::from(&self.stream);
            socket.set_tcp_user_timeout(Some(bounds.user_timeout))?;
            // Otherwise megabytes wait in the kernel, and a third of them must be sent before it
            // reports progress: a slow reader would seem stuck.
            socket.set_tcp_notsent_lowat(UNSENT)?;
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (SockRef::from(&self.stream), bounds.user_timeout);
        Ok(())
    }
}

/// Speaks HTTP on a TCP connection until it ends or is upgraded.
async fn speak(
    taken: Taken,
    peer: Peer,
    app: Router,
    bounds: Bounds,
    mut house: watch::Receiver<House>,
) {
    let Taken { stream, address, held, .. } = taken;
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
        // A client that closes its sending side after the request still wants the answer.
        .half_close(true)
        .max_buf_size(LINK_BUFFER)
        .serve_connection(
            TokioIo::new(Link::new(stream, peer.clone(), held)),
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
        let patience = Patience { head: bounds.header_timeout, idle, taking: bounds.send_timeout };
        // `serving` is polled before this at each wakeup, so this sees the connection's current
        // state.
        let deadline = poll_fn(|context| {
            let doing = peer.doing();
            let due = match leaving {
                Some(leaving) if !is_told => match doing.last_deadline(leaving) {
                    Some(due) => due,
                    None => return Poll::Ready(()),
                },
                _ => match peer.deadline(patience) {
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
                tracing::debug!("a link was closed: its client read nothing, or the server needed its place for others");
                return;
            }
            () = peer.asked_to_look() => {}
            Ok(()) = house.changed() => {}
            () = deadline => match leaving {
                Some(_) if !is_told => {
                    is_told = true;
                    serving.as_mut().graceful_shutdown();
                }
                _ if peer.is_stuck() => {
                    metrics::counter!("tidings_slow_consumers_total", "transport" => "http")
                        .increment(1);
                    tracing::debug!("a link was closed: its client read nothing of an answer");
                    return;
                }
                _ => {
                    tracing::debug!("a link that was silent was ended");
                    return;
                }
            },
        }
    }
}

/// Accepts TCP connections and queues them.
struct Acceptor {
    listener: TcpListener,
    gate: Gate,
    waiting: Fair<Principal, Arrived>,
    links: Arc<Semaphore>,
    files: Arc<Semaphore>,
    lobby: Arc<Lobby>,
    /// Whether a connection is already being closed to make room for the next one.
    is_asked: bool,
    /// When the next connection may be closed for its file.
    asks_for_file_at: Instant,
    /// No connection is accepted before this time, because the last one failed for want of a file.
    rests_until: Instant,
    pace: Pace,
}

impl Acceptor {
    fn new(listener: TcpListener, bounds: Bounds, gate: Gate) -> Self {
        let fair::Bounds { each, total } = bounds.waiting;
        let lobby = lobby::Bounds { strangers: bounds.strangers, per_user: bounds.links_per_user };
        // Further permits would never be used, and a semaphore has a largest size.
        let files = bounds.files.min(bounds.links.saturating_add(total).saturating_add(1));
        Self {
            listener,
            waiting: Fair::new(total, move |whose: &Principal| whose.links(each)),
            links: Arc::new(Semaphore::new(bounds.links)),
            files: Arc::new(Semaphore::new(files)),
            lobby: Lobby::new(lobby, gate.shares.clone()),
            gate,
            is_asked: false,
            asks_for_file_at: Instant::now(),
            rests_until: Instant::now(),
            pace: Pace::new(bounds.accept_rate),
        }
    }

    /// The next connection, at the allowed rate. Accepted connections wait here, so that addresses
    /// take turns. Cancel-safe.
    async fn next(&mut self, house: &watch::Sender<House>) -> Taken {
        loop {
            let file = self.next_file();
            let mut permit = None;
            if !self.waiting.is_empty() {
                permit = Arc::clone(&self.links).try_acquire_owned().ok();
                if permit.is_none() {
                    self.is_asked = self.is_asked || self.lobby.make_room();
                }
            }
            let is_full = !self.waiting.is_empty() && permit.is_none();
            let needs_file = file.is_none();
            // Connections may be idle for longer again once no connection waits for a permit.
            match is_full || needs_file {
                true => become_(house, House::Open, House::Full),
                false => become_(house, House::Full, House::Open),
            }
            tokio::select! {
                arrived = accept(&self.listener, self.rests_until), if !needs_file => {
                    match (arrived, file) {
                        (Ok((stream, address)), Some(file)) => {
                            self.queue(Arrived { stream, address, file });
                        }
                        (Err(error), _) => self.rest_after(&error),
                        (Ok(_), None) => {}
                    }
                }
                () = self.pace.wait(), if permit.is_some() => {
                    self.is_asked = false;
                    if let Some(taken) = permit.and_then(|permit| self.pop(permit)) {
                        return taken;
                    }
                }
                () = async { drop(self.links.acquire().await) }, if is_full => {}
                () = async { drop(self.files.acquire().await) }, if needs_file => {}
                () = sleep_until(self.asks_for_file_at), if needs_file => {}
            }
        }
    }

    /// A file for the next connection. If connections hold all files they may, an unauthenticated
    /// or a queued one is closed.
    fn next_file(&mut self) -> Option<OwnedSemaphorePermit> {
        let free = |files: &Arc<Semaphore>| Arc::clone(files).try_acquire_owned().ok();
        let file = free(&self.files);
        let now = Instant::now();
        if file.is_some() || now < self.asks_for_file_at {
            return file;
        }
        if self.lobby.give_a_file(&mut self.waiting) == Some(Gave::Now) {
            return free(&self.files);
        }
        // At most one is closed per accepted connection. If none can be closed, the connection with
        // the last file gets time to send a credential.
        self.asks_for_file_at = now + TIME_TO_SHOW;
        None
    }

    /// Waits after a connection could not be accepted. The system may have fewer files than this
    /// process may open.
    fn rest_after(&mut self, error: &io::Error) {
        let rest =
            match files::are_out(error) && self.lobby.give_a_file(&mut self.waiting).is_some() {
                true => Duration::from_millis(1),
                // Out of files or memory: other connections must end first.
                false => {
                    tracing::warn!(%error, "no link could be taken");
                    Duration::from_millis(100)
                }
            };
        self.rests_until = Instant::now() + rest;
    }

    /// The next connection that is already waiting, if any.
    fn waiting(&mut self) -> Option<Taken> {
        while let Some(file) = self.next_file()
            && let Some(Ok((stream, address))) = self.listener.accept().now_or_never()
        {
            self.queue(Arrived { stream, address, file });
        }
        let permit = Arc::clone(&self.links).try_acquire_owned().ok()?;
        self.pop(permit)
    }

    /// Queues a connection. If there is no room, it or another one is closed; its client
    /// reconnects.
    fn queue(&mut self, arrived: Arrived) {
        let whose = match self.gate.proxies.trusts(arrived.address.ip()) {
            true => Principal::Server,
            false => Principal::address(Some(arrived.address.ip())),
        };
        self.asks_for_file_at = Instant::now();
        if let Some(Turned { key, full, .. }) = self.waiting.push(whose, arrived) {
            self.gate.shares.hit(Bound::Accept, full, &key);
        }
    }

    fn pop(&mut self, permit: OwnedSemaphorePermit) -> Option<Taken> {
        let (whose, Arrived { stream, address, file }) = self.waiting.pop()?;
        self.waiting.done(&whose);
        Some(Taken { whose, stream, address, held: Held { _permit: permit, _file: file } })
    }
}

/// The next connection from the listener.
async fn accept(
    listener: &TcpListener,
    rests_until: Instant,
) -> io::Result<(TcpStream, SocketAddr)> {
    sleep_until(rests_until).await;
    listener.accept().await
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

/// A rate limit: at most this many a second, and after a pause a second's worth at once.
struct Pace {
    step: Duration,
    /// When the next turn is due. At most a second ago.
    next: Instant,
}

impl Pace {
    fn new(rate: u32) -> Self {
        Self { step: Duration::from_secs(1) / rate.max(1), next: Instant::now() }
    }

    /// Waits for the next turn, and takes it. A cancelled wait takes nothing.
    async fn wait(&mut self) {
        sleep_until(self.next).await;
        let rested = Instant::now().checked_sub(Duration::from_secs(1)).unwrap_or(self.next);
        self.next = self.next.max(rested) + self.step;
    }
}
