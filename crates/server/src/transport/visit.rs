//! A client's messages by POST, where its stream or poll can't carry them: lines in, lines out.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};
use tidings_protocol::CloseCode;
use tokio::sync::oneshot;

use super::{Broken, Incoming, Sign, Transport};

/// One request.
#[derive(Debug)]
pub struct Visit {
    /// Messages that are still to be read.
    lines: VecDeque<Box<str>>,
    answers: BytesMut,
    answer: Option<oneshot::Sender<Bytes>>,
}

impl Visit {
    /// A visit with these messages, one a line, whose answers go to `answer`.
    #[must_use]
    pub fn new(body: &str, answer: oneshot::Sender<Bytes>) -> Self {
        let lines = body.lines().filter(|line| !line.trim().is_empty());
        Self {
            lines: lines.map(Box::from).collect(),
            answers: BytesMut::new(),
            answer: Some(answer),
        }
    }

    fn answer(&mut self) {
        if let Some(answer) = self.answer.take() {
            // What was stored is stored, whether or not anybody is there to hear it.
            let _gone = answer.send(std::mem::take(&mut self.answers).freeze());
        }
    }
}

impl Transport for Visit {
    const NAME: &'static str = "post";

    async fn receive(&mut self) -> Incoming {
        if let Some(line) = self.lines.pop_front() {
            return Incoming::Text(line);
        }
        match &self.answer {
            // The caller may be gone: what it said is carried out all the same.
            Some(_) => std::future::pending().await,
            None => Incoming::Ended,
        }
    }

    async fn feed(&mut self, frame: Bytes) -> Result<(), Broken> {
        self.answers.put(frame);
        self.answers.put_u8(b'\n');
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        Ok(())
    }

    async fn ping(&mut self) -> Result<Sign, Broken> {
        Ok(Sign::Given)
    }

    fn rest(&mut self, settled: impl FnOnce() -> bool) {
        if self.lines.is_empty() && settled() {
            self.answer();
        }
    }

    async fn close(&mut self, _code: CloseCode, _reason: &'static str) {
        self.answer();
    }
}
