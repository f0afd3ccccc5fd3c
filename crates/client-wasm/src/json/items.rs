//! The inbox as JSON: each payload once, then as a number.

use tidings_client_core::{Client, Filter, InboxStatus, ItemKey, ItemView};
use tidings_protocol::{Encode, json::push_str_escaped};

use super::object::{Object, list};
use crate::ops::{JsonText, RawInbox, RawItem};

/// The items that TypeScript has.
///
/// A payload crosses the border once. From then on an item is a number and four flags, and
/// TypeScript finds the frozen, parsed payload under that number; see [`RawItem`].
#[derive(Default)]
pub(crate) struct Items {
    /// Sorted by key. A tree would add 3 KB to the code that every page loads.
    known: Vec<(ItemKey, u64)>,
    last: u64,
}

impl Items {
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Forgets the items that are not in this list, and returns their numbers.
    pub(crate) fn forget_all_but(&mut self, items: &[ItemView]) -> Vec<u64> {
        let mut stays = vec![false; self.known.len()];
        for item in items {
            if let Some(stay) = self.index(&item.key).ok().and_then(|index| stays.get_mut(index)) {
                *stay = true;
            }
        }
        let mut gone = Vec::new();
        let mut stays = stays.into_iter();
        self.known.retain(|(_, number)| {
            let stay = stays.next() == Some(true);
            if !stay {
                gone.push(*number);
            }
            stay
        });
        gone
    }

    fn index(&self, key: &ItemKey) -> Result<usize, usize> {
        self.known.binary_search_by(|(known, _)| known.cmp(key))
    }

    /// A view.
    pub(crate) fn view(
        &mut self,
        client: &Client,
        filter: &Filter,
        gone: &[u64],
        loading: bool,
        error: Option<&str>,
    ) -> JsonText<RawInbox> {
        let view = client.summary(filter);
        let status = match view.status {
            InboxStatus::Cached => "cached",
            InboxStatus::Live => "live",
            InboxStatus::Loading => "loading",
        };
        let mut out = Object::new();
        out.text("status", status);
        out.key("unread", &view.unread);
        out.key("unseen", &view.unseen);
        out.key("count", &view.count);
        out.key("hasMore", &view.has_more);
        out.key("loadingMore", &loading);
        out.raw("error", error);
        self.entries(out.slot("items"), client.items(), filter);
        list(out.slot("gone"), gone, |out, number| number.encode(out));
        out.end()
    }

    fn entries(&mut self, out: &mut String, items: &[ItemView], filter: &Filter) {
        let mut mark = '[';
        for item in items {
            if filter.fits(item) {
                out.push(mark);
                mark = ',';
                self.entry(out, item);
            }
        }
        if mark == '[' {
            out.push(mark);
        }
        out.push(']');
    }

    /// One item.
    pub(crate) fn single(&mut self, item: &ItemView) -> JsonText<RawItem> {
        let mut out = String::new();
        self.entry(&mut out, item);
        JsonText::new(out)
    }

    fn entry(&mut self, out: &mut String, item: &ItemView) {
        let index = self.index(&item.key);
        let known = index.ok().and_then(|index| self.known.get(index)).map(|(_, number)| *number);
        let flags = u64::from(item.read)
            | u64::from(item.seen) << 1
            | u64::from(item.archived) << 2
            | u64::from(item.pending) << 3;
        out.push('[');
        known.unwrap_or(self.last + 1).encode(out);
        out.push(',');
        flags.encode(out);
        if let Err(index) = index {
            self.last += 1;
            self.known.insert(index, (item.key.clone(), self.last));
            out.push(',');
            push_str_escaped(out, &item.id);
            out.push(',');
            push_str_escaped(out, &item.kind);
            out.push(',');
            item.at.encode(out);
            out.push(',');
            out.push_str(item.data.as_str());
        }
        out.push(']');
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidings_client_core::{Kinds, Show};
    use tidings_protocol::{Channel, Epoch, Json};

    use super::*;

    fn item(offset: u64) -> ItemView {
        ItemView {
            key: ItemKey {
                channel: Channel::parse("inbox:u1").unwrap(),
                epoch: Epoch::from_bits(1),
                offset,
            },
            id: Arc::from("n\"1"),
            kind: Arc::from("payment"),
            at: 7,
            read: true,
            seen: true,
            archived: false,
            pending: true,
            data: Json::parse(r#"{"title":"Paid"}"#).unwrap(),
        }
    }

    fn entries(items: &mut Items, of: &[ItemView], filter: &Filter) -> String {
        let mut out = String::new();
        items.entries(&mut out, of, filter);
        out
    }

    #[test]
    fn a_payload_crosses_once() {
        let mut items = Items::default();
        assert_eq!(
            items.single(&item(1)).as_str(),
            r#"[1,11,"n\"1","payment",7,{"title":"Paid"}]"#
        );
        assert_eq!(items.single(&item(1)).as_str(), "[1,11]");
        let both = [item(1), item(2)];
        assert!(entries(&mut items, &both, &Filter::default()).starts_with("[[1,11],[2,11,"));
        let unread = Filter { show: Show::Unread, kinds: Kinds::default() };
        assert_eq!(entries(&mut items, &both, &unread), "[]", "both are read");
    }

    #[test]
    fn items_that_left_are_forgotten_and_told_again_if_they_return() {
        let mut items = Items::default();
        items.single(&item(1));
        items.single(&item(2));
        assert_eq!(items.forget_all_but(&[item(2)]), [1]);
        assert_eq!(items.len(), 1);
        assert!(
            items.single(&item(1)).as_str().starts_with("[3,11,"),
            "a number is never given twice"
        );
    }
}
