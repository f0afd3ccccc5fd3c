//! The end of a run: every app loads older items until there are none.

use crate::{
    invariants::{PATIENCE, Violation},
    world::World,
};

/// Loads that may end with an error: links that were half-open when the faults ended are noticed
/// one after the other.
const ERRORS_MAX: u32 = 20;

/// Loads every list down to its end. A load that succeeds must show an older item, or that there is
/// none.
pub(crate) fn to_the_end(world: &mut World) {
    let mut errors = 0;
    while world.violation.is_none() {
        let mut loads = Vec::new();
        for (index, device) in world.devices.iter_mut().enumerate() {
            let view = device.view();
            if view.has_more {
                let call = device.more(&mut world.env);
                loads.push((index, device.page, call, view.items.len()));
            }
        }
        if loads.is_empty() || world.try_settle(PATIENCE).is_err() {
            return;
        }
        for (index, page, call, had) in loads {
            let device = &mut world.devices[index];
            // A page that was reloaded meanwhile starts again at the top.
            if device.page != page {
                continue;
            }
            let view = device.view();
            let ended = device.seen.settled.get(&call);
            errors += u32::from(matches!(ended, Some(Err(_))));
            let ill = matches!(ended, Some(Ok(_))) && view.has_more && view.items.len() <= had;
            if ill || errors > ERRORS_MAX {
                let what =
                    format!("{page} shows {had} items after it loaded older ones: {ended:?}");
                world.violation.get_or_insert(Violation { invariant: "I12", what });
            }
        }
    }
}
