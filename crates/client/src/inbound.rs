//! The server's messages that a client handles, without all others.
//!
//! [`tidings_protocol::ServerMessage`] reads every message; a browser would have to load the code
//! for each.

use tidings_protocol::{
    Channel, Decode, DecodeError,
    codec::{Reader, Reason},
    server::{
        Ack, Connected, Error, Expiring, Gap, Goaway, Marked, Message, Notification, Page, Pong,
        Refreshed, Skip, Snapshot, Subscribed, Trimmed, Unsubscribed,
    },
};

macro_rules! inbound {
    ($($tag:literal $name:ident)*) => {
        /// A message that the client handles.
        #[derive(Debug)]
        #[allow(clippy::large_enum_variant, reason = "it lives for one step; a box would cost an allocation each")]
        #[allow(dead_code, reason = "that `expiring` comes says enough")]
        pub(crate) enum InboundMessage {
            $($name($name),)*
            /// A record of a type that this client ignores; its offset counts as received.
            Passed { channel: Channel, offset: u64 },
        }

        impl InboundMessage {
            /// Reads a message. `None`: the client ignores it (presence, signals, messages of newer
            /// servers).
            pub(crate) fn read(text: &str) -> Result<Option<Self>, DecodeError> {
                let mut reader = Reader::check(text)?;
                let message = match &*reader.kind() {
                    $($tag => Some(Self::$name($name::read(&mut reader))),)*
                    // A text without a type is not a message.
                    "" => {
                        reader.fail(Reason::UnknownType);
                        None
                    }
                    _ => passed(&mut reader),
                };
                reader.finish(message)
            }
        }
    };
}

inbound! {
    "ack" Ack
    "connected" Connected
    "error" Error
    "expiring" Expiring
    "gap" Gap
    "goaway" Goaway
    "marked" Marked
    "message" Message
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

/// The channel and offset of a record of an unknown type.
fn passed(reader: &mut Reader<'_>) -> Option<InboundMessage> {
    let (mut channel, mut offset) = (None, None);
    let mut members = reader.object();
    while let Some(key) = reader.member(&mut members) {
        match &*key {
            "channel" if reader.is_string() => channel = Channel::parse(&reader.string()).ok(),
            "offset" if !reader.is_absent() => offset = Some(reader.integer()),
            _ => {}
        }
    }
    Some(InboundMessage::Passed { channel: channel?, offset: offset? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_tomorrow_counts_as_received() {
        let text = r#"{"type":"poll","channel":"room:1","offset":7,"question":"?"}"#;
        let Ok(Some(InboundMessage::Passed { channel, offset: 7 })) = InboundMessage::read(text)
        else {
            panic!()
        };
        assert_eq!(channel.as_str(), "room:1");
        assert!(matches!(InboundMessage::read(r#"{"type":"poll","offset":7}"#), Ok(None)));
    }

    #[test]
    fn what_it_does_not_know_is_passed_over_and_what_is_broken_is_told() {
        assert!(matches!(
            InboundMessage::read(r#"{"type":"pong","now":3}"#),
            Ok(Some(InboundMessage::Pong(_)))
        ));
        assert!(matches!(InboundMessage::read(r#"{"type":"join","channel":7}"#), Ok(None)));
        assert!(matches!(InboundMessage::read(r#"{"type":"of-tomorrow"}"#), Ok(None)));
        let reason = |text| InboundMessage::read(text).unwrap_err().reason();
        assert_eq!(reason(r#"{"now":3}"#), Reason::Missing);
        assert_eq!(reason(r#"{"type":""}"#), Reason::UnknownType);
        assert_eq!(reason(r#"{"type":"pong"}"#), Reason::Missing);
        assert_eq!(reason(r#"{"type":"join""#), Reason::Ended);
    }
}
