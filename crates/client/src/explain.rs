//! Describes why there is no connection.

use tidings_protocol::Encode;

use crate::{Now, Status, TransportKind, context::Context, error::joined, machine::State};

/// One or two plain sentences: the current state, and what happens next.
pub(crate) fn explain(state: &State, cx: &Context, now: Now) -> String {
    let mut status = state.status();
    if status == Status::Waiting && !cx.world.online {
        status = Status::Offline;
    }
    let mut text = String::from(match status {
        Status::Closed => "Closed by close(): create a new client.",
        Status::Connected if state.is_live() => "Connected and up to date.",
        Status::Connected => "Connected, loading missed messages.",
        Status::Connecting => "Connecting.",
        Status::Failed => "Gave up; connect() starts again.",
        Status::Idle => "Not connected: nothing asks for a connection.",
        Status::Offline => "The browser says there is no network; tries again",
        Status::SignedOut => "Not connected: no user is signed in.",
        Status::Waiting => "Not connected; tries again",
    });
    if let Some(at) = state.retry_at() {
        text.push_str(" in ");
        at.saturating_sub(now.wall).div_ceil(1_000).encode(&mut text);
        text.push_str(" s.");
    }
    text.push_str(match state.transport() {
        _ if cx.fallback.is_best() => "",
        Some(TransportKind::Sse) => {
            " Over server-sent events, until a better transport gets through."
        }
        Some(TransportKind::Poll) => " Over long polling, until a better transport gets through.",
        _ => "",
    });
    match &cx.trouble {
        Some(error) => joined(&[&text, " Last error, ", &error.code, ": ", &error.message]),
        None => text,
    }
}
