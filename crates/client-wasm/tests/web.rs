//! The driver in a real browser, over a host as small as can be. The whole client is tested from TypeScript
//! (npm/test/core) and end to end (e2e/).

#![cfg(target_arch = "wasm32")]

use js_sys::{Array, Promise};
use tidings_client_wasm::{Core, Host, Options};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen(inline_js = r#"
  /** A host that notes what the core says. `attach` gives it the core. */
  export class TestHost {
    constructor(url) { this.address = url; this.calls = []; this.waiting = []; this.page = new Target() }
    note(...call) { this.calls.push(call); for (const check of [...this.waiting]) check() }
    attach(core) { this.core = core }
    turn() { this.core.run(); this.note('turn') }
    url() { return this.address }
    opened(socket) { this.socket = socket }
    ticket(attempt, user) { this.note('ticket', user); queueMicrotask(() => this.core.push(10, attempt, 0, 'T')) }
    abort() { this.note('abort') }
    load(user) { this.note('load', user); queueMicrotask(() => this.core.push(11, 0, 0, user)) }
    save() { this.note('save') }
    wipe(user) { this.note('wipe', user) }
    changed(readable) { this.note('changed', readable) }
    settled(intent, stored, error) { this.note('settled', intent, stored, error && JSON.parse(error).code) }
    tell(event, json) { this.note('tell', event, JSON.parse(json)) }
    signedOut(discarded) { this.note('signedOut', discarded) }
    happen(event) { this.page.dispatchEvent(new Event(event)) }
    status() { return JSON.parse(this.core.read(0, 0)).status }
    count(name) { return this.calls.filter(call => call[0] === name).length }
    /** Resolves when the connection has this status. */
    until(status) {
      return new Promise(resolve => {
        const check = () => { if (this.status() === status) { this.waiting = this.waiting.filter(other => other !== check); resolve() } }
        this.waiting.push(check)
        check()
      })
    }
    options(storage) {
      this.control = new AbortController()
      return { seed: 7, instance: 'page', clientId: 'lane', version: '0.0.0', base: 1000, cap: 30000, maxAttempts: undefined,
        heartbeat: 25000, keep: 50, storage, page: this.page, document: undefined, signal: this.control.signal }
    }
    stop() { this.control.abort() }
  }
  /** Counts its listeners. */
  class Target extends EventTarget {
    listeners = 0
    addEventListener(name, fn, options) { this.listeners++; super.addEventListener(name, fn, options) }
    removeEventListener(name, fn) { this.listeners--; super.removeEventListener(name, fn) }
  }
  /** A server in the page, in place of WebSocket; the answer puts the real one back. */
  export function serve(frames) {
    const real = globalThis.WebSocket
    globalThis.WebSocket = class extends EventTarget {
      static OPEN = 1
      readyState = 0
      constructor() { super(); queueMicrotask(() => { this.readyState = 1; this.dispatchEvent(new Event('open')) }) }
      send() { queueMicrotask(() => { for (const data of frames) this.dispatchEvent(new MessageEvent('message', { data })) }) }
      close() { this.readyState = 3 }
    }
    return () => { globalThis.WebSocket = real }
  }
"#)]
extern "C" {
    type TestHost;
    #[wasm_bindgen(constructor)]
    fn new(url: &str) -> TestHost;
    #[wasm_bindgen(method)]
    fn attach(this: &TestHost, core: Core);
    #[wasm_bindgen(method, getter)]
    fn core(this: &TestHost) -> JsCore;
    #[wasm_bindgen(method, getter)]
    fn page(this: &TestHost) -> Page;
    #[wasm_bindgen(method)]
    fn options(this: &TestHost, storage: bool) -> JsValue;
    #[wasm_bindgen(method)]
    fn happen(this: &TestHost, event: &str);
    #[wasm_bindgen(method)]
    fn status(this: &TestHost) -> String;
    #[wasm_bindgen(method)]
    fn count(this: &TestHost, name: &str) -> u32;
    #[wasm_bindgen(method)]
    fn until(this: &TestHost, status: &str) -> Promise;
    #[wasm_bindgen(method)]
    fn stop(this: &TestHost);

    type Page;
    #[wasm_bindgen(method, getter)]
    fn listeners(this: &Page) -> i32;

    /// The core as JavaScript holds it.
    type JsCore;
    #[wasm_bindgen(method)]
    fn push(this: &JsCore, call: u8, number: f64, detail: f64, text: Option<&str>);
    #[wasm_bindgen(method)]
    fn read(this: &JsCore, what: u8, show: u8) -> String;

    fn serve(frames: &Array) -> js_sys::Function;
}

impl JsCore {
    fn connect(&self) {
        self.push(0, 0.0, 0.0, None);
    }

    fn close(&self) {
        self.push(3, 0.0, 0.0, None);
    }

    fn set_user(&self, user: Option<&str>) {
        self.push(4, 0.0, if user.is_none() { 1.0 } else { 0.0 }, user);
    }
}

/// A core over a host at this address, not connected yet.
fn made(url: &str, storage: bool) -> TestHost {
    let host = TestHost::new(url);
    let options: Options = host.options(storage).unchecked_into();
    let shared: &JsValue = host.as_ref();
    host.attach(Core::new(shared.clone().unchecked_into::<Host>(), &options));
    host
}

async fn reaches(host: &TestHost, status: &str) {
    JsFuture::from(host.until(status)).await.unwrap();
}

#[wasm_bindgen_test]
async fn a_socket_that_cannot_open_is_tried_again_later() {
    let host = made("ws://127.0.0.1:1/v1/ws", false);
    host.core().connect();
    assert_eq!(host.status(), "connecting");
    reaches(&host, "waiting").await;
    assert_eq!(host.count("ticket"), 1);
    host.core().close();
}

#[wasm_bindgen_test]
async fn an_address_the_browser_refuses_is_a_failed_attempt() {
    let host = made("ws://in valid/", false);
    host.core().connect();
    reaches(&host, "waiting").await;
    host.core().close();
}

const CONNECTED: &str = r#"{"type":"connected","user_id":"u1","session":"s","session_token":"t","message":"","version":1,"heartbeat_ms":25000,"timeout_ms":10000,"now":1,"limits":{"message_bytes":1,"subscriptions":1,"page":1}}"#;

#[wasm_bindgen_test]
async fn messages_reach_the_core() {
    let restore = serve(&Array::of1(&CONNECTED.into()));
    let host = made("ws://page/", false);
    host.core().connect();
    reaches(&host, "connected").await;
    restore.call0(&JsValue::NULL).unwrap();
    host.core().close();
    assert_eq!(host.status(), "closed");
}

#[wasm_bindgen_test]
async fn a_frame_that_is_not_text_ends_the_connection() {
    let restore = serve(&Array::of2(&CONNECTED.into(), &js_sys::Uint8Array::new_with_length(3)));
    let host = made("ws://page/", false);
    host.core().connect();
    reaches(&host, "waiting").await;
    restore.call0(&JsValue::NULL).unwrap();
    host.core().close();
}

#[wasm_bindgen_test]
async fn the_page_says_when_there_is_no_network() {
    let host = made("ws://127.0.0.1:1/v1/ws", false);
    host.core().connect();
    reaches(&host, "waiting").await;
    host.happen("offline");
    assert_eq!(host.status(), "offline");
    host.happen("online");
    assert_ne!(host.status(), "offline");
    host.core().close();
}

#[wasm_bindgen_test]
fn closing_takes_every_listener_off_the_page() {
    let host = made("ws://127.0.0.1:1/v1/ws", false);
    assert_eq!(host.page().listeners(), 5);
    host.core().close();
    assert_eq!(host.page().listeners(), 0);
    let turns = host.count("turn");
    host.happen("online");
    assert_eq!(host.count("turn"), turns);
}

#[wasm_bindgen_test]
fn a_core_that_is_given_up_hears_nothing_more() {
    let host = made("ws://127.0.0.1:1/v1/ws", false);
    let turns = host.count("turn");
    host.stop();
    host.happen("focus");
    assert_eq!(host.count("turn"), turns);
}

#[wasm_bindgen_test]
fn a_named_user_s_cache_is_asked_for_and_nobody_s_is_not() {
    let host = made("ws://127.0.0.1:1/v1/ws", true);
    host.core().set_user(None);
    assert_eq!((host.count("load"), host.status()), (0, "signed-out".into()));
    host.core().set_user(Some("u1"));
    assert_eq!(host.count("load"), 1);
    host.core().close();
}

#[wasm_bindgen_test]
fn snapshots_are_json_before_anything_is_known() {
    let host = made("ws://127.0.0.1:1/v1/ws", false);
    let inbox = js_sys::JSON::parse(&host.core().read(1, 0)).unwrap();
    let status = js_sys::Reflect::get(&inbox, &"status".into()).unwrap();
    assert_eq!(status.as_string().as_deref(), Some("loading"));
    host.core().close();
}
