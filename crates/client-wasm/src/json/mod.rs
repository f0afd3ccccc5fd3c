//! Snapshots as JSON text for `JSON.parse`, which is faster and smaller than building objects
//! across the border.

mod channel;
mod items;
mod object;

use tidings_client_core::{
    Change, Connection, Error, FailedIntent, IntentKind, Outbox, Status, Stored, TransportKind,
};
use tidings_protocol::{Channel, Encode, Epoch, json::push_str_escaped, server::GapReason};

use crate::ops::{
    JsonText, OutboxChanges, RawCache, RawConnection, RawError, RawFailedIntent, RawGap, RawOutbox,
    RawRequest, RawStored,
};
pub(crate) use channel::{arrived, channel};
pub(crate) use items::Items;
use object::{Object, list};

/// The connection.
pub(crate) fn connection(connection: &Connection, error: Option<&str>) -> JsonText<RawConnection> {
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

/// The outbox.
pub(crate) fn outbox(outbox: &Outbox) -> JsonText<RawOutbox> {
    let mut out = Object::new();
    out.key("pending", &outbox.pending);
    list(out.slot("failed"), &outbox.failed, |out, intent| {
        out.push_str(failed(intent).as_str());
    });
    out.end()
}

/// An intent that was refused for good.
pub(crate) fn failed(intent: &FailedIntent) -> JsonText<RawFailedIntent> {
    let mut out = Object::new();
    out.key("id", &intent.id);
    let kind = match intent.kind {
        IntentKind::Mark => "mark",
        IntentKind::Publish => "publish",
    };
    out.text("kind", kind);
    out.key("channel", &intent.channel);
    out.key("at", &intent.at);
    out.raw("error", Some(error(&intent.error).as_str()));
    out.end()
}

/// What went wrong.
pub(crate) fn error(error: &Error) -> JsonText<RawError> {
    let mut out = Object::new();
    out.key("code", &error.code);
    out.text("fault", error.fault.as_str());
    out.key("retry", &error.retry);
    out.key("message", &error.message);
    out.end()
}

/// Where the server keeps an intent's record.
pub(crate) fn stored(stored: &Stored) -> JsonText<RawStored> {
    let mut out = Object::new();
    out.key("channel", &stored.channel);
    out.key("epoch", &stored.epoch);
    out.key("offset", &stored.offset);
    out.key("id", &stored.id);
    out.end()
}

/// Records that are missing for good.
pub(crate) fn gap(channel: &Channel, from: u64, to: u64, why: GapReason) -> JsonText<RawGap> {
    let mut out = Object::new();
    out.key("channel", channel);
    out.key("from", &from);
    out.key("to", &to);
    out.text("why", why.as_str());
    out.end()
}

/// A cache to write.
pub(crate) fn cache(
    user: &str,
    cursors: &[(Epoch, u64)],
    over: &[Epoch],
    text: &str,
) -> JsonText<RawCache> {
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

/// Rows to write and to drop.
pub(crate) fn changes(user: &str, changes: &[Change]) -> JsonText<OutboxChanges> {
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

/// A request to make.
pub(crate) fn request(path: &str, bearer: &Option<String>, body: &str) -> JsonText<RawRequest> {
    let mut out = Object::new();
    out.text("path", path);
    out.key("bearer", bearer);
    out.text("body", body);
    out.end()
}
