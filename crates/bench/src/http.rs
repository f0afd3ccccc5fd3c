//! One HTTP/1.1 connection that is reused, with as many requests in flight as the caller likes.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::BenchError;

/// Upper bound of an answer; none of the expected answers comes near.
const ANSWER_BYTES: usize = 64 << 10;

/// A request with a JSON body, as bytes.
pub(crate) fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}Content-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// An answer. [`Http::body`] returns its body until the next answer is read.
pub(crate) struct Answer {
    pub(crate) status: u16,
    body: std::ops::Range<usize>,
}

pub(crate) struct Http {
    stream: TcpStream,
    /// Received bytes, of which the first `consumed` are already used.
    buffer: Vec<u8>,
    consumed: usize,
}

impl Http {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, BenchError> {
        let stream = TcpStream::connect(address).await;
        let stream = stream.map_err(BenchError::io(format!("connecting to {address}")))?;
        stream.set_nodelay(true).map_err(BenchError::io("TCP_NODELAY"))?;
        Ok(Self { stream, buffer: Vec::with_capacity(4 << 10), consumed: 0 })
    }

    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<(), BenchError> {
        self.stream.write_all(request).await.map_err(BenchError::io("sending a request"))
    }

    /// The next answer, in the order of the requests.
    pub(crate) async fn receive(&mut self) -> Result<Answer, BenchError> {
        self.buffer.drain(..self.consumed);
        self.consumed = 0;
        loop {
            if let Some(answer) = parse(&self.buffer)? {
                self.consumed = answer.body.end;
                return Ok(answer);
            }
            if self.buffer.len() > ANSWER_BYTES {
                return Err(BenchError::Subject("an answer without an end".to_owned()));
            }
            let read = self.stream.read_buf(&mut self.buffer).await;
            if read.map_err(BenchError::io("reading an answer"))? == 0 {
                return Err(BenchError::Subject("the server closed a kept connection".to_owned()));
            }
        }
    }

    pub(crate) fn body(&self, answer: &Answer) -> &[u8] {
        self.buffer.get(answer.body.clone()).unwrap_or_default()
    }

    /// Sends a request, waits for the answer, and requires success.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Answer, BenchError> {
        self.send(request).await?;
        let answer = self.receive().await?;
        self.accept(&answer)?;
        Ok(answer)
    }

    /// Requires success: figures of refused requests would be worthless.
    pub(crate) fn accept(&self, answer: &Answer) -> Result<(), BenchError> {
        if (200..300).contains(&answer.status) {
            return Ok(());
        }
        let body = String::from_utf8_lossy(self.body(answer));
        Err(BenchError::Subject(format!("the server answered {}: {body}", answer.status)))
    }
}

/// The first answer in `bytes`, if it is complete.
fn parse(bytes: &[u8]) -> Result<Option<Answer>, BenchError> {
    let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let malformed =
        || BenchError::Subject("an answer that is not HTTP/1.1 with a length".to_owned());
    let text = bytes.get(..head).and_then(|head| std::str::from_utf8(head).ok());
    let mut lines = text.ok_or_else(malformed)?.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let length = lines.filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let (status, length) = (status.ok_or_else(malformed)?, length.ok_or_else(malformed)?);
    let body = head + 4..head + 4 + length;
    Ok((bytes.len() >= body.end).then_some(Answer { status, body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_answers_one_after_the_other() {
        let one = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\nx: y\r\n\r\nok";
        let two = [one.as_slice(), b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"].concat();
        for cut in 0..one.len() {
            assert!(parse(&one[..cut]).unwrap().is_none(), "{cut}");
        }
        let first = parse(&two).unwrap().unwrap();
        assert_eq!((first.status, &two[first.body.clone()]), (201, b"ok".as_slice()));
        let second = parse(&two[first.body.end..]).unwrap().unwrap();
        assert_eq!((second.status, second.body.len()), (404, 0));
    }

    #[test]
    fn refuses_what_has_no_length() {
        assert!(parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(parse(b"nonsense\r\n\r\n").is_err());
    }
}
