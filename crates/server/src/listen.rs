//! Takes connections and speaks HTTP on them, until told to stop; then answers what was asked, and ends.

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
use rustix::io::Errno;
use socket2::SockRef;
use tidings_server_core::{
    Principal,
    fair::{self, Fair, Turned},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep, sleep_until, timeout_at},
};
use tower::{ServiceExt as _, service_fn};

use self::{
    link::{Answer, Link, Patience},
    lobby::Lobby,
};
use crate::{
    proxies::Proxies,
    shares::{Bound, Shares},
};

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
    /// A link that takes nothing of its answer ends after this. Answers that last watch over that themselves.
    pub send_timeout: Duration,
    /// New links a second, of each address in its turn; the rest waits, which spreads a storm.
    pub accept_rate: u32,
    /// Links that wait for their turn or for a place: of one address, and in all.
    pub waiting: fair::Bounds,
    /// Links at once, sockets and those in their first request included.
    pub links: usize,
    /// Of those, the ones that have shown no good credential: of one address, and in all. Whoever has been silent longest makes room.
    pub strangers: fair::Bounds,
    /// Links of one user, besides those that carry its connections.
    pub links_per_user: usize,
}

/// Who is let in as whom.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// Their links are those of their clients, so they have no share.
    pub proxies: Arc<Proxies>,
    /// Tells of shares that are used up.
    pub shares: Shares,
}

/// Written to a link before it takes more, and read of a request's head: what waits in a link whose reader is slow is bounded by
/// this and the kernel.
pub(crate) const LINK_BUFFER: usize = 64 * 1024;

/// Bytes of a link that wait unsent in the kernel (Linux). From half of it on more is taken: who takes that much within the send
/// timeout is slow, and not stuck.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 64 * 1024;

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
    gate: Gate,
    stop: impl Future<Output = Instant>,
) {
    let (house, _) = watch::channel(House::Open);
    let mut door = Door::new(listener, bounds, gate);
    let lobby = Arc::clone(&door.lobby);
    let start = |taken: Taken, house: watch::Receiver<House>| match taken.set_up(bounds) {
        Ok(()) => {
            let peer = Peer::default();
            // Those of a proxy are many clients'.
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

/// A link that waits for its turn.
struct Arrived {
    stream: TcpStream,
    address: SocketAddr,
}

/// A link that was taken.
struct Taken {
    whose: Principal,
    stream: TcpStream,
    address: SocketAddr,
    place: OwnedSemaphorePermit,
}

impl Taken {
    fn set_up(&self, bounds: Bounds) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        #[cfg(target_os = "linux")]
        {
            let socket = SockRef::from(&self.stream);
            socket.set_tcp_user_timeout(Some(bounds.user_timeout))?;
            // Else megabytes wait in the kernel, a third of which has to be taken before it says so: a slow reader would seem stuck.
            socket.set_tcp_notsent_lowat(UNSENT)?;
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (SockRef::from(&self.stream), bounds.user_timeout);
        Ok(())
    }
}

/// Speaks HTTP on a link until it ends or becomes something else.
async fn speak(
    taken: Taken,
    peer: Peer,
    app: Router,
    bounds: Bounds,
    mut house: watch::Receiver<House>,
) {
    let Taken { stream, address, place, .. } = taken;
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
        let patience = Patience { head: bounds.header_timeout, idle, taking: bounds.send_timeout };
        // The first is polled on each waking, so the second sees what the link does by then.
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
                tracing::debug!("a link was cut: its reader took nothing, or others needed its place");
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
                    tracing::debug!("a link whose reader took nothing of an answer was cut");
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

/// Where links come in.
struct Door {
    listener: TcpListener,
    gate: Gate,
    waiting: Fair<Principal, Arrived>,
    links: Arc<Semaphore>,
    lobby: Arc<Lobby>,
    /// Somebody makes room for the next one already.
    is_asked: bool,
    pace: Pace,
}

impl Door {
    fn new(listener: TcpListener, bounds: Bounds, gate: Gate) -> Self {
        let fair::Bounds { each, total } = bounds.waiting;
        let lobby = lobby::Bounds { strangers: bounds.strangers, per_user: bounds.links_per_user };
        Self {
            listener,
            waiting: Fair::new(total, move |whose: &Principal| whose.links(each)),
            links: Arc::new(Semaphore::new(bounds.links)),
            lobby: Lobby::new(lobby, gate.shares.clone()),
            gate,
            is_asked: false,
            pace: Pace::new(bounds.accept_rate),
        }
    }

    /// The next link, at the pace there may be: what has come waits here, so that each address has its turn. Cancel-safe.
    async fn next(&mut self, house: &watch::Sender<House>) -> Taken {
        loop {
            let mut place = None;
            if !self.waiting.is_empty() {
                place = Arc::clone(&self.links).try_acquire_owned().ok();
                if place.is_none() {
                    become_(house, House::Open, House::Full);
                    self.is_asked = self.is_asked || self.lobby.make_room();
                }
            }
            // Links may rest again as soon as nobody waits for theirs.
            if self.waiting.is_empty() || place.is_some() {
                become_(house, House::Full, House::Open);
            }
            let is_full = !self.waiting.is_empty() && place.is_none();
            tokio::select! {
                arrived = accept(&self.listener, &self.lobby) => self.queue(arrived),
                () = self.pace.wait(), if place.is_some() => {
                    self.is_asked = false;
                    if let Some((whose, arrived, place)) = place.and_then(|place| self.pop(place)) {
                        let Arrived { stream, address } = arrived;
                        return Taken { whose, stream, address, place };
                    }
                }
                () = async { drop(self.links.acquire().await) }, if is_full => {}
            }
        }
    }

    /// A link that waits already.
    fn waiting(&mut self) -> Option<Taken> {
        while let Some(Ok((stream, address))) = self.listener.accept().now_or_never() {
            self.queue(Arrived { stream, address });
        }
        let place = Arc::clone(&self.links).try_acquire_owned().ok()?;
        let (whose, Arrived { stream, address }, place) = self.pop(place)?;
        Some(Taken { whose, stream, address, place })
    }

    /// What finds no room here is closed: its client comes again.
    fn queue(&mut self, arrived: Arrived) {
        let whose = match self.gate.proxies.trusts(arrived.address.ip()) {
            true => Principal::Server,
            false => Principal::address(Some(arrived.address.ip())),
        };
        if let Some(Turned { key, full, .. }) = self.waiting.push(whose, arrived) {
            self.gate.shares.hit(Bound::Accept, full, &key);
        }
    }

    fn pop(
        &mut self,
        place: OwnedSemaphorePermit,
    ) -> Option<(Principal, Arrived, OwnedSemaphorePermit)> {
        let (whose, arrived) = self.waiting.pop()?;
        self.waiting.done(&whose);
        Some((whose, arrived, place))
    }
}

/// The next that comes.
async fn accept(listener: &TcpListener, lobby: &Lobby) -> Arrived {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => return Arrived { stream, address },
            Err(error) if is_out_of_files(&error) && lobby.give_a_file() => {
                sleep(Duration::from_millis(1)).await;
            }
            // Out of file descriptors or memory: others must end first.
            Err(error) => {
                tracing::warn!(%error, "no link could be taken");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_out_of_files(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
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
