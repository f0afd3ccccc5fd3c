//! What TypeScript gives the driver and hears from it. npm/src/host.ts is the other side.

use wasm_bindgen::prelude::*;
use web_sys::{AbortSignal, Document, EventTarget, WebSocket};

#[wasm_bindgen]
extern "C" {
    /// What a client is made with. Read once.
    pub type Options;

    /// Random integer below 2^53: the seed of jitter.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn seed(this: &Options) -> f64;
    /// Random name of the page.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn instance(this: &Options) -> String;
    /// Random prefix of outbox lanes.
    #[wasm_bindgen(method, getter, js_name = clientId)]
    pub(crate) fn client_id(this: &Options) -> String;
    /// Version of the package.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn version(this: &Options) -> String;
    /// Backoff's base, in milliseconds.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn base(this: &Options) -> f64;
    /// Backoff's cap, in milliseconds.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn cap(this: &Options) -> f64;
    /// Attempts before giving up.
    #[wasm_bindgen(method, getter, js_name = maxAttempts)]
    pub(crate) fn max_attempts(this: &Options) -> Option<u32>;
    /// Between pings, in milliseconds.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn heartbeat(this: &Options) -> f64;
    /// Newest items kept.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn keep(this: &Options) -> u32;
    /// `load`, `save` and `wipe` are wanted.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn storage(this: &Options) -> bool;
    /// The window, where there is one.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn page(this: &Options) -> Option<EventTarget>;
    /// The document, where there is one.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn document(this: &Options) -> Option<Document>;

    /// Aborted when the core is given up.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn signal(this: &Options) -> AbortSignal;

    /// The TypeScript side of one client. None of its functions throws, and none but `turn` calls into the core.
    pub type Host;

    /// Something is in the queue: call `Core.run`, survive a trap, then tell the app what it has to hear.
    #[wasm_bindgen(method)]
    pub(crate) fn turn(this: &Host);
    /// Where to connect, as `ws:` or `wss:` address; `undefined` where the app's `url` fails.
    #[wasm_bindgen(method)]
    pub(crate) fn url(this: &Host) -> Option<String>;
    /// A socket was made: the host closes it when the core traps and can't.
    #[wasm_bindgen(method)]
    pub(crate) fn opened(this: &Host, socket: &WebSocket);
    /// Call the app's ticket function; answer with `Core.ticketed`.
    #[wasm_bindgen(method)]
    pub(crate) fn ticket(this: &Host, attempt: f64, user: Option<String>);
    /// That answer is not wanted any more.
    #[wasm_bindgen(method)]
    pub(crate) fn abort(this: &Host, attempt: f64);
    /// Read a user's cache; answer with `Core.loaded` or `Core.storageFailed`.
    #[wasm_bindgen(method)]
    pub(crate) fn load(this: &Host, user: &str);
    /// Write a user's cache. `fence` is `{cursors: [[epoch, offset], …], over: [epoch, …]}`.
    #[wasm_bindgen(method)]
    pub(crate) fn save(this: &Host, user: &str, fence: &str, text: &str);
    /// Delete a user's cache.
    #[wasm_bindgen(method)]
    pub(crate) fn wipe(this: &Host, user: &str);
    /// Read a snapshot again: 0 connection, 1 inbox and its views, 2 outbox.
    #[wasm_bindgen(method)]
    pub(crate) fn changed(this: &Host, readable: u8);
    /// An intent ended: `error` as JSON, or `stored` as JSON, or neither.
    #[wasm_bindgen(method)]
    pub(crate) fn settled(this: &Host, intent: f64, stored: Option<String>, error: Option<String>);
    /// The app's listeners hear: 0 arrived, 1 gap, 2 failed, 3 error; as JSON.
    #[wasm_bindgen(method)]
    pub(crate) fn tell(this: &Host, event: u8, json: &str);
    /// Signing out is done.
    #[wasm_bindgen(method, js_name = signedOut)]
    pub(crate) fn signed_out(this: &Host, discarded: u32);
}
