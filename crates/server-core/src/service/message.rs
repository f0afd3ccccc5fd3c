//! Publishing a message to a room, chat or topic.

use tidings_protocol::{
    Channel, Encode, ErrorCode, Json, limits::PAYLOAD_DEPTH, rights::Right, server::Member,
};

use super::Caller;
use crate::{
    Ids,
    refused::Refused,
    store::{Draft, IdempotencyKey, Lane, Op, Write},
};

/// Makes one record. A user's message carries `from`; a backend's does not.
///
/// # Errors
/// `forbidden` without the right to publish. Inboxes and `system:all` take only notifications, from
/// backends too.
pub fn message(
    caller: Caller<'_>,
    channel: Channel,
    data: Json,
    lane: Option<Lane>,
    key: Option<IdempotencyKey>,
    wall: u64,
    ids: &mut Ids,
) -> Result<Write, Refused> {
    if channel.namespace() == "inbox" || channel.namespace() == "system" {
        return Err(Refused::new(
            ErrorCode::Forbidden,
            "inboxes and system channels take notifications only: a backend sends them by `POST /v1/notifications`.",
        ));
    }
    caller.check(&channel, Right::Publish)?;
    if data.is_deeper_than(PAYLOAD_DEPTH) {
        // No client could read a page of such records.
        let detail = "`data` nests arrays and objects in at most 28 levels";
        return Err(Refused::new(ErrorCode::BadRequest, detail));
    }
    let from = match caller.identity() {
        Some(identity) => Some(member(&identity.user, identity.info.clone())?),
        None => None,
    };
    let draft = Draft { channel, id: ids.next(wall), kind: String::new(), at: wall, data };
    Ok(Write { key, lane, op: Op::Message { draft, from } })
}

fn member(user: &str, info: Option<Json>) -> Result<Json, Refused> {
    // A token may carry an `info` that is nested too deeply for a page.
    let info = info.filter(|info| !info.is_deeper_than(PAYLOAD_DEPTH));
    let member = Member { user: user.to_owned(), info };
    Ok(Json::parse(&member.to_json())?)
}
