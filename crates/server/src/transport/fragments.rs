//! Limits the frames of one WebSocket message.
//!
//! The codec bounds a message's bytes. Empty fragments have none: a message of such fragments would
//! never end, and no other limit would notice. So frame headers are counted below the codec, as
//! bytes pass.

use std::{
    error::Error,
    fmt::{self, Display, Formatter},
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose reader fails when a message has too many fragments.
#[derive(Debug)]
pub struct Counted<S> {
    stream: S,
    headers: Headers,
    most: u32,
}

/// The reason for the failure.
#[derive(Clone, Copy, Debug)]
pub struct TooManyFragments {
    /// Allowed frames.
    pub most: u32,
}

impl Display for TooManyFragments {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a message has too many fragments")
    }
}

impl Error for TooManyFragments {}

impl<S> Counted<S> {
    /// Allows messages of up to `most` frames.
    pub fn new(stream: S, most: u32) -> Self {
        Self { stream, headers: Headers::default(), most }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Some(fresh) = buffer.filled().get(before..) {
            self.headers.pass(fresh);
        }
        let most = self.most;
        if self.headers.largest > most {
            let cause = TooManyFragments { most };
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, cause)));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Reads frame headers (RFC 6455, 5.2) and skips payloads. The codec checks whether frames are
/// valid.
#[derive(Debug, Default)]
struct Headers {
    /// Frames of the current message.
    fragments: u32,
    /// Frames of the longest message so far. One read may hold a message from its first frame to its
    /// last, so the current count alone would miss it.
    largest: u32,
    /// Bytes of the payload still to skip.
    left: u64,
    /// The header so far.
    header: [u8; 14],
    have: u8,
}

impl Headers {
    fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let skipped = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.left -= skipped as u64;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            bytes = rest;
            if let Some(place) = self.header.get_mut(usize::from(self.have)) {
                *place = *first;
            }
            self.have += 1;
            if self.have >= 2 && self.have == self.length() {
                self.frame();
            }
        }
    }

    /// The header's length, once its first two bytes are known.
    const fn length(&self) -> u8 {
        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
        let extended = match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + mask + extended
    }

    /// Takes in a complete header.
    fn frame(&mut self) {
        let [first, second, ..] = self.header;
        let number = |bytes: &[u8]| {
            bytes.iter().fold(0u64, |sum, byte| sum.wrapping_shl(8) | u64::from(*byte))
        };
        self.left = match second & 0x7f {
            126 => number(&self.header[2..4]),
            127 => number(&self.header[2..10]),
            short => u64::from(short),
        };
        self.have = 0;
        let control = first & 0x08 != 0;
        if !control {
            let last = first & 0x80 != 0;
            let fragments = self.fragments.saturating_add(1);
            self.largest = self.largest.max(fragments);
            self.fragments = if last { 0 } else { fragments };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: u8 = 1;
    const MORE: u8 = 0;
    const PING: u8 = 9;

    fn frame(kind: u8, last: bool, length: usize) -> Vec<u8> {
        let mut frame = vec![kind | if last { 0x80 } else { 0 }];
        match length {
            0..126 => frame.push(0x80 | length as u8),
            126..65_536 => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            _ => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        // Payloads that look like headers.
        frame.extend(vec![0x01; length]);
        frame
    }

    fn fragments(frames: &[Vec<u8>], chunk: usize) -> u32 {
        let mut headers = Headers::default();
        for bytes in frames.concat().chunks(chunk) {
            headers.pass(bytes);
        }
        headers.fragments
    }

    #[test]
    fn fragments_are_counted_however_the_bytes_come() {
        let frames = [
            frame(TEXT, true, 5),
            frame(TEXT, false, 0),
            frame(PING, true, 3),
            frame(MORE, false, 200),
            frame(MORE, false, 70_000),
            frame(PING, true, 0),
        ];
        for chunk in [1, 2, 3, 7, 1_024, usize::MAX] {
            assert_eq!(fragments(&frames, chunk), 3, "{chunk}");
        }
    }

    #[test]
    fn a_message_that_ends_within_one_read_is_counted_with_its_last_frame() {
        let mut headers = Headers::default();
        let part = |number: usize| frame(if number == 0 { TEXT } else { MORE }, number == 64, 0);
        headers.pass(&(0..65).flat_map(part).collect::<Vec<_>>());
        headers.pass(&frame(TEXT, true, 3));
        assert_eq!((headers.fragments, headers.largest), (0, 65));
    }

    #[test]
    fn a_whole_message_counts_anew() {
        let frames = [
            frame(TEXT, false, 1),
            frame(MORE, true, 1),
            frame(TEXT, true, 1),
            frame(TEXT, false, 1),
        ];
        assert_eq!(fragments(&frames, usize::MAX), 1);
    }
}
