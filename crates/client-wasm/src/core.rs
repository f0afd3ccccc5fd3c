//! What TypeScript calls: one function for everything that happens, one for everything that can be read. Each exported
//! function costs a page glue on both sides; `npm/src/calls.ts` gives these two their many names.

use std::rc::Rc;

use tidings_client_core::{
    Backoff, Client, Config, Credential, Event, Filter, MarkTargets, Show, User,
};
use tidings_protocol::{Decode, Encode, MarkSet};
use wasm_bindgen::prelude::*;

use crate::{
    Host, Options,
    driver::{Driver, now},
    json,
};

/// `close()`, which ends the driver too.
const CLOSE: u8 = 3;

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

    /// Something happened; what the arguments mean is in the table in this file's `event`. Absent numbers count as 0.
    pub fn push(
        &self,
        call: u8,
        number: f64,
        detail: f64,
        text: Option<String>,
        more: Option<String>,
    ) {
        let event = event(call, number as u64, detail as u64, text, more);
        self.driver.push(event);
        if call == CLOSE {
            self.driver.close();
        }
    }

    /// Reads, as JSON: 0 the connection, 1 a view of the inbox (`json.rs` says of what shape), 2 the outbox. As text: 3 why
    /// it is not connected, 4 server time in milliseconds since 1970, empty until known.
    pub fn read(&self, what: u8, show: u8, kinds: Option<String>) -> String {
        let driver = &self.driver;
        match what {
            0 => driver.read(|client| json::connection(client.connection())),
            1 => driver.inbox(&filter(u64::from(show), kinds)),
            2 => driver.read(|client| json::outbox(client.outbox())),
            3 => driver.read(|client| client.explain(now())),
            _ => driver
                .read(|client| client.server_time(now()))
                .map_or(String::new(), |time| time.to_json()),
        }
    }
}

/// | call | `number` | `detail` | `text` | `more` |
/// |---|---|---|---|---|
/// | 0 `connect`, 1 `disconnect`, 2 `retryNow`, 3 `close` | | | | |
/// | 4 `setUser` | | 1: nobody | the user; absent: whoever the ticket names | |
/// | 5 `signOut`, ends with `Host.signedOut` | 1: discard what is unsent | | | |
/// | 6 mark | intent | seen, read and archived, two bits each: 0 as it is, 1 false, 2 true | JSON list of ids; absent: all | |
/// | 7 `loadMore` | intent | which items | JSON list of types; absent: all | |
/// | 8 `outbox.retry` | intent | id | | |
/// | 9 `outbox.discard` | | id | | |
/// | 10 answers `Host.ticket` | attempt | 0 a ticket, 1 a JWT, 2 signed out, 3 a failure in words | it | |
/// | 11 answers `Host.load` | | | user | what was saved |
/// | 12 storage failed | | | why | |
fn event(call: u8, number: u64, detail: u64, text: Option<String>, more: Option<String>) -> Event {
    match call {
        0 => Event::ConnectRequested,
        1 => Event::DisconnectRequested,
        2 => Event::RetryRequested,
        CLOSE => Event::CloseRequested,
        4 => Event::UserChanged(match text {
            Some(user) => User::Named(user),
            None if detail == 1 => User::Nobody,
            None => User::Unknown,
        }),
        5 => Event::SignOutRequested { discard: number == 1 },
        6 => {
            let set = MarkSet {
                seen: state(detail),
                read: state(detail >> 2),
                archived: state(detail >> 4),
            };
            let targets = text.map_or(MarkTargets::All, |ids| MarkTargets::Items(strings(&ids)));
            Event::MarkRequested { intent: number, targets, set }
        }
        7 => Event::MoreRequested { filter: filter(detail, text), intent: number },
        8 => Event::FailedRetried { id: detail, intent: number },
        9 => Event::FailedDiscarded { id: detail },
        10 => {
            let text = text.unwrap_or_default();
            let result = match detail {
                0 => Ok(Credential::Ticket(text)),
                1 => Ok(Credential::Token(text)),
                2 => Ok(Credential::SignedOut),
                _ => Err(text),
            };
            Event::CredentialFetched { attempt: number, result }
        }
        11 => Event::StorageLoaded { user: text.unwrap_or_default(), saved: more },
        _ => Event::StorageFailed { reason: text.unwrap_or_default() },
    }
}

fn state(bits: u64) -> Option<bool> {
    match bits & 3 {
        0 => None,
        bits => Some(bits == 2),
    }
}

fn filter(show: u64, kinds: Option<String>) -> Filter {
    let show = match show {
        0 => Show::Inbox,
        1 => Show::Unread,
        2 => Show::Archived,
        _ => Show::All,
    };
    Filter { show, kinds: kinds.map_or(Vec::new(), |kinds| strings(&kinds)) }
}

/// Lists are written by `JSON.stringify`, so they can be read.
fn strings(list: &str) -> Vec<String> {
    Vec::from_json(list).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_of_each_state_whether_it_is_set_and_how() {
        let marked = event(6, 7, 0b10_01_00, Some(String::from(r#"["a\nb","c"]"#)), None);
        let set = MarkSet { seen: None, read: Some(false), archived: Some(true) };
        let targets = MarkTargets::Items(vec![String::from("a\nb"), String::from("c")]);
        assert_eq!(marked, Event::MarkRequested { intent: 7, targets, set });
        let all = event(6, 8, 2, None, None);
        let set = MarkSet { seen: Some(true), ..MarkSet::default() };
        assert_eq!(all, Event::MarkRequested { intent: 8, targets: MarkTargets::All, set });
    }

    #[test]
    fn a_user_is_named_nobody_or_whoever_the_ticket_names() {
        let user = |detail, text: Option<&str>| event(4, 0, detail, text.map(String::from), None);
        assert_eq!(user(0, Some("u1")), Event::UserChanged(User::Named(String::from("u1"))));
        assert_eq!(user(1, None), Event::UserChanged(User::Nobody));
        assert_eq!(user(0, None), Event::UserChanged(User::Unknown));
    }
}
