//! Marks of items that are not known yet: made before the inbox is there, or of items that are not
//! loaded.
//!
//! A wish has its `seq` and its row in storage from the start. Once the inbox is there, it becomes
//! a mark; items that are not loaded are looked up first ([`Lookup`](crate::inbox::Lookup)). A wish
//! is never sent. In storage its message is
//!
//! ```text
//! {"type":"wish","ids":["…"],"set":{…}}   "live":true in the place of "ids": everything there is; neither: all that is shown
//! ```

use tidings_protocol::{Decode, Encode, ErrorCode, MarkSet, codec::Reader};

use super::{ADOPTED, Body, Intent, Intents, Operation, Progress, Unresolved};
use crate::{
    Error, MarkTargets,
    error::joined,
    inbox::{Fold, Found},
};

/// The `type` that tells a stored wish from a message.
pub(super) const TYPE: &str = "wish";

/// The result of [`Intents::resolve_marks`].
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Resolved {
    /// Whether some wishes became marks or ended.
    pub(crate) any: bool,
    /// Wishes that ended: without an error there was nothing to mark.
    pub(crate) ended: Vec<(u64, Body, Option<Error>)>,
    /// The first wish with unknown items: its number, and the ids that are not loaded.
    pub(crate) needs_lookup: Option<(u64, Vec<String>)>,
}

pub(super) fn encode(targets: &MarkTargets, set: MarkSet, out: &mut String) {
    out.push_str("{\"type\":\"wish\",");
    match targets {
        MarkTargets::All => {}
        MarkTargets::Everything => out.push_str("\"live\":true,"),
        MarkTargets::Items(ids) => {
            out.push_str("\"ids\":");
            ids.encode(out);
            out.push(',');
        }
    }
    out.push_str("\"set\":");
    set.encode(out);
    out.push('}');
}

pub(super) fn read(reader: &mut Reader<'_>) -> Operation {
    let (mut targets, mut set) = (MarkTargets::All, MarkSet::default());
    let mut members = reader.object();
    while let Some(key) = reader.member(&mut members) {
        match &*key {
            "ids" => targets = MarkTargets::Items(Vec::read(reader)),
            "live" => targets = MarkTargets::Everything,
            "set" => set = MarkSet::read(reader),
            _ => {}
        }
    }
    Operation::UnresolvedMark { targets, set }
}

impl Intents {
    pub(crate) fn has_unresolved_marks(&self) -> bool {
        self.list.iter().any(Intent::is_unresolved)
    }

    /// Turns wishes into marks where possible. `looked_up`: the number of the wish whose items were
    /// looked up, and the items found.
    pub(crate) fn resolve_marks(
        &mut self,
        fold: &Fold,
        live: bool,
        looked_up: Option<(u64, &[Found])>,
    ) -> Resolved {
        let (mut resolved, mut ended) = (Resolved::default(), Vec::new());
        for (index, intent) in self.list.iter_mut().enumerate() {
            let Operation::UnresolvedMark { targets, set } = &intent.body.operation else {
                continue;
            };
            let looked_up = looked_up.filter(|(number, _)| *number == intent.number);
            let found = looked_up.map_or(&[][..], |(_, found)| found);
            match Body::resolve(fold, targets, *set, live, found) {
                Ok(body) => {
                    intent.body = body;
                    // Its row still holds the wish: it is written again as a mark, so that every
                    // client that sends it sends the same.
                    if intent.progress == Progress::Unsent {
                        intent.progress = Progress::New;
                    }
                }
                Err(Unresolved::Nothing) => ended.push((index, None)),
                Err(Unresolved::Size) => ended.push((index, Some(too_many()))),
                Err(Unresolved::Unknown(id)) if live && looked_up.is_some() => {
                    ended.push((index, Some(unknown_item(&id))));
                }
                Err(Unresolved::Unknown(_)) if live => {
                    if let MarkTargets::Items(ids) = targets
                        && resolved.needs_lookup.is_none()
                    {
                        let mut unknown = Vec::new();
                        for id in ids {
                            if fold.find(id).is_none() {
                                unknown.push(id.clone());
                            }
                        }
                        resolved.needs_lookup = Some((intent.number, unknown));
                    }
                    continue;
                }
                Err(Unresolved::Early | Unresolved::Unknown(_)) => continue,
            }
            self.changes += 1;
            resolved.any = true;
        }
        for (index, error) in ended {
            let Some(intent) = self.list.get_mut(index) else { continue };
            // Its `seq` is given up; no caller waits for that.
            let lost = Body { channel: fold.channel.clone(), operation: Operation::Lost };
            let body = core::mem::replace(&mut intent.body, lost);
            let number = core::mem::replace(&mut intent.number, ADOPTED);
            resolved.ended.push((number, body, error));
        }
        resolved
    }
}

/// The error for an id that no item within the searchable part of the inbox has.
pub(crate) fn unknown_item(id: &str) -> Error {
    let mut error = Error::new(ErrorCode::NotFound, "");
    error.message =
        joined(&["No item of the inbox has this id, or it is not among the newest 1,000: ", id]);
    error
}

/// The error for more items than one mark can name.
pub(crate) fn too_many() -> Error {
    Error::new(ErrorCode::InvalidArgument, "more than 500 items at once")
}
