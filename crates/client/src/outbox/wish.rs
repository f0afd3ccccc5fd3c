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

use super::{ADOPTED, Body, Deed, Intent, Intents, Progress, Unresolved};
use crate::{
    Error, MarkTargets,
    error::joined,
    inbox::{Fold, Found},
};

/// The `type` that tells a stored wish from a message.
pub(super) const TYPE: &str = "wish";

/// The result of [`Intents::grant`].
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Granted {
    /// Whether some wishes became marks or ended.
    pub(crate) any: bool,
    /// Wishes that ended: without an error there was nothing to mark.
    pub(crate) ended: Vec<(u64, Body, Option<Error>)>,
    /// The first wish with unknown items: its number, and the ids that are not loaded.
    pub(crate) seeks: Option<(u64, Vec<String>)>,
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

pub(super) fn read(reader: &mut Reader<'_>) -> Deed {
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
    Deed::Wish { targets, set }
}

impl Intents {
    pub(crate) fn has_wishes(&self) -> bool {
        self.list.iter().any(Intent::is_wish)
    }

    /// Turns wishes into marks where possible. `sought`: the number of the wish whose items were
    /// looked up, and the items found.
    pub(crate) fn grant(
        &mut self,
        fold: &Fold,
        live: bool,
        sought: Option<(u64, &[Found])>,
    ) -> Granted {
        let (mut granted, mut ended) = (Granted::default(), Vec::new());
        for (place, intent) in self.list.iter_mut().enumerate() {
            let Deed::Wish { targets, set } = &intent.body.deed else { continue };
            let sought = sought.filter(|(number, _)| *number == intent.number);
            let found = sought.map_or(&[][..], |(_, found)| found);
            match Body::resolve(fold, targets, *set, live, found) {
                Ok(body) => {
                    intent.body = body;
                    // Its row still holds the wish: it is written again as a mark, so that every
                    // client that sends it sends the same.
                    if intent.progress == Progress::Unsent {
                        intent.progress = Progress::New;
                    }
                }
                Err(Unresolved::Nothing) => ended.push((place, None)),
                Err(Unresolved::Size) => ended.push((place, Some(too_many()))),
                Err(Unresolved::Unknown(id)) if live && sought.is_some() => {
                    ended.push((place, Some(unknown_item(&id))));
                }
                Err(Unresolved::Unknown(_)) if live => {
                    if let MarkTargets::Items(ids) = targets
                        && granted.seeks.is_none()
                    {
                        let mut unknown = Vec::new();
                        for id in ids {
                            if fold.find(id).is_none() {
                                unknown.push(id.clone());
                            }
                        }
                        granted.seeks = Some((intent.number, unknown));
                    }
                    continue;
                }
                Err(Unresolved::Early | Unresolved::Unknown(_)) => continue,
            }
            self.changes += 1;
            granted.any = true;
        }
        for (place, error) in ended {
            let Some(intent) = self.list.get_mut(place) else { continue };
            // Its `seq` is given up; no caller waits for that.
            let lost = Body { channel: fold.channel.clone(), deed: Deed::Lost };
            let body = core::mem::replace(&mut intent.body, lost);
            let number = core::mem::replace(&mut intent.number, ADOPTED);
            granted.ended.push((number, body, error));
        }
        granted
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
