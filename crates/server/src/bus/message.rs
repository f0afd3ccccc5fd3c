//! Messages between nodes as text. Each is a line of JSON, so that an older node skips unknown
//! ones.

use serde::{Deserialize, Serialize};
use tidings_protocol::{Channel, Epoch};
use tidings_server_core::{
    budget::{Cost, KINDS},
    hub::Hint,
    leases::ConnectionId,
};

/// One message to other nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusMessage {
    /// A log reaches this offset.
    Hint(Hint),
    /// A revocation was stored: read the new ones.
    Revoked,
    /// A page connected elsewhere: its older connection, named here, must end.
    Replaced(ConnectionId),
    /// A user's use since the last report.
    Used {
        /// The user.
        user: String,
        /// The use.
        cost: Cost,
    },
}

/// One line. The fields that are set determine its type.
#[derive(Default, Serialize, Deserialize)]
struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<(Channel, Epoch, u64)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    revoked: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaced: Option<(u64, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used: Option<(String, [u64; KINDS])>,
}

/// One Pub/Sub message with several signals from a node.
pub(super) fn encode(from: u64, messages: &[BusMessage]) -> String {
    let mut text = from.to_string();
    for message in messages {
        let line = match message {
            BusMessage::Hint(Hint { channel, epoch, top }) => {
                Line { hint: Some((channel.clone(), *epoch, *top)), ..Line::default() }
            }
            BusMessage::Revoked => Line { revoked: true, ..Line::default() },
            BusMessage::Replaced(ConnectionId { node, number }) => {
                Line { replaced: Some((*node, *number)), ..Line::default() }
            }
            BusMessage::Used { user, cost } => {
                Line { used: Some((user.clone(), cost.units())), ..Line::default() }
            }
        };
        // Serialization can't fail: the line holds only numbers and checked names.
        if let Ok(line) = serde_json::to_string(&line) {
            text.push('\n');
            text.push_str(&line);
        }
    }
    text
}

/// The sender's number, and the signals that this node understands. `None`: the text is not from a
/// Tidings node.
pub(super) fn decode(text: &str) -> Option<(u64, Vec<BusMessage>)> {
    let mut lines = text.lines();
    let from = lines.next()?.parse().ok()?;
    let messages = lines.filter_map(|line| {
        let Line { hint, revoked, replaced, used } = serde_json::from_str(line).ok()?;
        let hint = hint.map(|(channel, epoch, top)| BusMessage::Hint(Hint { channel, epoch, top }));
        let connection =
            replaced.map(|(node, number)| BusMessage::Replaced(ConnectionId { node, number }));
        let used = used.map(|(user, units)| BusMessage::Used { user, cost: Cost::new(units) });
        hint.or(connection).or(used).or_else(|| revoked.then_some(BusMessage::Revoked))
    });
    Some((from, messages.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_travel_as_lines() {
        let channel = Channel::parse("room:a b/ü").unwrap();
        let hint = Hint { channel, epoch: Epoch::from_bits(7), top: (1 << 53) - 1 };
        let connection = ConnectionId { node: u64::MAX, number: 3 };
        let used =
            BusMessage::Used { user: "mi\"na".into(), cost: Cost::new([1, 2, 3, 4, u64::MAX]) };
        let all =
            [BusMessage::Hint(hint), BusMessage::Revoked, BusMessage::Replaced(connection), used];
        assert_eq!(decode(&encode(u64::MAX, &all)), Some((u64::MAX, all.to_vec())));
        assert_eq!(decode(&encode(1, &[])), Some((1, vec![])));
    }

    #[test]
    fn what_is_not_known_is_passed_over_and_nonsense_is_nothing() {
        let mixed = "9\n{\"newer\":1}\n{\"revoked\":true,\"newer\":2}\nnonsense\n{\"hint\":[1]}";
        assert_eq!(decode(mixed), Some((9, vec![BusMessage::Revoked])));
        for nonsense in ["", "x", "{}", "-1\n{}"] {
            assert_eq!(decode(nonsense), None, "{nonsense:?}");
        }
    }
}
