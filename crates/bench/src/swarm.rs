//! Thousands of connections on one thread, and the sum of their received messages.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use tokio::{sync::Notify, task::JoinSet, time::timeout};

use crate::{
    BenchError,
    http::Http,
    socket::Socket,
    subject::{Running, Way},
};

/// Connections being opened at once. More would only wait in the kernel's queue.
const OPENING: u32 = 64;
/// Large enough for one read of all the messages that a server joins into one write.
const SCRATCH: usize = 256 << 10;
/// After this long without a message, none will come.
const PATIENCE: Duration = Duration::from_secs(60);

/// The messages that all connections received.
pub(crate) struct Tally {
    messages: Cell<u64>,
    lost: Cell<u32>,
    /// The smallest number that a task waits for: readers must not wake tasks for each message.
    wake_at: Cell<u64>,
    woken: Notify,
}

impl Tally {
    pub(crate) fn messages(&self) -> u64 {
        self.messages.get()
    }

    fn add(&self, messages: u64) {
        self.messages.set(self.messages.get() + messages);
        if self.messages.get() >= self.wake_at.get() {
            self.wake();
        }
    }

    fn wake(&self) {
        self.wake_at.set(u64::MAX);
        self.woken.notify_waiters();
    }

    /// Waits until this many messages were received in all.
    pub(crate) async fn reach(&self, messages: u64) -> Result<(), BenchError> {
        while self.messages.get() < messages {
            self.intact()?;
            self.wake_at.set(self.wake_at.get().min(messages));
            if timeout(PATIENCE, self.woken.notified()).await.is_err() {
                let found = self.messages.get();
                let message = format!("{found} of {messages} messages arrived, then none");
                return Err(BenchError::Subject(message));
            }
        }
        Ok(())
    }

    /// Fails if connections have ended: figures of the remaining ones would be too good.
    pub(crate) fn intact(&self) -> Result<(), BenchError> {
        match self.lost.get() {
            0 => Ok(()),
            lost => Err(BenchError::Subject(format!("the server dropped {lost} connections"))),
        }
    }
}

/// Open connections. They close when dropped.
pub(crate) struct Swarm {
    pub(crate) tally: Rc<Tally>,
    readers: JoinSet<()>,
}

impl Swarm {
    /// Opens `count` connections, each for another user.
    pub(crate) async fn open(
        subject: &Rc<Running>,
        count: u32,
        way: Way,
    ) -> Result<Self, BenchError> {
        let next = Rc::new(Cell::new(0));
        let mut openers = JoinSet::new();
        for _ in 0..OPENING.min(count) {
            let (subject, next) = (Rc::clone(subject), Rc::clone(&next));
            openers.spawn_local(async move {
                let mut http = Http::connect(subject.address).await?;
                let mut sockets = Vec::new();
                while next.get() < count {
                    let number = next.replace(next.get() + 1);
                    let greeting = subject.greet(&mut http, number, way).await?;
                    sockets.push(Socket::open(subject.address, &greeting).await?);
                }
                Ok(sockets)
            });
        }
        let tally = Rc::new(Tally {
            messages: Cell::new(0),
            lost: Cell::new(0),
            wake_at: Cell::new(u64::MAX),
            woken: Notify::new(),
        });
        let scratch = Rc::new(RefCell::new(vec![0; SCRATCH]));
        let mut readers = JoinSet::new();
        while let Some(opened) = openers.join_next().await {
            let sockets: Vec<Socket> = opened
                .map_err(|error| BenchError::Subject(format!("opening connections: {error}")))??;
            for socket in sockets {
                readers.spawn_local(follow(socket, Rc::clone(&scratch), Rc::clone(&tally)));
            }
        }
        Ok(Self { tally, readers })
    }

    /// Closes all connections.
    pub(crate) async fn close(mut self) {
        self.readers.shutdown().await;
    }
}

async fn follow(mut socket: Socket, scratch: Rc<RefCell<Vec<u8>>>, tally: Rc<Tally>) {
    while let Ok(found) = socket.read(&scratch).await {
        tally.add(found.messages);
        if found.closed {
            break;
        }
    }
    tally.lost.set(tally.lost.get() + 1);
    tally.wake();
}
