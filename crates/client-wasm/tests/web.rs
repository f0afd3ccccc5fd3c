//! The driver in a real browser, over a minimal host. The whole client is tested from TypeScript
//! (npm/test/core) and end to end (e2e/).

#![cfg(target_arch = "wasm32")]

use js_sys::{Array, Promise};
use tidings_client_wasm::{
    Core,
    words::{read, say, tell},
};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen(inline_js = r#"
  const hosts = []
  globalThis.turn = number => hosts[number].turn()
  globalThis.say = (number, ...what) => hosts[number].say(...what)
  /** A host that notes what the core says. `attach` gives it the core. */
  export class TestHost {
    constructor(url) { this.address = url; this.said = []; this.turns = 0; this.waiting = []; this.number = hosts.push(this) - 1 }
    attach(core) { this.core = core }
    turn() { this.turns++; this.core.run(performance.now(), Date.now()); for (const check of [...this.waiting]) check() }
    tell(what, text = '', number = 0, other = 0) { this.core.tell(what, number, other, text) }
    read(what) { return this.core.read(what, 0, '', performance.now(), Date.now()) }
    open(transport) {
      try { this.socket = new WebSocket(this.address) } catch { queueMicrotask(() => this.tell(17, 'refused', transport, 1006)); return }
      this.socket.addEventListener('open', () => this.tell(4, '', transport))
      this.socket.addEventListener('message', ({ data }) => this.tell(5, data, transport))
      this.socket.addEventListener('close', ({ code, reason }) => this.tell(17, reason, transport, code))
    }
    wake(at) {
      clearTimeout(this.timer)
      if (at > 0) this.timer = setTimeout(() => this.turn(), Math.min(at - performance.now(), 2 ** 31 - 1))
    }
    say(what, number, text) {
      this.said.push(what)
      if (what === 0) queueMicrotask(() => this.tell(2, 'T', number))
      if (what === 20) this.open(number)
      if (what === 21) this.socket.send(text)
      if (what === 22) this.socket.close(number)
      if (what === 23) this.wake(number)
      if (what === 2) queueMicrotask(() => this.tell(3, text + '\n'))
    }
    status() { return JSON.parse(this.read(0)).status }
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
    fn tell(this: &TestHost, what: u8, text: &str, number: f64);
    #[wasm_bindgen(method)]
    fn read(this: &TestHost, what: u8) -> String;
    #[wasm_bindgen(method)]
    fn status(this: &TestHost) -> String;
    #[wasm_bindgen(method)]
    fn count(this: &TestHost, what: u8) -> u32;
    #[wasm_bindgen(method)]
    fn until(this: &TestHost, status: &str) -> Promise;
    #[wasm_bindgen(method, getter)]
    fn number(this: &TestHost) -> u32;
    #[wasm_bindgen(method, getter)]
    fn turns(this: &TestHost) -> u32;

    fn serve(frames: &Array) -> js_sys::Function;
}

/// A core with a host at this URL, not connected yet.
fn made(url: &str, storage: bool) -> TestHost {
    let host = TestHost::new(url);
    let core = Core::new(
        host.number(),
        7.0,
        "page".into(),
        "lane".into(),
        1000.0,
        30_000.0,
        0,
        25_000.0,
        0b01_00_00_00,
        50,
        storage,
        false,
        true,
    );
    host.attach(core);
    host
}

fn tell(host: &TestHost, what: u8) {
    host.tell(what, "", 0.0);
}

async fn reaches(host: &TestHost, status: &str) {
    JsFuture::from(host.until(status)).await.unwrap();
}

#[wasm_bindgen_test]
async fn a_socket_that_cannot_open_is_tried_again_later() {
    let host = made("ws://127.0.0.1:1/v1/ws", false);
    tell(&host, tell::CONNECT);
    assert_eq!(host.status(), "connecting");
    reaches(&host, "waiting").await;
    assert_eq!(host.count(say::TICKET), 1);
    tell(&host, tell::CLOSE);
}

#[wasm_bindgen_test]
async fn an_address_the_browser_refuses_is_a_failed_attempt() {
    let host = made("ws://in valid/", false);
    tell(&host, tell::CONNECT);
    reaches(&host, "waiting").await;
    tell(&host, tell::CLOSE);
}

#[wasm_bindgen_test]
async fn an_app_without_an_address_is_a_failed_attempt() {
    let host = made("", false);
    tell(&host, tell::CONNECT);
    reaches(&host, "waiting").await;
    tell(&host, tell::CLOSE);
}

const CONNECTED: &str = r#"{"type":"connected","user_id":"u1","session":"s","session_token":"t","message":"","version":1,"heartbeat_ms":25000,"timeout_ms":10000,"now":1,"limits":{"message_bytes":1,"subscriptions":1,"page":1}}"#;

#[wasm_bindgen_test]
async fn messages_reach_the_core() {
    let restore = serve(&Array::of1(&CONNECTED.into()));
    let host = made("ws://page/", false);
    tell(&host, tell::CONNECT);
    reaches(&host, "connected").await;
    restore.call0(&JsValue::NULL).unwrap();
    tell(&host, tell::CLOSE);
    assert_eq!(host.status(), "closed");
}

#[wasm_bindgen_test]
async fn a_socket_that_was_let_go_is_not_heard() {
    let restore = serve(&Array::of1(&CONNECTED.into()));
    let host = made("ws://page/", false);
    tell(&host, tell::CONNECT);
    reaches(&host, "connected").await;
    restore.call0(&JsValue::NULL).unwrap();
    let turns = host.turns();
    host.tell(tell::CLOSED, "of another", 999.0);
    assert_eq!((host.turns(), host.status()), (turns, "connected".into()));
    tell(&host, tell::CLOSE);
}

#[wasm_bindgen_test]
async fn the_page_says_when_there_is_no_network() {
    let host = made("ws://127.0.0.1:1/v1/ws", false);
    tell(&host, tell::CONNECT);
    reaches(&host, "waiting").await;
    tell(&host, tell::OFFLINE);
    assert_eq!(host.status(), "offline");
    tell(&host, tell::ONLINE);
    assert_ne!(host.status(), "offline");
    tell(&host, tell::CLOSE);
}

#[wasm_bindgen_test]
fn a_named_user_s_cache_is_asked_for_and_nobody_s_is_not() {
    let host = made("ws://127.0.0.1:1/v1/ws", true);
    host.tell(tell::USER, "", 1.0);
    assert_eq!((host.count(say::LOAD), host.status()), (0, "signed-out".into()));
    host.tell(tell::USER, "u1", 0.0);
    assert_eq!(host.count(say::LOAD), 1);
    tell(&host, tell::CLOSE);
}

#[wasm_bindgen_test]
fn snapshots_are_json_before_anything_is_known() {
    let host = made("ws://127.0.0.1:1/v1/ws", false);
    for what in [read::CONNECTION, read::INBOX, read::OUTBOX, read::TIME] {
        js_sys::JSON::parse(&host.read(what)).unwrap();
    }
    let inbox = js_sys::JSON::parse(&host.read(read::INBOX)).unwrap();
    let status = js_sys::Reflect::get(&inbox, &"status".into()).unwrap();
    assert_eq!(status.as_string().as_deref(), Some("loading"));
    tell(&host, tell::CLOSE);
}
