//! Setting the state of inbox items.

use tidings_protocol::{MarkSet, Offsets, UpTo, client::Epochs, rest::MarkRequest};

use crate::{
    Ids,
    refused::Refused,
    store::{Lane, Mark, Op, Write},
};

/// A mark, as a client or a REST caller requests it.
#[derive(Clone, Debug, PartialEq)]
pub struct MarkIntent {
    /// Epochs of the logs that the offsets belong to. REST names the inbox's epoch, or none.
    pub epochs: Epochs,
    /// Single items, or …
    pub offsets: Option<Offsets>,
    /// … all items up to here.
    pub up_to: Option<UpTo>,
    /// The states to set.
    pub set: MarkSet,
}

impl From<MarkRequest> for MarkIntent {
    fn from(body: MarkRequest) -> Self {
        let MarkRequest { epoch, offsets, up_to, set } = body;
        Self { epochs: Epochs { inbox: epoch, system: None }, offsets, up_to, set }
    }
}

/// A mark on the user's own items. Every user may mark their own.
///
/// # Errors
/// `bad_request`, naming the field at fault.
pub fn mark(
    user: &str,
    intent: MarkIntent,
    lane: Option<Lane>,
    wall: u64,
    ids: &mut Ids,
) -> Result<Write, Refused> {
    let MarkIntent { epochs, offsets, up_to, set } = intent;
    let body = MarkRequest { epoch: None, offsets, up_to, set };
    body.check()?;
    let mark = Mark {
        user: user.to_owned(),
        id: ids.next(wall),
        at: wall,
        epochs,
        offsets: body.offsets.map(sorted),
        up_to: body.up_to,
        set,
    };
    Ok(Write { key: None, lane, op: Op::Mark(mark) })
}

/// Each offset once, in order: the record must not depend on the order in a client's list.
fn sorted(mut offsets: Offsets) -> Offsets {
    for list in [&mut offsets.inbox, &mut offsets.system].into_iter().flatten() {
        list.sort_unstable();
        list.dedup();
    }
    offsets
}
