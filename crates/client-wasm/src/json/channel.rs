//! Rooms, chats and topics as JSON: each message once in full, then as its key.

use std::sync::Arc;

use tidings_client_core::{ChannelStatus, ChannelView, MessageView};
use tidings_protocol::{Channel, Encode, Json, json::push_str_escaped};

use super::{
    error,
    object::{Object, list},
};
use crate::ops::{JsonText, RawArrival, RawChannel, RawGap, RawMessage};

/// A channel; `known`: the messages that TypeScript knows, in order.
pub(crate) fn channel(view: &ChannelView, known: &[Arc<MessageView>]) -> JsonText<RawChannel> {
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
        out.end::<RawGap>()
    });
    out.raw("gap", gap_text.as_ref().map(JsonText::as_str));
    out.key("hasMore", &view.has_more);
    out.key("loadingMore", &view.loading_more);
    let error_text = view.error.as_ref().map(error);
    out.raw("error", error_text.as_ref().map(JsonText::as_str));
    // Both lists have the same order; new messages may be in between.
    let mut rest = known;
    list(out.slot("messages"), &view.messages, |out, message| {
        let index = rest.iter().position(|known| Arc::ptr_eq(known, message));
        if let Some(index) = index {
            rest = rest.get(index + 1..).unwrap_or_default();
        }
        entry(out, message, index.is_some());
    });
    out.end()
}

/// A message that came.
pub(crate) fn arrived(channel: &Channel, message: &MessageView) -> JsonText<RawArrival> {
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
                out.push_str(author.end::<RawMessage>().as_str());
            }
        }
        out.push(',');
        out.push_str(message.data.as_str());
        out.push(',');
        let failed = message.failed.as_ref().map(error);
        out.push_str(failed.as_ref().map_or("null", JsonText::as_str));
    }
    out.push(']');
}
