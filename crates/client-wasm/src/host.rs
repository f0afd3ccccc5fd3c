//! The functions that TypeScript provides; npm/src/host.ts is the other side.

use wasm_bindgen::prelude::*;

use crate::ops::{OutboundOp, Said};

#[wasm_bindgen]
extern "C" {
    fn turn(host: u32);
    fn say(host: u32, op: u8, number: f64, text: &str);
}

/// The TypeScript side of one client, by its number: an object would cost a table of objects on
/// every page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host(pub(crate) u32);

impl Host {
    /// The queue has an event: the host calls `Core.run`, survives a trap, then gives the app its
    /// events. Only this function leads into the core.
    pub(crate) fn turn(self) {
        turn(self.0);
    }

    /// Every other message to the host. It does not throw.
    pub(crate) fn say(self, op: &OutboundOp) {
        say(self.0, op.op, op.number as f64, &op.text);
    }

    /// The same without a text.
    pub(crate) fn say_bare(self, op: &Said<()>, number: u64) {
        say(self.0, op.number(), number as f64, "");
    }
}
