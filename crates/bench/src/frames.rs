//! Counts the messages in a stream of WebSocket frames without copying them: the generator must not
//! become the bottleneck.

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// The contents of some received bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Messages that ended: text frames, and one more for each `\n` inside (a batch).
    pub(crate) messages: u64,
    /// Pings to answer by a pong.
    pub(crate) pings: u32,
    /// The server sent a close frame.
    pub(crate) closed: bool,
}

/// The position in a stream of frames.
#[derive(Default)]
pub(crate) struct Frames {
    header: [u8; 10],
    header_length: usize,
    /// Bytes of the payload still to come.
    left: u64,
    opcode: u8,
    inside: bool,
}

impl Frames {
    /// Reads the next bytes. A server's frames are not masked, and these servers do not fragment.
    pub(crate) fn read(&mut self, mut bytes: &[u8], found: &mut Found) {
        while let Some(first) = bytes.first() {
            if self.inside {
                let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                let (payload, rest) = bytes.split_at(length);
                if self.opcode == TEXT {
                    found.messages += payload.iter().filter(|byte| **byte == b'\n').count() as u64;
                }
                self.left -= payload.len() as u64;
                bytes = rest;
            } else {
                if let Some(slot) = self.header.get_mut(self.header_length) {
                    *slot = *first;
                }
                self.header_length += 1;
                bytes = bytes.get(1..).unwrap_or_default();
                self.inside = self.parse_header();
            }
            if self.inside && self.left == 0 {
                self.inside = false;
                self.header_length = 0;
                match self.opcode {
                    TEXT => found.messages += 1,
                    PING => found.pings += 1,
                    CLOSE => found.closed = true,
                    _ => {}
                }
            }
        }
    }

    /// Whether the stream stands between two frames.
    pub(crate) fn at_boundary(&self) -> bool {
        !self.inside && self.header_length == 0
    }

    /// Whether the header is complete.
    fn parse_header(&mut self) -> bool {
        let [first, second, a, b, rest @ ..] = self.header;
        let (wanted, length) = match second & 0x7f {
            126 => (4, u64::from(u16::from_be_bytes([a, b]))),
            127 => {
                let [c, d, e, f, g, h] = rest;
                (10, u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
            short => (2, u64::from(short)),
        };
        self.opcode = first & 0x0f;
        self.left = length;
        self.header_length == wanted
    }
}

/// A client's text frame. Its mask is 0: a valid mask that leaves the payload unchanged.
pub(crate) fn text(payload: &str) -> Vec<u8> {
    let mut frame = vec![0x80 | TEXT];
    match u16::try_from(payload.len()) {
        Ok(short @ 0..=125) => frame.push(0x80 | short.to_be_bytes()[1]),
        Ok(medium) => {
            frame.push(0x80 | 126);
            frame.extend(medium.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload.as_bytes());
    frame
}

/// A pong with an empty payload: pings of these servers have none.
pub(crate) const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            short @ 0..=125 => frame.push(short as u8),
            medium @ 126..=65_535 => {
                frame.push(126);
                frame.extend((medium as u16).to_be_bytes());
            }
            long => {
                frame.push(127);
                frame.extend((long as u64).to_be_bytes());
            }
        }
        frame.extend(payload);
        frame
    }

    #[test]
    fn counts_the_same_however_the_stream_is_cut() {
        let stream = [
            frame(TEXT, b"{}"),
            frame(TEXT, b"{}\n{}\n{}"),
            frame(PING, b""),
            frame(TEXT, &[b'x'; 300]),
            frame(TEXT, b""),
            frame(TEXT, &[b'x'; 70_000]),
            frame(PING, b"abc\n"),
        ]
        .concat();
        for piece in [1, 2, 3, 7, 100, 65_536, stream.len()] {
            let (mut frames, mut found) = (Frames::default(), Found::default());
            stream.chunks(piece).for_each(|bytes| frames.read(bytes, &mut found));
            assert_eq!(found, Found { messages: 7, pings: 2, closed: false }, "{piece}");
        }
    }

    #[test]
    fn hears_a_goodbye() {
        let (mut frames, mut found) = (Frames::default(), Found::default());
        frames.read(&frame(CLOSE, &1001_u16.to_be_bytes()), &mut found);
        assert!(found.closed);
    }

    #[test]
    fn masks_by_zero() {
        assert_eq!(text("hi"), [0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
        assert_eq!(text(&"x".repeat(200))[..4], [0x81, 0xfe, 0, 200]);
        assert_eq!(text(&"x".repeat(70_000))[..10], [0x81, 0xff, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
    }
}
