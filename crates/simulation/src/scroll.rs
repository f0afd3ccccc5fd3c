//! The last thing that happens in a world: every app loads what is older, until there is nothing older.

use crate::{
    invariants::{Breach, PATIENCE},
    world::World,
};

/// Loads that may end with an error: links that were half open when the faults ended are found one after the other.
const ERRORS_MAX: u32 = 20;

/// Has every list that says there is more loaded to its end. A load that ends well has to show something older, or that there is
/// nothing.
pub(crate) fn to_the_end(world: &mut World) {
    let mut errors = 0;
    while world.breach.is_none() {
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
            // A page that was loaded anew in between begins from the top.
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
                world.breach.get_or_insert(Breach { invariant: "I12", what });
            }
        }
    }
}
