//! Marks of items that are not known yet: before the inbox is there, or not among what is loaded.
//!
//! A wish has its place in its lane, and its row in storage, from the start. Once the inbox is there it becomes a mark; items that
//! are not loaded are looked up first ([`Lookup`](crate::inbox::Lookup)). On the wire there are no wishes: in storage one is
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

/// How a stored one is told from messages.
pub(super) const TYPE: &str = "wish";

/// What became of the wishes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Granted {
    /// Some can go now, or have come to an end.
    pub(crate) any: bool,
    /// Those that did: there was nothing to mark, or an error says why there can't be.
    pub(crate) ended: Vec<(u64, Body, Option<Error>)>,
    /// The first one that has to look for items: its number, and the ids that are not loaded.
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

    /// Makes marks of the wishes that can be. `sought`: the number of the one whose items were looked for, and what was found.
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
                    // Its row still says what was wished: written anew, it goes as it was sent, whoever sends it again.
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
            // Its place in the lane is given up, of which nobody has to hear.
            let lost = Body { channel: fold.channel.clone(), deed: Deed::Lost };
            let body = core::mem::replace(&mut intent.body, lost);
            let number = core::mem::replace(&mut intent.number, ADOPTED);
            granted.ended.push((number, body, error));
        }
        granted
    }
}

/// Nothing in the inbox has this id, as far back as anybody looks.
pub(crate) fn unknown_item(id: &str) -> Error {
    let mut error = Error::new(ErrorCode::NotFound, "");
    error.message =
        joined(&["No item of the inbox has this id, or it is not among the newest 1,000: ", id]);
    error
}

/// More items than one mark can name.
pub(crate) fn too_many() -> Error {
    Error::new(ErrorCode::InvalidArgument, "more than 500 items at once")
}
