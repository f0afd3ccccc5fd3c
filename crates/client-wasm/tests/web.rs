//! The driver in a real browser, over a minimal host. The whole client is tested from TypeScript
//! (npm/test/core) and end to end (e2e/).

#![cfg(target_arch = "wasm32")]

use js_sys::{Array, Promise};
use tidings_client_wasm::{Core, ops};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen(inline_js = r#"
  const hosts = []
  /** The numbers of operations, by name. */
  const ops = {}
  export const know = (name, number) => { ops[name] = number }
  globalThis.turn = number => hosts[number].turn()
  globalThis.say = (number, ...what) => hosts[number].say(...what)
  /** A host that notes what the core says. `attach` gives it the core. */
  export class TestHost {
    constructor(url) { this.address = url; this.said = []; this.turns = 0; this.waiting = []; this.number = hosts.push(this) - 1 }
    attach(core) { this.core = core }
    turn() { this.turns++; this.core.run(performance.now(), Date.now()); for (const check of [...this.waiting]) check() }
    tell(op, text = '', number = 0, other = 0) { this.core.tell(op, text, number, other) }
    read(op) { return this.core.read(op, '', performance.now(), Date.now(), 0) }
    open(transport) {
      try { this.socket = new WebSocket(this.address) } catch { queueMicrotask(() => this.tell(ops.TRANSPORT_CLOSED, 'refused', transport, 1006)); return }
      this.socket.addEventListener('open', () => this.tell(ops.TRANSPORT_OPENED, '', transport))
      this.socket.addEventListener('message', ({ data }) => this.tell(ops.TRANSPORT_RECEIVED, data, transport))
      this.socket.addEventListener('close', ({ code, reason }) => this.tell(ops.TRANSPORT_CLOSED, reason, transport, code))
    }
    wake(at) {
      clearTimeout(this.timer)
      if (at > 0) this.timer = setTimeout(() => this.turn(), Math.min(at - performance.now(), 2 ** 31 - 1))
    }
    say(op, number, text) {
      this.said.push(op)
      if (op === ops.FETCH_CREDENTIAL) queueMicrotask(() => this.tell(ops.CREDENTIAL, 'T', number))
      if (op === ops.OPEN_TRANSPORT) this.open(number)
      if (op === ops.SEND) this.socket.send(text)
      if (op === ops.CLOSE_TRANSPORT) this.socket.close(number)
      if (op === ops.SET_TIMER) this.wake(number)
      if (op === ops.LOAD_CACHE) queueMicrotask(() => this.tell(ops.CACHE_LOADED, text + '\n'))
    }
    status() { return JSON.parse(this.read(ops.READ_CONNECTION)).status }
    count(what) { return this.said.filter(said => said === what).length }
    /** Resolves when the connection has this status. */
    until(status) {
      return new Promise(resolve => {
        const check = () => { if (this.status() === status) { this.waiting = this.waiting.filter(other => other !== check); resolve() } }
        this.waiting.push(check)
        check()
      })
    }
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
    #[wasm_bindgen(method)]
    fn tell(this: &TestHost, op: u8, text: &str, number: f64);
    #[wasm_bindgen(method)]
    fn read(this: &TestHost, op: u8) -> String;
    #[wasm_bindgen(method)]
    fn status(this: &TestHost) -> String;
    #[wasm_bindgen(method)]
    fn count(this: &TestHost, op: u8) -> u32;
    #[wasm_bindgen(method)]
    fn until(this: &TestHost, status: &str) -> Promise;
    #[wasm_bindgen(method, getter)]
    fn number(this: &TestHost) -> u32;
    #[wasm_bindgen(method, getter)]
    fn turns(this: &TestHost) -> u32;

    fn serve(frames: &Array) -> js_sys::Function;
    fn know(name: &str, number: u8);
}

/// A core with a host at this URL, not connected yet.
fn made(url: &str, storage: bool) -> TestHost {
    let told = [ops::startup_ops(), ops::deferred_ops(), ops::startup_reads()];
    let asked = [ops::host_ops(), ops::world_ops()];
    for op in told.into_iter().chain(asked).flatten() {
        know(op.name, op.number);
    }
    let host = TestHost::new(url);
    let core = Core::new(
        host.number(),
        true,
        "page".into(),
        "lane".into(),
        7.0,
        1000.0,
        30_000.0,
        0,
        25_000.0,
        50,
        storage,
        false,
        1,
        0,
        0,
    );
    host.attach(core);
    host
}

fn tell(host: &TestHost, op: u8) {
    host.tell(op, "", 0.0);
}

async fn reaches(host: &TestHost, status: &str) {
    JsFuture::from(host.until(status)).await.unwrap();
}

#[wasm_bindgen_test]
async fn a_socket_that_cannot_open_is_tried_again_later() {
    let host = made("ws://127.0.0.1:1/v1/ws", false);
    tell(&host, ops::CONNECT);
    assert_eq!(host.status(), "connecting");
    reaches(&host, "waiting").await;
    assert_eq!(host.count(ops::FETCH_CREDENTIAL.number()), 1);
    tell(&host, ops::CLOSE);
}

#[wasm_bindgen_test]
async fn an_address_the_browser_refuses_is_a_failed_attempt() {
    let host = made("ws://in valid/", false);
    tell(&host, ops::CONNECT);
    reaches(&host, "waiting").await;
    tell(&host, ops::CLOSE);
}

#[wasm_bindgen_test]
async fn an_app_without_an_address_is_a_failed_attempt() {
    let host = made("", false);
    tell(&host, ops::CONNECT);
    reaches(&host, "waiting").await;
    tell(&host, ops::CLOSE);
}

const CONNECTED: &str = r#"{"type":"connected","user_id":"u1","session":"s","session_token":"t","message":"","version":1,"heartbeat_ms":25000,"timeout_ms":10000,"now":1,"limits":{"message_bytes":1,"subscriptions":1,"page":1}}"#;

#[wasm_bindgen_test]
async fn messages_reach_the_core() {
    let restore = serve(&Array::of1(&CONNECTED.into()));
    let host = made("ws://page/", false);
    tell(&host, ops::CONNECT);
    reaches(&host, "connected").await;
    restore.call0(&JsValue::NULL).unwrap();
    tell(&host, ops::CLOSE);
    assert_eq!(host.status(), "closed");
}

#[wasm_bindgen_test]
async fn a_socket_that_was_let_go_is_not_heard() {
    let restore = serve(&Array::of1(&CONNECTED.into()));
    let host = made("ws://page/", false);
    tell(&host, ops::CONNECT);
    reaches(&host, "connected").await;
    restore.call0(&JsValue::NULL).unwrap();
    let turns = host.turns();
    host.tell(ops::TRANSPORT_CLOSED, "of another", 999.0);
    assert_eq!((host.turns(), host.status()), (turns, "connected".into()));
    tell(&host, ops::CLOSE);
}

#[wasm_bindgen_test]
async fn the_page_says_when_there_is_no_network() {
    let host = made("ws://127.0.0.1:1/v1/ws", false);
    tell(&host, ops::CONNECT);
    reaches(&host, "waiting").await;
    tell(&host, ops::OFFLINE);
    assert_eq!(host.status(), "offline");
    tell(&host, ops::ONLINE);
    assert_ne!(host.status(), "offline");
    tell(&host, ops::CLOSE);
}

#[wasm_bindgen_test]
fn a_named_user_s_cache_is_asked_for_and_nobody_s_is_not() {
    let host = made("ws://127.0.0.1:1/v1/ws", true);
    host.tell(ops::SET_USER, "", 1.0);
    assert_eq!((host.count(ops::LOAD_CACHE.number()), host.status()), (0, "signed-out".into()));
    host.tell(ops::SET_USER, "u1", 0.0);
    assert_eq!(host.count(ops::LOAD_CACHE.number()), 1);
    tell(&host, ops::CLOSE);
}

#[wasm_bindgen_test]
fn snapshots_are_json_before_anything_is_known() {
    let host = made("ws://127.0.0.1:1/v1/ws", false);
    for what in [ops::READ_CONNECTION, ops::READ_INBOX, ops::READ_OUTBOX, ops::READ_TIME] {
        js_sys::JSON::parse(&host.read(what)).unwrap();
    }
    let inbox = js_sys::JSON::parse(&host.read(ops::READ_INBOX)).unwrap();
    let status = js_sys::Reflect::get(&inbox, &"status".into()).unwrap();
    assert_eq!(status.as_string().as_deref(), Some("loading"));
    tell(&host, ops::CLOSE);
}
