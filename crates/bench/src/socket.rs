//! One connection, opened as a client would open it; its messages are only counted.

use std::{
    cell::RefCell,
    io,
    net::{Ipv4Addr, SocketAddr},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use crate::{
    BenchError,
    events::Events,
    frames::{self, Found, Frames},
    http::post,
};

/// Upper bound of the bytes before a connection is ready. A snapshot of an empty inbox is far
/// smaller.
const GREETING_BYTES: usize = 1 << 20;

/// How a connection to a subject begins.
pub(crate) struct Greeting {
    pub(crate) first: First,
    /// A text in the message after which the connection is ready.
    pub(crate) ready: &'static str,
}

/// The request that opens a connection.
pub(crate) enum First {
    /// A WebSocket upgrade, and the first message if the subject expects one.
    Upgrade { path: &'static str, hello: Option<String> },
    /// A stream of events, opened by its address.
    Address(String),
    /// A stream of events, opened by this `connect`.
    Connect(String),
}

/// The decoder of the connection's messages.
enum Reader {
    Frames(Frames),
    Events(Events),
}

pub(crate) struct Socket {
    stream: TcpStream,
    reader: Reader,
}

impl Socket {
    pub(crate) async fn open(address: SocketAddr, greeting: &Greeting) -> Result<Self, BenchError> {
        Self::over(link(address, None).await?, address, greeting).await
    }

    /// Opens a connection over an existing TCP connection.
    pub(crate) async fn over(
        mut stream: TcpStream,
        address: SocketAddr,
        greeting: &Greeting,
    ) -> Result<Self, BenchError> {
        let first = greeting.first.bytes(address);
        stream.write_all(&first).await.map_err(BenchError::io("greeting"))?;
        let reader = match greeting.first {
            First::Upgrade { .. } => Reader::Frames(Frames::default()),
            First::Address(_) | First::Connect(_) => Reader::Events(Events::default()),
        };
        let mut socket = Self { stream, reader };
        socket.ready(greeting.ready).await?;
        Ok(socket)
    }

    /// An upgrade without any message after it.
    pub(crate) async fn silent(address: SocketAddr, from: Ipv4Addr) -> Result<Self, BenchError> {
        let first = First::Upgrade { path: "/v1/ws", hello: None };
        let greeting = Greeting { first, ready: "101" };
        Self::over(link(address, Some(from)).await?, address, &greeting).await
    }

    /// Reads until the subject has sent `text`.
    async fn ready(&mut self, text: &str) -> Result<(), BenchError> {
        let refused = |bytes: &[u8]| {
            let said = String::from_utf8_lossy(bytes);
            BenchError::Subject(format!("a connection was refused: {said}"))
        };
        let (mut bytes, mut head) = (Vec::with_capacity(4 << 10), None);
        let mut found = Found::default();
        loop {
            let before = bytes.len();
            let read = self.stream.read_buf(&mut bytes).await;
            if read.map_err(BenchError::io("reading the greeting"))? == 0
                || bytes.len() > GREETING_BYTES
            {
                return Err(refused(&bytes));
            }
            let fresh = match head {
                Some(_) => before,
                None => match find(&bytes, b"\r\n\r\n") {
                    Some(end) if bytes.starts_with(self.reader.status()) => *head.insert(end + 4),
                    Some(_) => return Err(refused(&bytes)),
                    None => continue,
                },
            };
            self.reader.read(bytes.get(fresh..).unwrap_or_default(), &mut found);
            if found.closed || find(&bytes, br#""type":"error""#).is_some() {
                return Err(refused(&bytes));
            }
            if find(&bytes, text.as_bytes()).is_some() && self.reader.at_boundary() {
                return Ok(());
            }
        }
    }

    /// Waits for bytes and counts their messages. All sockets of the thread share `scratch`.
    pub(crate) async fn read(&mut self, scratch: &RefCell<Vec<u8>>) -> io::Result<Found> {
        loop {
            self.stream.readable().await?;
            let mut found = Found::default();
            let read = {
                let mut scratch = scratch.borrow_mut();
                let read = self.stream.try_read(&mut scratch);
                if let Ok(length) = read {
                    self.reader.read(scratch.get(..length).unwrap_or_default(), &mut found);
                }
                read
            };
            match read {
                Ok(0) => found.closed = true,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            if found.pings > 0 {
                self.stream.write_all(&frames::PONG).await?;
            }
            return Ok(found);
        }
    }
}

/// A TCP connection, from one of this machine's addresses if the caller needs a certain one.
pub(crate) async fn link(
    address: SocketAddr,
    from: Option<Ipv4Addr>,
) -> Result<TcpStream, BenchError> {
    let stream = match from {
        None => TcpStream::connect(address).await,
        Some(from) => {
            let socket = TcpSocket::new_v4().map_err(BenchError::io("a socket"))?;
            socket.bind((from, 0).into()).map_err(BenchError::io("binding to an address"))?;
            socket.connect(address).await
        }
    };
    let stream = stream.map_err(BenchError::io(format!("connecting to {address}")))?;
    stream.set_nodelay(true).map_err(BenchError::io("TCP_NODELAY"))?;
    Ok(stream)
}

impl First {
    fn bytes(&self, address: SocketAddr) -> Vec<u8> {
        match self {
            Self::Upgrade { path, hello } => {
                let head = format!(
                    "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
                );
                let mut first = head.into_bytes();
                // In the same packet as the head: neither subject may lose it.
                if let Some(hello) = hello {
                    first.extend(frames::text(hello));
                }
                first
            }
            Self::Address(path) => {
                format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes()
            }
            Self::Connect(connect) => post("/v1/sse", "", connect),
        }
    }
}

impl Reader {
    const fn status(&self) -> &'static [u8] {
        match self {
            Self::Frames(_) => b"HTTP/1.1 101",
            Self::Events(_) => b"HTTP/1.1 200",
        }
    }

    fn read(&mut self, bytes: &[u8], found: &mut Found) {
        match self {
            Self::Frames(frames) => frames.read(bytes, found),
            Self::Events(events) => events.read(bytes, found),
        }
    }

    fn at_boundary(&self) -> bool {
        match self {
            Self::Frames(frames) => frames.at_boundary(),
            Self::Events(events) => events.at_boundary(),
        }
    }
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}
