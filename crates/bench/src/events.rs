//! Counts the events in a stream of server-sent events, chunk heads included, without copying. No
//! payload holds a raw newline, so each line that begins with `data: ` is one event.

use crate::frames::Found;

const LINE: &[u8] = b"\ndata: ";
/// The end of an event, and of the chunk that carried it.
const END: &[u8] = b"\n\n\r\n";

/// The position in a stream of events.
#[derive(Default)]
pub(crate) struct Events {
    /// How many bytes of [`LINE`] end the bytes read so far.
    line: usize,
    /// How many bytes of [`END`] end them.
    end: usize,
}

impl Events {
    pub(crate) fn read(&mut self, bytes: &[u8], found: &mut Found) {
        for byte in bytes {
            self.line = step(LINE, self.line, *byte);
            if self.line == LINE.len() {
                found.messages += 1;
            }
            self.end = step(END, self.end, *byte);
        }
    }

    /// Whether the stream stands between two chunks.
    pub(crate) const fn at_boundary(&self) -> bool {
        self.end == END.len()
    }
}

/// How many bytes of `pattern` are matched after `byte`. Correct only for patterns in which no byte
/// but the first repeats.
fn step(pattern: &[u8], matched: usize, byte: u8) -> usize {
    if pattern.get(matched) == Some(&byte) {
        matched + 1
    } else if pattern.first() == Some(&byte) {
        // In a run of the first byte, the last ones still match the pattern's beginning.
        let run = pattern.iter().take_while(|first| **first == byte).count();
        if matched >= run { run } else { 1 }
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_counted_however_the_bytes_come() {
        let stream = b"20\r\nretry: 1\n\nid: a~b\ndata: {}\n\n\r\n3\r\n:\n\n\r\n9\r\ndata: {}\n\ndata: {\"data: \":1}\n\n\r\n";
        for size in [1, 2, 3, 7, 1_000] {
            let (mut events, mut found) = (Events::default(), Found::default());
            for chunk in stream.chunks(size) {
                events.read(chunk, &mut found);
            }
            assert_eq!(found.messages, 3, "{size}");
            assert!(events.at_boundary());
        }
    }
}
