//! The page's life: network, visibility, sleep and the back/forward cache.

use std::rc::Rc;

use tidings_client_core::Event;
use wasm_bindgen::prelude::*;
use web_sys::{AbortSignal, AddEventListenerOptions, Document, EventTarget};

use crate::driver::Driver;

const OF_PAGE: &[&str] = &["online", "offline", "pageshow", "pagehide", "focus"];
const OF_DOCUMENT: &[&str] = &["visibilitychange", "freeze", "resume"];

/// Listeners that are removed when this is dropped.
pub(crate) struct Lifecycle {
    listener: Closure<dyn FnMut(web_sys::Event)>,
    listened: Vec<(EventTarget, &'static [&'static str])>,
}

impl Lifecycle {
    /// Listens to what there is: a worker or a server has neither.
    ///
    /// `signal` also ends it: a core that trapped can't remove its listeners, but TypeScript can abort.
    pub(crate) fn new(
        driver: &Rc<Driver>,
        page: Option<EventTarget>,
        document: Option<Document>,
        signal: &AbortSignal,
    ) -> Self {
        let weak = Rc::downgrade(driver);
        let seen = document.clone();
        let listener = Closure::<dyn FnMut(web_sys::Event)>::new(move |event: web_sys::Event| {
            let hidden = seen.as_ref().is_some_and(Document::hidden);
            if let (Some(driver), Some(event)) = (weak.upgrade(), event_of(&event.type_(), hidden))
            {
                driver.push(event);
            }
        });
        let mut listened = Vec::new();
        if let Some(page) = page {
            listened.push((page, OF_PAGE));
        }
        if let Some(document) = document {
            listened.push((document.into(), OF_DOCUMENT));
        }
        let until = AddEventListenerOptions::new();
        until.set_signal(signal);
        for (target, names) in &listened {
            for name in *names {
                let listener = listener.as_ref().unchecked_ref();
                drop(target.add_event_listener_with_callback_and_add_event_listener_options(
                    name, listener, &until,
                ));
            }
        }
        Self { listener, listened }
    }
}

impl Drop for Lifecycle {
    fn drop(&mut self) {
        for (target, names) in &self.listened {
            for name in *names {
                drop(target.remove_event_listener_with_callback(
                    name,
                    self.listener.as_ref().unchecked_ref(),
                ));
            }
        }
    }
}

/// What a browser's event means. A page that comes back asks whether the link still lives: sockets that look open may
/// have died while it slept, and Chrome closes those of pages in the back/forward cache.
fn event_of(name: &str, hidden: bool) -> Option<Event> {
    Some(match name {
        "online" => Event::WentOnline,
        "offline" => Event::WentOffline,
        "pagehide" | "freeze" => Event::Hidden,
        "visibilitychange" if hidden => Event::Hidden,
        "visibilitychange" | "pageshow" | "focus" | "resume" => Event::Woke,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_come_back_wake_the_client() {
        for name in ["pageshow", "focus", "resume"] {
            assert_eq!(event_of(name, false), Some(Event::Woke), "{name}");
        }
        assert_eq!(event_of("visibilitychange", false), Some(Event::Woke));
    }

    #[test]
    fn pages_that_leave_are_hidden() {
        assert_eq!(event_of("visibilitychange", true), Some(Event::Hidden));
        assert_eq!(event_of("freeze", true), Some(Event::Hidden));
        assert_eq!(event_of("pagehide", false), Some(Event::Hidden));
    }

    #[test]
    fn the_network_is_what_the_browser_says() {
        assert_eq!(event_of("online", false), Some(Event::WentOnline));
        assert_eq!(event_of("offline", true), Some(Event::WentOffline));
        assert_eq!(event_of("click", false), None);
    }
}
