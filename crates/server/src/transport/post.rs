//! A client's messages by POST, for clients whose stream or poll can't carry them: lines in, lines
//! out.
//!
//! A few answers are sent as a whole. More answers are sent as fast as the client takes them, and
//! the session makes no further ones meanwhile. A client that disconnects gets no more answers, but
//! its messages are carried out all the same.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream;
use tidings_protocol::CloseCode;
use tokio::sync::{mpsc, oneshot};

use super::{Broken, Incoming, Sign, Transport};

/// Answers up to this many bytes are collected. More are sent in chunks of this size.
const CHUNK: usize = 64 * 1024;

/// One request.
#[derive(Debug)]
pub struct Post {
    /// Messages that are not read yet.
    lines: VecDeque<Box<str>>,
    /// Answers that are not sent yet.
    answers: BytesMut,
    stage: Stage,
    /// A part of an answer was sent without its rest.
    torn: bool,
}

#[derive(Debug)]
enum Stage {
    /// Nothing was sent yet.
    Waiting(oneshot::Sender<Body>),
    Flowing(Outflow),
    /// The caller is gone.
    HungUp,
    Answered,
}

/// A body that is sent chunk by chunk.
#[derive(Debug)]
struct Outflow {
    chunks: mpsc::Sender<Bytes>,
    /// The whole body was sent. Otherwise the TCP connection is cut instead of ending the body, so
    /// that no client takes a part for the whole.
    whole: Arc<AtomicBool>,
}

impl Post {
    /// A request with these messages, one a line. The answers go to `answer`.
    #[must_use]
    pub fn new(body: &str, answer: oneshot::Sender<Body>) -> Self {
        let lines = body.lines().filter(|line| !line.trim().is_empty());
        Self {
            lines: lines.map(Box::from).collect(),
            answers: BytesMut::new(),
            stage: Stage::Waiting(answer),
            torn: false,
        }
    }

    /// Sends the collected answers, as far as they fill chunks.
    async fn send(&mut self) {
        if self.answers.len() > CHUNK
            && matches!(self.stage, Stage::Waiting(_))
            && let Stage::Waiting(answer) = std::mem::replace(&mut self.stage, Stage::HungUp)
        {
            let (chunks, waiting) = mpsc::channel(1);
            let whole = Arc::new(AtomicBool::new(false));
            if answer.send(chunked(waiting, Arc::clone(&whole))).is_ok() {
                self.stage = Stage::Flowing(Outflow { chunks, whole });
            }
        }
        let Stage::Flowing(outflow) = &self.stage else { return };
        while !self.answers.is_empty() {
            let Ok(place) = outflow.chunks.reserve().await else {
                self.hang_up();
                return;
            };
            // A copy, so that only this chunk stays in memory and not the buffer it was cut from.
            let chunk = self.answers.split_to(self.answers.len().min(CHUNK));
            place.send(Bytes::copy_from_slice(&chunk));
        }
    }

    fn hang_up(&mut self) {
        self.stage = Stage::HungUp;
        self.answers = BytesMut::new();
    }

    /// The answer is complete.
    fn finish(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Answered) {
            Stage::Waiting(answer) => {
                let answers = std::mem::take(&mut self.answers).freeze();
                // The messages are carried out, even if the caller is gone.
                let _gone = answer.send(Body::from(answers));
            }
            Stage::Flowing(outflow) => outflow.whole.store(!self.torn, Ordering::Release),
            Stage::HungUp | Stage::Answered => {}
        }
    }
}

impl Transport for Post {
    const NAME: &'static str = "post";

    async fn receive(&mut self) -> Incoming {
        let has_hung_up = match &self.stage {
            Stage::Waiting(answer) => answer.is_closed(),
            Stage::Flowing(outflow) => outflow.chunks.is_closed(),
            Stage::HungUp | Stage::Answered => false,
        };
        if !has_hung_up && let Some(line) = self.lines.pop_front() {
            return Incoming::Text(line);
        }
        match &mut self.stage {
            Stage::Waiting(answer) => answer.closed().await,
            Stage::Flowing(outflow) => outflow.chunks.closed().await,
            // The caller's messages are still being carried out.
            Stage::HungUp => std::future::pending().await,
            Stage::Answered => return Incoming::Ended,
        }
        self.hang_up();
        Incoming::HungUp
    }

