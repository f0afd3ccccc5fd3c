//! The interface that TypeScript calls.

use tidings_client_core::{
    Backoff, Client, Config, Credential, Event, Filter, Kinds, Now, Show, TransportKind, User,
};
use wasm_bindgen::prelude::*;

use crate::{
    driver::Driver,
    host::Host,
    rest,
    words::{read, tell},
};

/// One client. The caller chooses the numbers of intents, unique for the client's life; answers go
/// to the host.
#[wasm_bindgen]
pub struct Core {
    driver: Driver,
}

#[wasm_bindgen]
impl Core {
    /// Creates a client that is idle.
    ///
    /// `host` is the number of the client's host, and `seed` a random integer below 2^53.
    /// `instance` names the client, `client_id` its outbox lanes. Backoff and heartbeat are in
    /// milliseconds; `max_attempts` 0 stands for no limit. `transports` holds two bits for each
    /// transport, the best in the lowest bits (0 WebSocket, 1 SSE, 2 poll), and their number above
    /// the sixth bit. `keep` is the number of items to hold. `storage` says whether caches are
    /// wanted, `keep_signed_out` whether they stay when a ticket function says that no user is
    /// signed in, and `whole` whether the whole module is loaded.
    #[wasm_bindgen(constructor)]
    #[expect(
        clippy::too_many_arguments,
        reason = "an object would cost a glue function per option"
    )]
    pub fn new(
        host: u32,
        seed: f64,
        instance: String,
        client_id: String,
        base: f64,
        cap: f64,
        max_attempts: u32,
        heartbeat: f64,
        transports: u32,
        keep: u32,
        storage: bool,
        keep_signed_out: bool,
        whole: bool,
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
        config.transports = kinds(transports);
        config.keep = keep;
        config.storage = storage;
        config.lanes = storage;
        config.keep_signed_out = keep_signed_out;
        config.whole = whole;
        Self { driver: Driver::new(Host(host), Client::new(config)) }
    }

    /// Handles the events in the queue. Only the host's `turn` may call it.
    pub fn run(&self, mono: f64, wall: f64) {
        self.driver.run(clocks(mono, wall));
    }

    /// Takes an event: `what` is one of [`words::tell`](tell), which describes its parameters.
    pub fn tell(&self, what: u8, number: f64, other: f64, text: String) {
        let (number, other) = (number as u64, other as u32);
        if matches!(what, tell::OPENED | tell::RECEIVED | tell::CLOSED) {
            if !self.driver.holds(number) {
                return;
            }
            if what == tell::CLOSED {
                self.driver.let_go();
            }
        }
        let event = match self.driver.client().rest() {
            Some(rest) if what > tell::REST_THERE => rest::event(rest, what, number, other, text),
            _ => event(what, number, other, text),
        };
        if let Some(event) = event {
            self.driver.push(event);
        }
        if what == tell::CLOSE {
            self.driver.close();
        }
    }

    /// Reads a snapshot: `what` is one of [`words::read`](read). `show` (0 inbox, 1 unread, 2
    /// archived, 3 all) and `kinds` (types, one per line; empty for all) choose a view of the
    /// inbox. For a channel, `kinds` is its name, and `show` 1 asks for every message in full.
    pub fn read(&self, what: u8, show: u8, kinds: &str, mono: f64, wall: f64) -> String {
        let driver = &self.driver;
        let now = clocks(mono, wall);
        match what {
            read::CONNECTION => driver.connection(),
            read::INBOX => driver.inbox(&filter(show.into(), kinds)),
            _ => {
                let client = driver.client();
                let seen = &mut driver.seen.borrow_mut();
                client.rest().map_or_else(String::new, |rest| {
                    rest::read(rest, &client, what, show != 0, kinds, now, seen)
                })
            }
        }
    }
}

/// Both clocks, in milliseconds.
fn clocks(mono: f64, wall: f64) -> Now {
    Now { mono: mono as u64, wall: wall as u64 }
}

/// The transports: two bits each, and their number above the third. Written without a loop, which
/// would cost a hundred bytes more.
fn kinds(transports: u32) -> Vec<TransportKind> {
    let kind = |shift: u32| match (transports >> shift) & 3 {
        0 => TransportKind::Ws,
        1 => TransportKind::Sse,
        2 => TransportKind::Poll,
        _ => TransportKind::Relay,
    };
    let mut kinds = vec![kind(0), kind(2), kind(4)];
    kinds.truncate((transports >> 6) as usize);
    kinds
}

/// The event of a call. An unknown number is no event.
fn event(what: u8, number: u64, other: u32, text: String) -> Option<Event> {
    Some(match what {
        tell::CONNECT => Event::ConnectRequested,
        tell::USER => Event::UserChanged(match number {
            _ if !text.is_empty() => User::Named(text),
            0 => User::Unknown,
            _ => User::Nobody,
        }),
        tell::TICKETED => Event::CredentialFetched {
            attempt: number,
            result: match other {
                0 => Ok(Credential::Ticket(text)),
                1 => Ok(Credential::Token(text)),
                2 => Ok(Credential::SignedOut),
                _ => Err(text),
            },
        },
        tell::LOADED => {
            // User ids have no control characters, so the line break ends them.
            let (user, saved) = halves(&text)?;
            let saved = (!saved.is_empty()).then(|| String::from(saved));
            Event::StorageLoaded { user: String::from(user), saved }
        }
        tell::OPENED => Event::TransportOpened { transport: number },
        tell::RECEIVED => Event::TransportReceived { transport: number, text },
        tell::WOKE => Event::Woke,
        tell::REST_THERE => Event::RestLoaded,
        _ => return None,
    })
}

/// The text before and after the first line break.
pub(crate) fn halves(text: &str) -> Option<(&str, &str)> {
    let place = text.bytes().position(|byte| byte == b'\n')?;
    Some((text.get(..place)?, text.get(place + 1..)?))
}

pub(crate) fn filter(show: u32, kinds: &str) -> Filter {
    let show = match show {
        0 => Show::Inbox,
        1 => Show::Unread,
        2 => Show::Archived,
        _ => Show::All,
    };
    Filter { show, kinds: Kinds::of_lines(kinds) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(what: u8, number: u64, other: u32, text: &str) -> Event {
        event(what, number, other, text.to_owned()).unwrap()
    }

    #[test]
    fn transports_come_in_their_order() {
        use TransportKind::{Poll, Sse, Ws};
        assert_eq!(kinds(0b11_10_01_00), [Ws, Sse, Poll]);
        assert_eq!(kinds(0b10_00_00_10), [Poll, Ws]);
        assert_eq!(kinds(0b01_00_00_01), [Sse]);
    }

    #[test]
    fn a_user_is_named_nobody_or_left_to_the_ticket() {
        assert_eq!(told(tell::USER, 0, 0, "u1"), Event::UserChanged(User::Named("u1".into())));
        assert_eq!(told(tell::USER, 1, 0, ""), Event::UserChanged(User::Nobody));
        assert_eq!(told(tell::USER, 0, 0, ""), Event::UserChanged(User::Unknown));
    }

    #[test]
    fn a_cache_comes_with_its_user_and_may_hold_line_breaks() {
        let loaded = |saved: Option<&str>| Event::StorageLoaded {
            user: "u1".into(),
            saved: saved.map(str::to_owned),
        };
        assert_eq!(told(tell::LOADED, 0, 0, "u1\n{\n}"), loaded(Some("{\n}")));
        assert_eq!(told(tell::LOADED, 0, 0, "u1\n"), loaded(None));
    }
}
