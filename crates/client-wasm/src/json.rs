//! Snapshots as JSON text for `JSON.parse`, which is faster and smaller than building objects across the border.

use std::sync::Arc;

use tidings_client_core::{
    Change, ChannelStatus, ChannelView, Client, Connection, Error, FailedIntent, Filter,
    InboxStatus, IntentKind, ItemKey, ItemView, MessageView, Outbox, Status, Stored, TransportKind,
};
use tidings_protocol::{Channel, Encode, Epoch, Json, json::push_str_escaped, server::GapReason};

/// Which items TypeScript has been given.
///
/// A payload crosses once. From then on an item is a number and four flags, and TypeScript keeps what it parsed, frozen,
/// under that number. An entry is `[number, flags]`, or `[number, flags, id, type, at, body]` the first time; flags are
/// read 1, seen 2, archived 4, pending 8.
#[derive(Default)]
pub(crate) struct Items {
    /// In order of the keys. A sorted list: a tree would add 3 KB to what every page loads.
    known: Vec<(ItemKey, u64)>,
    last: u64,
}

impl Items {
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Forgets the items that are not in this list, and says which.
    pub(crate) fn forget_all_but(&mut self, items: &[ItemView]) -> Vec<u64> {
        let mut stays = vec![false; self.known.len()];
        for item in items {
            if let Some(stay) = self.place(&item.key).ok().and_then(|place| stays.get_mut(place)) {
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

    fn place(&self, key: &ItemKey) -> Result<usize, usize> {
        self.known.binary_search_by(|(known, _)| known.cmp(key))
    }

    /// A view: `{status, items: [entry…], unread, unseen, count, hasMore, loadingMore, error, gone: [number…]}`.
    pub(crate) fn view(
        &mut self,
        client: &Client,
        filter: &Filter,
        gone: &[u64],
        loading: bool,
        error: Option<&str>,
    ) -> String {
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

    /// One item's entry.
    pub(crate) fn single(&mut self, item: &ItemView) -> String {
        let mut out = String::new();
        self.entry(&mut out, item);
        out
    }

    fn entry(&mut self, out: &mut String, item: &ItemView) {
        let place = self.place(&item.key);
        let known = place.ok().and_then(|place| self.known.get(place)).map(|(_, number)| *number);
        let flags = u64::from(item.read)
            | u64::from(item.seen) << 1
            | u64::from(item.archived) << 2
            | u64::from(item.pending) << 3;
        out.push('[');
        known.unwrap_or(self.last + 1).encode(out);
        out.push(',');
        flags.encode(out);
        if let Err(place) = place {
            self.last += 1;
            self.known.insert(place, (item.key.clone(), self.last));
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

/// `{status, user, error, attempt, retryAt, lost, transport, durable}`.
pub(crate) fn connection(connection: &Connection, error: Option<&str>) -> String {
    let status = match connection.status {
        Status::Closed => "closed",
        Status::Connected => "connected",
        Status::Connecting => "connecting",
        Status::Failed => "failed",
        Status::Idle => "idle",
        Status::Offline => "offline",
        Status::SignedOut => "signed-out",
        Status::Waiting => "waiting",
    };
    let transport = connection.transport.map(|kind| match kind {
        TransportKind::Ws => "\"ws\"",
        TransportKind::Sse => "\"sse\"",
        TransportKind::Poll => "\"poll\"",
        TransportKind::Relay => "\"relay\"",
    });
    let mut out = Object::new();
    out.text("status", status);
    out.key("user", &connection.user);
    out.raw("error", error);
    out.key("attempt", &connection.attempt);
    out.key("retryAt", &connection.retry_at);
    out.key("lost", &connection.lost);
    out.raw("transport", transport);
    out.key("durable", &connection.durable);
    out.end()
}

/// `{pending, failed: […]}`.
pub(crate) fn outbox(outbox: &Outbox) -> String {
    let mut out = Object::new();
    out.key("pending", &outbox.pending);
    list(out.slot("failed"), &outbox.failed, |out, intent| out.push_str(&failed(intent)));
    out.end()
}

/// `{id, kind, channel, at, error}`.
pub(crate) fn failed(intent: &FailedIntent) -> String {
    let mut out = Object::new();
    out.key("id", &intent.id);
    let kind = match intent.kind {
        IntentKind::Mark => "mark",
        IntentKind::Publish => "publish",
    };
    out.text("kind", kind);
    out.key("channel", &intent.channel);
    out.key("at", &intent.at);
    out.raw("error", Some(&error(&intent.error)));
    out.end()
}

/// `{code, fault, retry, message}`.
pub(crate) fn error(error: &Error) -> String {
    let mut out = Object::new();
    out.key("code", &error.code);
    out.text("fault", error.fault.as_str());
    out.key("retry", &error.retry);
    out.key("message", &error.message);
    out.end()
}

/// `{channel, epoch, offset, id}`.
pub(crate) fn stored(stored: &Stored) -> String {
    let mut out = Object::new();
    out.key("channel", &stored.channel);
    out.key("epoch", &stored.epoch);
    out.key("offset", &stored.offset);
    out.key("id", &stored.id);
    out.end()
}

/// `{channel, from, to, why}`.
pub(crate) fn gap(channel: &Channel, from: u64, to: u64, why: GapReason) -> String {
    let mut out = Object::new();
    out.key("channel", channel);
    out.key("from", &from);
    out.key("to", &to);
    out.text("why", why.as_str());
    out.end()
}

/// `{user, cursors: [[epoch, offset], …], over: [epoch, …], text}`.
pub(crate) fn cache(user: &str, cursors: &[(Epoch, u64)], over: &[Epoch], text: &str) -> String {
    let mut out = Object::new();
    out.text("user", user);
    out.text("text", text);
    list(out.slot("cursors"), cursors, |out, (epoch, offset)| {
        out.push('[');
        epoch.encode(out);
        out.push(',');
        offset.encode(out);
        out.push(']');
    });
    list(out.slot("over"), over, |out, epoch| epoch.encode(out));
    out.end()
}

/// `{status, messages: [entry…], gap, hasMore, loadingMore, error}`. A message that TypeScript knows is `[key]`, another one
/// `[key, flags, id, offset, at, from, payload, error]`; flags are pending 1, own 2. `known`: what it knows, in order.
pub(crate) fn channel(view: &ChannelView, known: &[Arc<MessageView>]) -> String {
    let status = match view.status {
        ChannelStatus::CatchingUp => "catching-up",
        ChannelStatus::Idle => "idle",
        ChannelStatus::Joining => "joining",
        ChannelStatus::Live => "live",
        ChannelStatus::Refused => "refused",
    };
    let mut out = Object::new();
    out.text("status", status);
    let gap_text = view.gap.map(|gap| {
        let mut out = Object::new();
        out.key("from", &gap.from);
        out.key("to", &gap.to);
        out.text("why", gap.why.as_str());
        out.end()
    });
    out.raw("gap", gap_text.as_deref());
    out.key("hasMore", &view.has_more);
    out.key("loadingMore", &view.loading_more);
    out.raw("error", view.error.as_ref().map(error).as_deref());
    // Both lists are in the same order, but for what came in between.
    let mut rest = known;
    list(out.slot("messages"), &view.messages, |out, message| {
        let place = rest.iter().position(|known| Arc::ptr_eq(known, message));
        if let Some(place) = place {
            rest = rest.get(place + 1..).unwrap_or_default();
        }
        entry(out, message, place.is_some());
    });
    out.end()
}

/// `{channel, message}`.
pub(crate) fn arrived(channel: &Channel, message: &MessageView) -> String {
    let mut out = Object::new();
    out.key("channel", channel);
    entry(out.slot("message"), message, false);
    out.end()
}

fn entry(out: &mut String, message: &MessageView, known: bool) {
    out.push('[');
    message.key.encode(out);
    if !known {
        let own = message.from.as_ref().is_some_and(|from| from.own);
        out.push(',');
        (u64::from(message.pending) | u64::from(own) << 1).encode(out);
        out.push(',');
        push_str_escaped(out, &message.id);
        out.push(',');
        out.push_str(
            &message.offset.map_or_else(|| String::from("null"), |offset| offset.to_json()),
        );
        out.push(',');
        message.at.encode(out);
        out.push(',');
        match &message.from {
            None => out.push_str("null"),
            Some(from) => {
                let mut author = Object::new();
                author.key("user", &from.user);
                author.raw("info", from.info.as_ref().map(Json::as_str));
                out.push_str(&author.end());
            }
        }
        out.push(',');
        out.push_str(message.data.as_str());
        out.push(',');
        out.push_str(&message.failed.as_ref().map_or_else(|| String::from("null"), error));
    }
    out.push(']');
}

/// `{user, changes: [[lane, seq, text] or [lane, seq], …]}`.
pub(crate) fn keep(user: &str, changes: &[Change]) -> String {
    let mut out = Object::new();
    out.text("user", user);
    list(out.slot("changes"), changes, |out, change| {
        let (lane, seq, text) = match change {
            Change::Put { lane, seq, text } => (lane, seq, Some(text)),
            Change::Drop { lane, seq } => (lane, seq, None),
        };
        out.push('[');
        push_str_escaped(out, lane);
        out.push(',');
        seq.encode(out);
        if let Some(text) = text {
            out.push(',');
            push_str_escaped(out, text);
        }
        out.push(']');
    });
    out.end()
}

/// An object under construction.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self(String::new())
    }

    /// Where the value of this key goes.
    fn slot(&mut self, key: &str) -> &mut String {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        push_str_escaped(&mut self.0, key);
        self.0.push(':');
        &mut self.0
    }

    fn key(&mut self, key: &str, value: &impl Encode) {
        value.encode(self.slot(key));
    }

    fn text(&mut self, key: &str, value: &str) {
        push_str_escaped(self.slot(key), value);
    }

    fn raw(&mut self, key: &str, json: Option<&str>) {
        self.slot(key).push_str(json.unwrap_or("null"));
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

fn list<T>(out: &mut String, values: &[T], mut write: impl FnMut(&mut String, &T)) {
    out.push('[');
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write(out, value);
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use tidings_client_core::{Config, Kinds, Show};
    use tidings_protocol::ErrorCode;

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
        assert_eq!(items.single(&item(1)), r#"[1,11,"n\"1","payment",7,{"title":"Paid"}]"#);
        assert_eq!(items.single(&item(1)), "[1,11]");
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
        assert!(items.single(&item(1)).starts_with("[3,11,"), "a number is never given twice");
    }

    #[test]
    fn every_snapshot_is_json() {
        let failure = Error::new(ErrorCode::Network, "line\nbreak");
        let client = Client::new(Config::new(1, "page".into(), "lane".into()));
        let texts = [
            Items::default().view(
                &client,
                &Filter::default(),
                &[4, 5],
                true,
                Some(&error(&failure)),
            ),
            connection(
                &Connection {
                    status: Status::Waiting,
                    user: Some(String::from("\u{1}\"")),
                    error: Some(failure.clone()),
                    attempt: 3,
                    retry_at: Some(9),
                    lost: true,
                    transport: Some(TransportKind::Ws),
                    durable: false,
                },
                Some(&error(&failure)),
            ),
            outbox(&Outbox {
                pending: 1,
                failed: vec![FailedIntent {
                    kind: IntentKind::Mark,
                    id: 1,
                    channel: Channel::system(),
                    at: 2,
                    error: failure,
                }],
            }),
            stored(&Stored {
                channel: Channel::system(),
                epoch: Epoch::from_bits(1),
                offset: 3,
                id: String::new(),
            }),
            gap(&Channel::system(), 1, 2, GapReason::Epoch),
            cache(
                "u1",
                &[(Epoch::from_bits(1), 2), (Epoch::from_bits(3), 4)],
                &[Epoch::from_bits(5)],
                "{}",
            ),
        ];
        for text in texts {
            assert!(Json::parse(&text).is_ok(), "{text}");
        }
    }
}