    async fn feed(&mut self, frame: Bytes) -> Result<(), Broken> {
        if !matches!(self.stage, Stage::HungUp) {
            self.answers.put(frame);
            self.answers.put_u8(b'\n');
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        self.torn = true;
        self.send().await;
        self.torn = false;
        Ok(())
    }

    async fn ping(&mut self) -> Result<Sign, Broken> {
        Ok(Sign::Given)
    }

    fn on_settled(&mut self, settled: impl FnOnce() -> bool) {
        if self.lines.is_empty() && settled() {
            self.finish();
        }
    }

    async fn close(&mut self, _code: CloseCode, _reason: &'static str) {
        self.finish();
    }
}

fn chunked(mut chunks: mpsc::Receiver<Bytes>, whole: Arc<AtomicBool>) -> Body {
    Body::from_stream(stream::poll_fn(move |context| {
        chunks.poll_recv(context).map(|chunk| match chunk {
            Some(chunk) => Some(Ok(chunk)),
            None if whole.load(Ordering::Acquire) => None,
            None => Some(Err(io::Error::other("not all answers were taken"))),
        })
    }))
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    fn post(lines: &str) -> (Post, oneshot::Receiver<Body>) {
        let (answer, answered) = oneshot::channel();
        (Post::new(lines, answer), answered)
    }

    async fn feed(post: &mut Post, bytes: usize) {
        post.feed(Bytes::from(vec![b'x'; bytes])).await.unwrap();
        post.flush().await.unwrap();
    }

    #[tokio::test]
    async fn few_answers_are_sent_as_a_whole() {
        let (mut post, mut answered) = post("a\n\nb\n");
        for line in ["a", "b"] {
            assert!(matches!(post.receive().await, Incoming::Text(text) if *text == *line));
            feed(&mut post, 3).await;
        }
        assert!(answered.try_recv().is_err());
        post.on_settled(|| true);
        let body = answered.await.unwrap();
        assert_eq!(to_bytes(body, 100).await.unwrap(), "xxx\nxxx\n");
        assert!(matches!(post.receive().await, Incoming::Ended));
    }

    #[tokio::test]
    async fn many_answers_are_sent_as_they_are_taken() {
        let (mut post, answered) = post("");
        let all = 5 * CHUNK;
        let sender = tokio::spawn(async move {
            for _ in 0..5 {
                feed(&mut post, CHUNK - 1).await;
            }
            post.on_settled(|| true);
        });
        let body = to_bytes(answered.await.unwrap(), all).await.unwrap();
        assert_eq!(body.len(), all);
        sender.await.unwrap();
    }

    #[tokio::test]
    async fn what_was_not_taken_to_the_end_is_no_whole_answer() {
        let (mut post, answered) = post("");
        // There is room for one chunk: the next one waits until the driver gives up.
        post.feed(Bytes::from(vec![b'x'; 3 * CHUNK])).await.unwrap();
        assert!(futures_util::FutureExt::now_or_never(post.flush()).is_none());
        post.close(CloseCode::TRY_LATER, "").await;
        drop(post);
        to_bytes(answered.await.unwrap(), usize::MAX).await.unwrap_err();
    }

    #[tokio::test]
    async fn a_caller_that_hung_up_is_told_of_once_and_its_lines_are_still_read() {
        let (mut post, answered) = post("a\nb");
        drop(answered);
        assert!(matches!(post.receive().await, Incoming::HungUp));
        for line in ["a", "b"] {
            assert!(matches!(post.receive().await, Incoming::Text(text) if *text == *line));
            feed(&mut post, 9 * CHUNK).await;
            assert_eq!(post.answers.capacity(), 0, "nothing is held");
        }
        post.on_settled(|| true);
        assert!(matches!(post.receive().await, Incoming::Ended));
    }
}
