//! The server's messages, as text.

use crate::harness::START;

pub(crate) fn connected(user: &str) -> String {
    connected_until(user, None)
}

pub(crate) fn connected_until(user: &str, expires_at: Option<u64>) -> String {
    let expires = expires_at.map(|at| format!(r#""expires_at":{at},"#)).unwrap_or_default();
    format!(
        r#"{{"type":"connected","user_id":"{user}","session":"s1","session_token":"st","message":"hello","version":1,"heartbeat_ms":25000,"timeout_ms":10000,"now":{START},{expires}"limits":{{"message_bytes":10240,"subscriptions":100,"page":50}}}}"#
    )
}

pub(crate) fn subscribed(
    channel: &str,
    epoch: &str,
    top: u64,
    offset: u64,
    recovered: bool,
) -> String {
    format!(
        r#"{{"type":"subscribed","channel":"{channel}","epoch":"{epoch}","first":1,"top":{top},"offset":{offset},"recovered":{recovered}}}"#
    )
}

pub(crate) fn counts(inbox: (u64, u64), system: (u64, u64, u64)) -> String {
    format!(
        r#"{{"inbox":{{"unread":{},"unseen":{}}},"system":{{"unread":{},"unseen":{},"at":{}}}}}"#,
        inbox.0, inbox.1, system.0, system.1, system.2
    )
}

/// Inbox items with these ids, oldest first, at offsets 1, 2, …; all unread; nothing in
/// `system:all`.
pub(crate) fn snapshot(ids: &[&str]) -> String {
    let items: Vec<String> = ids
        .iter()
        .enumerate()
        .rev()
        .map(|(index, id)| item("inbox:u1", index as u64 + 1, id, false))
        .collect();
    let n = ids.len() as u64;
    snapshot_of("inboxone", n, ("system01", 0), &counts((n, n), (0, 0, 0)), (false, false), &items)
}

pub(crate) fn snapshot_of(
    epoch: &str,
    offset: u64,
    system: (&str, u64),
    counts: &str,
    more: (bool, bool),
    items: &[String],
) -> String {
    format!(
        r#"{{"type":"snapshot","channel":"inbox:u1","epoch":"{epoch}","offset":{offset},"system":{{"epoch":"{}","offset":{}}},"counts":{counts},"more":{},"system_more":{},"items":[{}]}}"#,
        system.0,
        system.1,
        more.0,
        more.1,
        items.join(",")
    )
}

/// An item whose time follows its offset.
pub(crate) fn item(channel: &str, offset: u64, id: &str, read: bool) -> String {
    let at = START - 1_000_000 + offset * 1_000;
    format!(
        r#"{{"channel":"{channel}","offset":{offset},"id":"{id}","kind":"comment","at":{at},"seen":{read},"read":{read},"archived":false,"data":{{"title":"{id}"}}}}"#
    )
}

pub(crate) fn notification(offset: u64, id: &str, unread: u64) -> String {
    notification_at(offset, id, START + offset, &counts((unread, unread), (0, 0, 0)))
}

pub(crate) fn notification_at(offset: u64, id: &str, at: u64, counts: &str) -> String {
    format!(
        r#"{{"type":"notification","channel":"inbox:u1","offset":{offset},"id":"{id}","kind":"comment","at":{at},"counts":{counts},"data":{{"title":"{id}"}}}}"#
    )
}

pub(crate) fn broadcast(offset: u64, id: &str) -> String {
    let at = START + offset;
    format!(
        r#"{{"type":"notification","channel":"system:all","offset":{offset},"id":"{id}","kind":"system","at":{at},"data":{{"title":"{id}"}}}}"#
    )
}

/// A mark of inbox offsets; `lane` is `(client_id, seq)`.
pub(crate) fn marked(
    offset: u64,
    covers: &str,
    set: &str,
    lane: Option<(&str, u64)>,
    counts: &str,
) -> String {
    let lane =
        lane.map(|(lane, seq)| format!(r#""client_id":"{lane}","seq":{seq},"#)).unwrap_or_default();
    format!(
        r#"{{"type":"marked","channel":"inbox:u1","offset":{offset},"id":"m{offset}","at":{START},{lane}{covers},"set":{set},"counts":{counts}}}"#
    )
}

pub(crate) fn ack(lane: &str, seq: u64, offset: u64) -> String {
    format!(
        r#"{{"type":"ack","client_id":"{lane}","seq":{seq},"channel":"inbox:u1","epoch":"inboxone","offset":{offset},"record_id":"m{offset}"}}"#
    )
}

/// An `error`; `fields` such as `"seq":1,` go in front.
pub(crate) fn error(fields: &str, code: &str, retry: &str) -> String {
    format!(r#"{{"type":"error",{fields}"code":"{code}","message":"no","retry":"{retry}"}}"#)
}

pub(crate) fn pong(tops: &str) -> String {
    format!(r#"{{"type":"pong","now":{START},"tops":{{{tops}}}}}"#)
}

pub(crate) fn gap(channel: &str, from: u64, to: u64, why: &str) -> String {
    format!(r#"{{"type":"gap","channel":"{channel}","from":{from},"to":{to},"why":"{why}"}}"#)
}
