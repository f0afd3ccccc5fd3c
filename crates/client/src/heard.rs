//! What a client listens to: the server's messages that it does something with, and no others.
//!
//! [`tidings_protocol::ServerMessage`] reads all of them; a browser would load the code for each.

use tidings_protocol::{
    Decode, DecodeError,
    codec::{Reader, Reason},
    server::{
        Ack, Connected, Error, Expiring, Gap, Goaway, Marked, Notification, Page, Pong, Refreshed,
        Skip, Snapshot, Subscribed, Trimmed, Unsubscribed,
    },
};

macro_rules! heard {
    ($($tag:literal $name:ident)*) => {
        /// A message to act on.
        #[derive(Debug)]
        #[allow(clippy::large_enum_variant, reason = "it lives for one step; a box would cost an allocation each")]
        #[allow(dead_code, reason = "that `expiring` comes says enough")]
        pub(crate) enum Heard {
            $($name($name),)*
        }

        impl Heard {
            /// Reads a message. `None`: one of those that mean nothing to this client, rooms' and chats' and what a
            /// newer server may say.
            pub(crate) fn read(text: &str) -> Result<Option<Self>, DecodeError> {
                let mut reader = Reader::check(text)?;
                let heard = match &*reader.kind() {
                    $($tag => Some(Self::$name($name::read(&mut reader))),)*
                    // Without a type it is no message.
                    "" => {
                        reader.fail(Reason::UnknownType);
                        None
                    }
                    _ => None,
                };
                reader.finish(heard)
            }
        }
    };
}

heard! {
    "ack" Ack
    "connected" Connected
    "error" Error
    "expiring" Expiring
    "gap" Gap
    "goaway" Goaway
    "marked" Marked
    "notification" Notification
    "page" Page
    "pong" Pong
    "refreshed" Refreshed
    "skip" Skip
    "snapshot" Snapshot
    "subscribed" Subscribed
    "trimmed" Trimmed
    "unsubscribed" Unsubscribed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_does_not_know_is_passed_over_and_what_is_broken_is_told() {
        assert!(matches!(Heard::read(r#"{"type":"pong","now":3}"#), Ok(Some(Heard::Pong(_)))));
        assert!(matches!(Heard::read(r#"{"type":"join","channel":7}"#), Ok(None)));
        assert!(matches!(Heard::read(r#"{"type":"of-tomorrow"}"#), Ok(None)));
        let reason = |text| Heard::read(text).unwrap_err().reason();
        assert_eq!(reason(r#"{"now":3}"#), Reason::Missing);
        assert_eq!(reason(r#"{"type":""}"#), Reason::UnknownType);
        assert_eq!(reason(r#"{"type":"pong"}"#), Reason::Missing);
        assert_eq!(reason(r#"{"type":"join""#), Reason::Ended);
    }
}
