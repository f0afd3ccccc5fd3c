//! What nodes tell each other, as text: lines of JSON, so that an older node passes over what it does not know.

use serde::{Deserialize, Serialize};
use tidings_protocol::{Channel, Epoch};
use tidings_server_core::{
    budget::{Cost, KINDS},
    hub::Hint,
    seats::Seat,
};

/// One thing to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A log goes this far.
    Hint(Hint),
    /// A revocation was stored: read what is new.
    Revoked,
    /// A page connected elsewhere: this older connection of it is to end.
    Replaced(Seat),
    /// A user used this much since the last word about that user.
    Used {
        /// Who.
        user: String,
        /// How much.
        cost: Cost,
    },
}

/// One line. Which fields are set says what it is.
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

/// A message of several signals, from a node.
pub(super) fn encode(from: u64, signals: &[Signal]) -> String {
    let mut text = from.to_string();
    for signal in signals {
        let line = match signal {
            Signal::Hint(Hint { channel, epoch, top }) => {
                Line { hint: Some((channel.clone(), *epoch, *top)), ..Line::default() }
            }
            Signal::Revoked => Line { revoked: true, ..Line::default() },
            Signal::Replaced(Seat { node, number }) => {
                Line { replaced: Some((*node, *number)), ..Line::default() }
            }
            Signal::Used { user, cost } => {
                Line { used: Some((user.clone(), cost.units())), ..Line::default() }
            }
        };
        // A line of numbers and checked names always has a text.
        if let Ok(line) = serde_json::to_string(&line) {
            text.push('\n');
            text.push_str(&line);
        }
    }
    text
}

/// Who sent it, and what it says, as far as this node understands it. `None`: it is no message of ours.
pub(super) fn decode(text: &str) -> Option<(u64, Vec<Signal>)> {
    let mut lines = text.lines();
    let from = lines.next()?.parse().ok()?;
    let signals = lines.filter_map(|line| {
        let Line { hint, revoked, replaced, used } = serde_json::from_str(line).ok()?;
        let hint = hint.map(|(channel, epoch, top)| Signal::Hint(Hint { channel, epoch, top }));
        let seat = replaced.map(|(node, number)| Signal::Replaced(Seat { node, number }));
        let used = used.map(|(user, units)| Signal::Used { user, cost: Cost::new(units) });
        hint.or(seat).or(used).or_else(|| revoked.then_some(Signal::Revoked))
    });
    Some((from, signals.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_travel_as_lines() {
        let channel = Channel::parse("room:a b/ü").unwrap();
        let hint = Hint { channel, epoch: Epoch::from_bits(7), top: (1 << 53) - 1 };
        let seat = Seat { node: u64::MAX, number: 3 };
        let used = Signal::Used { user: "mi\"na".into(), cost: Cost::new([1, 2, 3, 4, u64::MAX]) };
        let all = [Signal::Hint(hint), Signal::Revoked, Signal::Replaced(seat), used];
        assert_eq!(decode(&encode(u64::MAX, &all)), Some((u64::MAX, all.to_vec())));
        assert_eq!(decode(&encode(1, &[])), Some((1, vec![])));
    }

    #[test]
    fn what_is_not_known_is_passed_over_and_nonsense_is_nothing() {
        let mixed = "9\n{\"newer\":1}\n{\"revoked\":true,\"newer\":2}\nnonsense\n{\"hint\":[1]}";
        assert_eq!(decode(mixed), Some((9, vec![Signal::Revoked])));
        for nonsense in ["", "x", "{}", "-1\n{}"] {
            assert_eq!(decode(nonsense), None, "{nonsense:?}");
        }
    }
}
