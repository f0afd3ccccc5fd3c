//! One WebSocket, from the wish to open it to its end.

use std::rc::Rc;

use tidings_client_core::Event;
use wasm_bindgen::prelude::*;
use web_sys::{CloseEvent, MessageEvent, WebSocket};

use crate::driver::Driver;

const EVENTS: [&str; 3] = ["open", "message", "close"];
/// "Can't accept this kind of data": pages may not send it themselves, but the core reads it well.
const UNSUPPORTED: u16 = 1003;
/// What a page says for it.
const UNSUPPORTED_BY_PAGE: u16 = 3003;

/// A WebSocket that speaks to the driver until it is dropped.
pub(crate) struct Socket {
    id: u64,
    raw: WebSocket,
    listener: Closure<dyn FnMut(web_sys::Event)>,
}

impl Socket {
    /// Starts to open it. Errors in words: the address is malformed, or a policy forbids it.
    pub(crate) fn open(driver: &Rc<Driver>, id: u64, url: &str) -> Result<Self, String> {
        let raw = WebSocket::new(url).map_err(|thrown| words(&thrown))?;
        // Weak: the socket is the driver's, not the other way round.
        let weak = Rc::downgrade(driver);
        // One closure for all three events: each further kind costs glue.
        let listener = Closure::<dyn FnMut(web_sys::Event)>::new(move |event: web_sys::Event| {
            if let Some(driver) = weak.upgrade() {
                happened(&driver, id, &event);
            }
        });
        for name in EVENTS {
            raw.add_event_listener_with_callback(name, listener.as_ref().unchecked_ref())
                .map_err(|thrown| words(&thrown))?;
        }
        Ok(Self { id, raw, listener })
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn raw(&self) -> &WebSocket {
        &self.raw
    }

    /// Sends a message, if the socket is open. A socket that is not will tell by its end.
    pub(crate) fn send(&self, text: &str) {
        if self.raw.ready_state() == WebSocket::OPEN {
            drop(self.raw.send_with_str(text));
        }
    }

    /// Closes it with a code of the app's range.
    pub(crate) fn close(self, code: u16) {
        drop(self.raw.close_with_code(code));
    }
}

impl Drop for Socket {
    /// Whatever a forgotten socket has to say, nobody hears it, and it does not stay open.
    fn drop(&mut self) {
        for name in EVENTS {
            drop(
                self.raw.remove_event_listener_with_callback(
                    name,
                    self.listener.as_ref().unchecked_ref(),
                ),
            );
        }
        drop(self.raw.close());
    }
}

fn happened(driver: &Rc<Driver>, id: u64, event: &web_sys::Event) {
    match event.type_().as_str() {
        "open" => driver.push(Event::TransportOpened { transport: id }),
        "message" => match event.unchecked_ref::<MessageEvent>().data().as_string() {
            Some(text) => driver.push(Event::TransportReceived { transport: id, text }),
            None => {
                if let Some(socket) = event.target() {
                    drop(socket.unchecked_ref::<WebSocket>().close_with_code(UNSUPPORTED_BY_PAGE));
                }
                driver.socket_ended(id, UNSUPPORTED, String::from("a frame that is not text"));
            }
        },
        _ => {
            let close: &CloseEvent = event.unchecked_ref();
            driver.socket_ended(id, close.code(), close.reason());
        }
    }
}

/// What a browser threw, in words.
fn words(thrown: &JsValue) -> String {
    thrown
        .dyn_ref::<js_sys::Error>()
        .map_or_else(String::new, |error| String::from(error.message()))
}
