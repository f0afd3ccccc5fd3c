//! What TypeScript calls.

use std::rc::Rc;

use js_sys::Array;
use tidings_client_core::{
    Backoff, Client, Config, Credential, Event, Filter, MarkTargets, Show, User,
};
use tidings_protocol::MarkSet;
use wasm_bindgen::prelude::*;

use crate::{
    Host, Options,
    driver::{Driver, now},
    json,
};

/// One client. Numbers of intents are the caller's, unique for the client's life; answers come to the [`Host`].
#[wasm_bindgen]
pub struct Core {
    driver: Rc<Driver>,
}

#[wasm_bindgen]
impl Core {
    /// A client that has done nothing yet but listens to the page.
    #[wasm_bindgen(constructor)]
    pub fn new(host: Host, options: &Options) -> Self {
        let driver = Driver::new(host, Client::new(config(options)));
        driver.listen(options.page(), options.document(), &options.signal());
        Self { driver }
    }

    /// Handles what is in the queue. For the host's `turn` alone.
    pub fn run(&self) {
        self.driver.run();
    }

    /// `connect()`, or somebody looks.
    pub fn connect(&self) {
        self.driver.push(Event::ConnectRequested);
    }

    /// `disconnect()`.
    pub fn disconnect(&self) {
        self.driver.push(Event::DisconnectRequested);
    }

    /// `retryNow()`.
    pub fn retry(&self) {
        self.driver.push(Event::RetryRequested);
    }

    /// `close()`: final.
    pub fn close(&self) {
        self.driver.push(Event::CloseRequested);
        self.driver.close();
    }

    /// `undefined`: whoever the ticket names; `null`: nobody; a string: this one.
    #[wasm_bindgen(js_name = setUser)]
    pub fn set_user(&self, user: &JsValue) {
        let user = match user.as_string() {
            Some(name) => User::Named(name),
            None if user.is_null() => User::Nobody,
            None => User::Unknown,
        };
        self.driver.push(Event::UserChanged(user));
    }

    /// `signOut()`; ends with `Host.signedOut`.
    #[wasm_bindgen(js_name = signOut)]
    pub fn sign_out(&self, discard: bool) {
        self.driver.push(Event::SignOutRequested { discard });
    }

    /// Marks items by id, or the whole inbox when `ids` is absent.
    pub fn mark(
        &self,
        intent: f64,
        ids: Option<Array>,
        seen: Option<bool>,
        read: Option<bool>,
        archived: Option<bool>,
    ) {
        self.driver.push(Event::MarkRequested {
            intent: intent as u64,
            targets: ids.map_or(MarkTargets::All, |ids| MarkTargets::Items(strings(&ids))),
            set: MarkSet { seen, read, archived },
        });
    }

    /// `loadMore()` of a view.
    pub fn more(&self, intent: f64, show: u8, kinds: &Array) {
        self.driver
            .push(Event::MoreRequested { filter: filter(show, kinds), intent: intent as u64 });
    }

    /// `outbox.retry(id)`.
    #[wasm_bindgen(js_name = retryFailed)]
    pub fn retry_failed(&self, id: f64, intent: f64) {
        self.driver.push(Event::FailedRetried { id: id as u64, intent: intent as u64 });
    }

    /// `outbox.discard(id)`.
    #[wasm_bindgen(js_name = discardFailed)]
    pub fn discard_failed(&self, id: f64) {
        self.driver.push(Event::FailedDiscarded { id: id as u64 });
    }

    /// Answers `Host.ticket`: 0 a ticket, 1 a JWT, 2 signed out, 3 a failure in words.
    pub fn ticketed(&self, attempt: f64, kind: u8, text: String) {
        let result = match kind {
            0 => Ok(Credential::Ticket(text)),
            1 => Ok(Credential::Token(text)),
            2 => Ok(Credential::SignedOut),
            _ => Err(text),
        };
        self.driver.push(Event::CredentialFetched { attempt: attempt as u64, result });
    }

    /// Answers `Host.load`.
    pub fn loaded(&self, user: String, saved: Option<String>) {
        self.driver.push(Event::StorageLoaded { user, saved });
    }

    /// Storage failed, loading or saving.
    #[wasm_bindgen(js_name = storageFailed)]
    pub fn storage_failed(&self, reason: String) {
        self.driver.push(Event::StorageFailed { reason });
    }

    /// The connection's snapshot, as JSON.
    pub fn connection(&self) -> String {
        self.driver.read(|client| json::connection(client.connection()))
    }

    /// A view of the inbox, as JSON; `json.rs` says of what shape.
    pub fn inbox(&self, show: u8, kinds: &Array) -> String {
        self.driver.inbox(&filter(show, kinds))
    }

    /// The outbox, as JSON.
    pub fn outbox(&self) -> String {
        self.driver.read(|client| json::outbox(client.outbox()))
    }

    /// Server time in milliseconds since 1970, once known.
    #[wasm_bindgen(js_name = serverTime)]
    pub fn server_time(&self) -> Option<f64> {
        self.driver.read(|client| client.server_time(now())).map(|time| time as f64)
    }

    /// In words: why it is not connected, and what happens next.
    pub fn explain(&self) -> String {
        self.driver.read(|client| client.explain(now()))
    }
}

fn filter(show: u8, kinds: &Array) -> Filter {
    let show = match show {
        0 => Show::Inbox,
        1 => Show::Unread,
        2 => Show::Archived,
        _ => Show::All,
    };
    Filter { show, kinds: strings(kinds) }
}

fn strings(values: &Array) -> Vec<String> {
    values.iter().filter_map(|value| value.as_string()).collect()
}

fn config(options: &Options) -> Config {
    let mut config = Config::new(options.seed() as u64, options.instance(), options.client_id());
    config.library = (String::from("tidings-js"), options.version());
    config.backoff = Backoff {
        base: options.base() as u64,
        cap: options.cap() as u64,
        max_attempts: options.max_attempts(),
    };
    config.heartbeat = options.heartbeat() as u64;
    config.keep = options.keep();
    config.storage = options.storage();
    config
}
