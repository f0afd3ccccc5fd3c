//! Text from bytes that arrive in arbitrary pieces.

/// Most characters of an error's text.
const WORDS_MAX: usize = 200;

/// The bytes are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not UTF-8 text")]
pub(crate) struct NotText;

/// UTF-8 in pieces. The start of a character is held until its rest arrives.
#[derive(Debug, Default)]
pub(crate) struct Text {
    /// At most three bytes.
    held: Vec<u8>,
}

impl Text {
    /// Takes a piece; returns every complete character.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<String, NotText> {
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(piece);
        let whole = match str::from_utf8(&bytes) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return Err(NotText),
        };
        self.held = bytes.split_off(whole);
        String::from_utf8(bytes).map_err(|_| NotText)
    }

    /// Checks that the text ends with a complete character.
    pub(crate) fn end(&self) -> Result<(), NotText> {
        if self.held.is_empty() { Ok(()) } else { Err(NotText) }
    }
}

/// Cuts a text to the length allowed in an error.
pub(crate) fn bounded(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(WORDS_MAX) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_may_be_cut_anywhere() {
        let whole = "aé€😀\n";
        for one in 0..=whole.len() {
            for two in one..=whole.len() {
                let (mut text, mut found) = (Text::default(), String::new());
                for range in [0..one, one..two, two..whole.len()] {
                    found.push_str(&text.push(&whole.as_bytes()[range]).unwrap());
                }
                assert_eq!((found.as_str(), text.end()), (whole, Ok(())));
            }
        }
    }

    #[test]
    fn what_is_no_text_is_not_taken_for_some() {
        assert_eq!(Text::default().push(b"a\xff"), Err(NotText));
        // The response is compressed, although the client did not ask for that.
        assert_eq!(Text::default().push(&[0x1f, 0x8b, 0x08]), Err(NotText));
        let mut text = Text::default();
        assert_eq!(text.push(b"\xe2\x82").as_deref(), Ok(""));
        assert_eq!(text.end(), Err(NotText));
        assert_eq!(text.push(b"a"), Err(NotText));
    }

    #[test]
    fn an_error_is_a_line_and_no_page() {
        assert_eq!(bounded(String::from("short")), "short");
        let long = bounded("é".repeat(WORDS_MAX + 1));
        assert_eq!((long.chars().count(), long.chars().last()), (WORDS_MAX + 1, Some('…')));
    }
}
