//! What TypeScript calls.

use std::rc::Rc;

use tidings_client_core::{
    Backoff, Client, Config, Credential, Event, Filter, MarkTargets, Now, Show, User,
};
use tidings_protocol::{Decode, Encode, MarkSet};
use wasm_bindgen::prelude::*;

use crate::{
    Host,
    driver::Driver,
    json,
    words::{mark, read, tell},
};

/// One client. Numbers of intents are the caller's, unique for the client's life; answers come to the [`Host`].
#[wasm_bindgen]
pub struct Core {
    driver: Rc<Driver>,
}

#[wasm_bindgen]
impl Core {
    /// A client that has done nothing yet.
    ///
    /// `seed` is a random integer below 2^53, `instance` names the client, `client_id` its outbox lanes. Backoff and
    /// heartbeat are in milliseconds, `max_attempts` 0 stands for no limit, `keep` counts items, and `storage` says
    /// whether caches are wanted.
    #[wasm_bindgen(constructor)]
    #[expect(
        clippy::too_many_arguments,
        reason = "an object would cost a glue function per option"
    )]
    pub fn new(
        host: Host,
        seed: f64,
        instance: String,
        client_id: String,
        base: f64,
        cap: f64,
        max_attempts: u32,
        heartbeat: f64,
        keep: u32,
        storage: bool,
    ) -> Self {
        let mut config = Config::new(seed as u64, instance, client_id);
        // The package has the workspace's version; a test of it compares.
        config.library = (String::from("tidings-js"), String::from(env!("CARGO_PKG_VERSION")));
        config.backoff = Backoff {
            base: base as u64,
            cap: cap as u64,
            max_attempts: (max_attempts > 0).then_some(max_attempts),
        };
        config.heartbeat = heartbeat as u64;
        config.keep = keep;
        config.storage = storage;
        Self { driver: Driver::new(host, Client::new(config)) }
    }

    /// Handles what is in the queue. For the host's `turn` alone.
    pub fn run(&self, mono: f64, wall: f64) {
        self.driver.run(clocks(mono, wall));
    }

    /// Something happened: `what` is one of [`words::tell`](tell), which says what goes with it.
    pub fn tell(&self, what: u8, number: f64, other: f64, text: String) {
        if let Some(event) = event(what, number as u64, other as u32, text) {
            self.driver.push(event);
        }
        if what == tell::CLOSE {
            self.driver.close();
        }
    }

    /// What is so: `what` is one of [`words::read`](read). `show` (0 inbox, 1 unread, 2 archived, 3 all) and `kinds` (a
    /// JSON list of types, empty for all) choose a view of the inbox.
    pub fn read(&self, what: u8, show: u8, kinds: &str, mono: f64, wall: f64) -> String {
        let driver = &*self.driver;
        let now = clocks(mono, wall);
        match what {
            read::CONNECTION => json::connection(driver.client().connection()),
            read::INBOX => driver.inbox(&filter(show.into(), kinds)),
            read::OUTBOX => json::outbox(driver.client().outbox()),
            read::TIME => driver.client().server_time(now).to_json(),
            _ => driver.client().explain(now),
        }
    }
}

/// Both clocks, in milliseconds.
fn clocks(mono: f64, wall: f64) -> Now {
    Now { mono: mono as u64, wall: wall as u64 }
}

/// What a call means. A number that means nothing is no event.
fn event(what: u8, number: u64, other: u32, text: String) -> Option<Event> {
    Some(match what {
        tell::CONNECT => Event::ConnectRequested,
        tell::DISCONNECT => Event::DisconnectRequested,
        tell::RETRY => Event::RetryRequested,
        tell::CLOSE => Event::CloseRequested,
        tell::USER => Event::UserChanged(match number {
            _ if !text.is_empty() => User::Named(text),
            0 => User::Unknown,
            _ => User::Nobody,
        }),
        tell::SIGN_OUT => Event::SignOutRequested { discard: number != 0 },
        tell::MARK => Event::MarkRequested {
            intent: number,
            targets: if text.is_empty() {
                MarkTargets::All
            } else {
                MarkTargets::Items(strings(&text))
            },
            set: mark_set(other),
        },
        tell::MORE => Event::MoreRequested { filter: filter(other, &text), intent: number },
        tell::RETRY_FAILED => Event::FailedRetried { id: number, intent: other.into() },
        tell::DISCARD_FAILED => Event::FailedDiscarded { id: number },
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
            // User ids have no control characters.
            let (user, saved) = text.split_once('\n')?;
            let saved = (!saved.is_empty()).then(|| String::from(saved));
            Event::StorageLoaded { user: String::from(user), saved }
        }
        tell::STORAGE_FAILED => Event::StorageFailed { reason: text },
        tell::OPENED => Event::TransportOpened { transport: number },
        tell::RECEIVED => Event::TransportReceived { transport: number, text },
        tell::CLOSED => {
            Event::TransportClosed { transport: number, code: other as u16, reason: text }
        }
        tell::ONLINE => Event::WentOnline,
        tell::OFFLINE => Event::WentOffline,
        tell::HIDDEN => Event::Hidden,
        tell::WOKE => Event::Woke,
        _ => return None,
    })
}

fn mark_set(what: u32) -> MarkSet {
    let (mut seen, mut read, mut archived) = (None, None, None);
    match what as u8 {
        mark::SEEN => seen = Some(true),
        mark::READ => read = Some(true),
        mark::UNREAD => read = Some(false),
        mark::ARCHIVED => archived = Some(true),
        _ => archived = Some(false),
    }
    MarkSet { seen, read, archived }
}

fn filter(show: u32, kinds: &str) -> Filter {
    let show = match show {
        0 => Show::Inbox,
        1 => Show::Unread,
        2 => Show::Archived,
        _ => Show::All,
    };
    Filter { show, kinds: strings(kinds) }
}

/// TypeScript wrote the list; what it can't write is no list.
fn strings(list: &str) -> Vec<String> {
    Vec::from_json(list).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(what: u8, number: u64, other: u32, text: &str) -> Event {
        event(what, number, other, text.to_owned()).unwrap()
    }

    #[test]
    fn a_user_is_named_nobody_or_left_to_the_ticket() {
        assert_eq!(told(tell::USER, 0, 0, "u1"), Event::UserChanged(User::Named("u1".into())));
        assert_eq!(told(tell::USER, 1, 0, ""), Event::UserChanged(User::Nobody));
        assert_eq!(told(tell::USER, 0, 0, ""), Event::UserChanged(User::Unknown));
    }

    #[test]
    fn a_mark_covers_the_items_it_names_or_all() {
        let targets = |text| match told(tell::MARK, 3, mark::READ.into(), text) {
            Event::MarkRequested { intent: 3, targets, .. } => targets,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            targets(r#"["n1","n\n2"]"#),
            MarkTargets::Items(vec!["n1".into(), "n\n2".into()])
        );
        assert_eq!(targets("[]"), MarkTargets::Items(Vec::new()), "none is not all");
        assert_eq!(targets(""), MarkTargets::All);
    }

    #[test]
    fn a_mark_sets_one_thing_and_leaves_the_others() {
        let archived = MarkSet { seen: None, read: None, archived: Some(true) };
        assert_eq!(mark_set(mark::ARCHIVED.into()), archived);
        assert_eq!(mark_set(mark::UNARCHIVED.into()).archived, Some(false));
        assert_eq!(mark_set(mark::UNREAD.into()).read, Some(false));
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

    #[test]
    fn an_unknown_number_is_no_event() {
        assert_eq!(event(tell::WOKE + 1, 0, 0, String::new()), None);
    }
}
