//! What comes down: lines of a poll's answer, events of a stream.

/// Longest line, in bytes: a snapshot of the largest items fits.
pub(super) const LINE_MAX: usize = 8 << 20;

/// A line is longer than any that a server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// A text in pieces, cut anywhere, as its lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rest: String,
}

impl Lines {
    /// Takes a piece; `each` gets every line that is complete.
    pub(super) fn push(&mut self, piece: &str, each: &mut dyn FnMut(&str)) -> Result<(), TooLong> {
        let mut piece = piece;
        while let Some((line, after)) = piece.split_once('\n') {
            self.rest.push_str(line);
            each(self.rest.strip_suffix('\r').unwrap_or(&self.rest));
            self.rest.clear();
            piece = after;
        }
        self.rest.push_str(piece);
        if self.rest.len() > LINE_MAX { Err(TooLong) } else { Ok(()) }
    }

    /// What came after the last line break.
    pub(super) fn rest(&self) -> &str {
        &self.rest
    }
}

/// The lines of an event stream, as the texts of its events. Ours are one line each; a proxy or another server may
/// break one up.
#[derive(Debug, Default)]
pub(super) struct Events {
    data: Option<String>,
}

impl Events {
    /// Takes a line; answers the event that it ends, if any. Comments, ids and the like say nothing to this client.
    pub(super) fn line(&mut self, line: &str) -> Option<String> {
        if line.is_empty() {
            return self.data.take();
        }
        let value = match line.strip_prefix("data") {
            Some("") => "",
            Some(value) => value.strip_prefix(':')?,
            None => return None,
        };
        let value = value.strip_prefix(' ').unwrap_or(value);
        match &mut self.data {
            Some(data) => {
                data.push('\n');
                data.push_str(value);
            }
            None => self.data = Some(String::from(value)),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&str]) -> Vec<String> {
        let (mut lines, mut events, mut found) = (Lines::default(), Events::default(), Vec::new());
        for piece in pieces {
            lines.push(piece, &mut |line| found.extend(events.line(line))).unwrap();
        }
        found
    }

    #[test]
    fn an_event_may_come_in_any_pieces() {
        let text = "retry: 500\n\n:\n\nid: x~y\ndata: {\"a\":1}\r\n\r\ndata:two\n\n";
        let whole = events(&[text]);
        assert_eq!(whole, ["{\"a\":1}", "two"]);
        for cut in 0..=text.len() {
            assert_eq!(events(&[&text[..cut], &text[cut..]]), whole, "{cut}");
        }
        let letters: Vec<&str> = text.split("").collect();
        assert_eq!(events(&letters), whole);
    }

    #[test]
    fn several_data_lines_are_one_event_and_other_fields_are_none() {
        assert_eq!(events(&["event: x\ndata: a\ndata\ndata: b\n\n"]), ["a\n\nb"]);
        assert!(events(&["database: x\n\n", "id: 1\n\n", "data: unfinished\n"]).is_empty());
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut lines = Lines::default();
        let piece = "x".repeat(LINE_MAX / 2);
        assert_eq!(lines.push(&piece, &mut |_| {}), Ok(()));
        assert_eq!(lines.push(&piece, &mut |_| {}), Ok(()));
        assert_eq!(lines.push("x", &mut |_| {}), Err(TooLong));
    }
}
