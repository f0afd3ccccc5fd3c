//! The interface that TypeScript calls.

use tidings_client_core::{Backoff, Client, Config, Now, TransportKind};
use wasm_bindgen::prelude::*;

use crate::{
    deferred,
    driver::Driver,
    host::Host,
    ops::{self, Fields},
};

/// One client. The caller chooses the numbers of intents, unique for the client's life; answers go
/// to the host.
#[wasm_bindgen]
pub struct Core {
    driver: Driver,
}

/// The number of a transport: its index in [`ops::TRANSPORTS`] plus 1. 0 is none.
type Place = u32;

macro_rules! constructor {
    (
        $(#[$docs:meta])*
        pub fn new($host:ident: u32, $($option:ident: $kind:ident),* $(,)?) -> Self $body:block
    ) => {
        #[wasm_bindgen]
        impl Core {
            $(#[$docs])*
            #[wasm_bindgen(constructor)]
            #[expect(
                clippy::too_many_arguments,
                reason = "an object would cost a glue function per option"
            )]
            #[must_use]
            pub fn new($host: u32, $($option: $kind),*) -> Self $body
        }

        /// The options of a core and their types.
        pub const OPTIONS: &[(&str, &str)] = &[$((stringify!($option), stringify!($kind))),*];
    };
}

constructor! {
    /// Creates a client that is idle.
    ///
    /// `host` is the number of the client's host, and `seed` a random integer below 2^53.
    /// `instance` names the client, `client_id` its outbox lanes. Backoff and heartbeat are in
    /// milliseconds; `max_attempts` 0 stands for no limit. `keep` is the number of items to hold.
    /// `storage` says whether caches are wanted, `keep_signed_out` whether they stay when a ticket
    /// function says that no user is signed in, and `whole` whether the whole module is loaded.
    /// `first`, `second` and `third` are the transports, the best first.
    pub fn new(
        host: u32,
        whole: bool,
        instance: String,
        client_id: String,
        seed: f64,
        base: f64,
        cap: f64,
        max_attempts: u32,
        heartbeat: f64,
        keep: u32,
        storage: bool,
        keep_signed_out: bool,
        first: Place,
        second: Place,
        third: Place,
    ) -> Self {
        let mut config = Config::new(seed as u64, instance, client_id);
        // The package has the workspace's version; one of its tests compares the two.
        config.library = (String::from("tidings-js"), String::from(env!("CARGO_PKG_VERSION")));
        config.backoff = Backoff {
            base: base as u64,
            cap: cap as u64,
            max_attempts: (max_attempts > 0).then_some(max_attempts),
        };
        config.heartbeat = heartbeat as u64;
        config.transports = transports([first, second, third]);
        config.keep = keep;
        config.storage = storage;
        config.lanes = storage;
        config.keep_signed_out = keep_signed_out;
        config.whole = whole;
        Self { driver: Driver::new(Host(host), Client::new(config)) }
    }
}

#[wasm_bindgen]
impl Core {
    /// Handles the events in the queue. Only the host's `turn` may call it.
    pub fn run(&self, mono: f64, wall: f64) {
        self.driver.run(clocks(mono, wall));
    }

    /// Takes an operation of the page, with its texts and its numbers.
    pub fn tell(&self, op: u8, texts: &str, number: f64, other: f64) {
        let fields = Fields::new(texts, [number, other], self.driver.transport());
        let event = match self.driver.client().deferred() {
            Some(deferred) if op >= ops::DEFERRED => {
                deferred::event(deferred, op, fields, &self.driver)
            }
            _ => ops::startup_event(op, fields),
        };
        if let Some(event) = event {
            self.driver.push(event);
        }
        if op == ops::CLOSE {
            self.driver.close();
        }
    }

    /// Reads a snapshot: the text that answers a read operation, empty if there is none.
    #[must_use]
    pub fn read(&self, op: u8, texts: &str, mono: f64, wall: f64, number: f64) -> String {
        let driver = &self.driver;
        let fields = Fields::new(texts, [number, 0.0], None);
        ops::startup_read(op, fields, driver).unwrap_or_else(|| {
            let client = driver.client();
            let Some(deferred) = client.deferred() else { return String::new() };
            let seen = &mut driver.seen.borrow_mut();
            deferred::read(deferred, op, fields, &client, clocks(mono, wall), seen)
        })
    }
}

/// The transports by their numbers. Written without a loop, which would cost more.
fn transports(places: [Place; 3]) -> Vec<TransportKind> {
    let kind = |index: Place| match index {
        1 => TransportKind::Ws,
        2 => TransportKind::Sse,
        _ => TransportKind::Poll,
    };
    let mut kinds: Vec<_> = vec![kind(places[0]), kind(places[1]), kind(places[2])];
    kinds.truncate(places.iter().filter(|index| **index > 0).count());
    kinds
}

/// Both clocks, in milliseconds.
fn clocks(mono: f64, wall: f64) -> Now {
    Now { mono: mono as u64, wall: wall as u64 }
}

#[cfg(test)]
mod tests {
    use TransportKind::{Poll, Sse, Ws};
    use tidings_client_core::{Event, User};

    use super::*;

    fn event(op: u8, number: f64, texts: &str) -> Event {
        ops::startup_event(op, Fields::new(texts, [number, 0.0], Some(7))).unwrap()
    }

    #[test]
    fn transports_come_in_their_order() {
        let index =
            |name| 1 + ops::TRANSPORTS.iter().position(|other| *other == name).unwrap() as u32;
        let [ws, sse, poll] = ["ws", "sse", "poll"].map(index);
        assert_eq!(transports([ws, sse, poll]), [Ws, Sse, Poll]);
        assert_eq!(transports([poll, ws, 0]), [Poll, Ws]);
        assert_eq!(transports([sse, 0, 0]), [Sse]);
    }

    #[test]
    fn a_user_is_named_nobody_or_left_to_the_ticket() {
        let user = |nobody, name| event(ops::SET_USER, nobody, name);
        assert_eq!(user(0.0, "u1"), Event::UserChanged(User::Named("u1".into())));
        assert_eq!(user(1.0, ""), Event::UserChanged(User::Nobody));
        assert_eq!(user(0.0, ""), Event::UserChanged(User::Unknown));
    }

    #[test]
    fn a_cache_comes_with_its_user_and_may_hold_line_breaks() {
        let loaded = |saved: Option<&str>| Event::StorageLoaded {
            user: "u1".into(),
            saved: saved.map(str::to_owned),
        };
        assert_eq!(event(ops::CACHE_LOADED, 0.0, "u1\n{\n}"), loaded(Some("{\n}")));
        assert_eq!(event(ops::CACHE_LOADED, 0.0, "u1\n"), loaded(None));
    }

    #[test]
    fn frames_may_hold_line_breaks_and_those_of_another_transport_are_not_read() {
        let received = Event::TransportReceived { transport: 7, text: "{}\n{}".into() };
        assert_eq!(event(ops::TRANSPORT_RECEIVED, 7.0, "{}\n{}"), received);
        let other = |transport| {
            let fields = Fields::new("{}", [7.0, 0.0], transport);
            ops::startup_event(ops::TRANSPORT_RECEIVED, fields)
        };
        assert_eq!((other(Some(6)), other(None)), (None, None));
    }
}
