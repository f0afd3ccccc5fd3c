//! Snapshots as JSON text for `JSON.parse`, which is faster and smaller than building objects
//! across the border.

mod channel;
mod items;
mod object;

use tidings_client_core::{
    Change, Connection, Error, FailedIntent, IntentKind, Outbox, Status, Stored, TransportKind,
};
use tidings_protocol::{Channel, Encode, Epoch, json::push_str_escaped, server::GapReason};

pub(crate) use channel::{arrived, channel};
pub(crate) use items::Items;
use object::{Object, list};

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

#[cfg(test)]
mod tests {
    use tidings_client_core::{Client, Config, Filter};
    use tidings_protocol::{ErrorCode, Json};

    use super::*;

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
