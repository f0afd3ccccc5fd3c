//! What TypeScript is asked. npm/src/host.ts is the other side.

use wasm_bindgen::prelude::*;
use web_sys::WebSocket;

#[wasm_bindgen]
extern "C" {
    /// The TypeScript side of one client. None of its functions throws, and none but `turn` calls into the core.
    pub type Host;

    /// Something is in the queue: call `Core.run`, survive a trap, then tell the app what it has to hear.
    #[wasm_bindgen(method)]
    pub(crate) fn turn(this: &Host);
    /// Where to connect, as `ws:` or `wss:` address; empty where the app's `url` fails.
    #[wasm_bindgen(method)]
    pub(crate) fn url(this: &Host) -> String;
    /// A socket was made: tell what it does, with this number; and close it when the core traps and can't.
    #[wasm_bindgen(method)]
    pub(crate) fn opened(this: &Host, socket: &WebSocket, transport: f64);
    /// All else; `what` is one of [`words::say`](crate::words::say).
    #[wasm_bindgen(method)]
    pub(crate) fn say(this: &Host, what: u8, number: f64, text: &str);
}
