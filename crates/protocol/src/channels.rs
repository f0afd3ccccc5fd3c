//! A small map from channels to values.

use crate::{
    Channel,
    codec::{Decode, Encode, Reader, Reason},
    json::push_str_escaped,
};

/// A map from channels to values, sorted by name. A message holds a few dozen entries at most.
///
/// It is a sorted list. A tree would be faster from some hundreds of entries on, and costs a
/// browser 9 KB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channels<V>(Vec<(Channel, V)>);

impl<V> Channels<V> {
    /// Sets a channel's value; returns the value it had before.
    pub fn insert(&mut self, channel: Channel, value: V) -> Option<V> {
        let mut place = 0;
        while let Some((known, held)) = self.0.get_mut(place) {
            if *known == channel {
                return Some(std::mem::replace(held, value));
            }
            if *known > channel {
                break;
            }
            place += 1;
        }
        self.0.insert(place, (channel, value));
        None
    }

    /// Returns a channel's value.
    pub fn get(&self, channel: &(impl AsRef<str> + ?Sized)) -> Option<&V> {
        let channel = channel.as_ref();
        self.0.iter().find(|(known, _)| known.as_str() == channel).map(|(_, value)| value)
    }

    /// The number of channels.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the map is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Channels and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Channel, &V)> {
        self.0.iter().map(|(channel, value)| (channel, value))
    }
}

impl<V> Default for Channels<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> IntoIterator for Channels<V> {
    type Item = (Channel, V);
    type IntoIter = std::vec::IntoIter<(Channel, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<V> FromIterator<(Channel, V)> for Channels<V> {
    /// Of several values for one channel, the last one counts.
    fn from_iter<I: IntoIterator<Item = (Channel, V)>>(values: I) -> Self {
        let mut channels = Self::default();
        for (channel, value) in values {
            channels.insert(channel, value);
        }
        channels
    }
}

impl<V, const N: usize> From<[(Channel, V); N]> for Channels<V> {
    fn from(values: [(Channel, V); N]) -> Self {
        values.into_iter().collect()
    }
}

impl<V: Encode> Encode for Channels<V> {
    fn encode(&self, out: &mut String) {
        out.push('{');
        for (place, (channel, value)) in self.0.iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            push_str_escaped(out, channel.as_str());
            out.push(':');
            value.encode(out);
        }
        out.push('}');
    }
}

impl<V: Decode> Decode for Channels<V> {
    fn read(reader: &mut Reader<'_>) -> Self {
        let mut channels = Self::default();
        let mut members = reader.object();
        while let Some(key) = reader.member(&mut members) {
            let Ok(channel) = Channel::parse(&key) else {
                reader.fail(Reason::Channel);
                break;
            };
            // Checked before the value is read: otherwise the error would name a field inside the
            // value.
            if channels.get(&channel).is_some() {
                reader.fail(Reason::Duplicate);
            }
            let value = V::read(reader);
            channels.insert(channel, value);
        }
        channels
    }
}

#[cfg(feature = "serde")]
impl<V: serde::Serialize> serde::Serialize for Channels<V> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(feature = "serde")]
impl<'de, V: serde::Deserialize<'de>> serde::Deserialize<'de> for Channels<V> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = std::collections::BTreeMap::<Channel, V>::deserialize(deserializer)?;
        Ok(map.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(name: &str) -> Channel {
        Channel::parse(name).unwrap()
    }

    #[test]
    fn channels_come_in_order_of_their_names_and_once() {
        let mut channels = Channels::from([
            (channel("room:b"), 1),
            (channel("chat:z"), 2),
            (channel("room:c"), 3),
        ]);
        assert_eq!(channels.insert(channel("room:b"), 4), Some(1));
        assert_eq!(channels.insert(channel("room:a"), 5), None);
        let listed: Vec<_> = channels.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(listed, [("chat:z", 2), ("room:a", 5), ("room:b", 4), ("room:c", 3)]);
        assert_eq!((channels.get("room:b"), channels.get("room:x")), (Some(&4), None));
    }
}
