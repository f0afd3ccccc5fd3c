//! What loads later; see `tidings_client_core`'s module of the same name, by which the build cuts here as well.
//!
//! The functions want a [`Rest`], which only a client has whose code is all there.

use std::mem::{self, ManuallyDrop};

use tidings_client_core::{
    Client, Command, Config, Event, Filter, MarkTargets, Now, Readable, Rest,
};
use tidings_protocol::{Decode, Encode, MarkSet};

use crate::{
    core::filter,
    driver::Driver,
    json::{self, Items},
    words::{mark, read, say, tell},
};

/// What a call means that the first part does not know.
#[inline(never)]
pub(crate) fn event(_: Rest, what: u8, number: u64, other: u32, text: String) -> Option<Event> {
    Some(match what {
        tell::DISCONNECT => Event::DisconnectRequested,
        tell::RETRY => Event::RetryRequested,
        tell::CLOSE => Event::CloseRequested,
        tell::SIGN_OUT => Event::SignOutRequested { discard: number != 0 },
        tell::MARK => Event::MarkRequested {
            intent: number,
            targets: if text.is_empty() {
                MarkTargets::All
            } else {
                MarkTargets::Items(Vec::from_json(&text).unwrap_or_default())
            },
            set: mark_set(other),
        },
        tell::MORE => Event::MoreRequested { filter: filter(other, &text), intent: number },
        tell::RETRY_FAILED => Event::FailedRetried { id: number, intent: other.into() },
        tell::DISCARD_FAILED => Event::FailedDiscarded { id: number },
        tell::STORAGE_FAILED => Event::StorageFailed { reason: text },
        tell::CLOSED => {
            Event::TransportClosed { transport: number, code: other as u16, reason: text }
        }
        tell::ONLINE => Event::WentOnline,
        tell::OFFLINE => Event::WentOffline,
        tell::HIDDEN => Event::Hidden,
        _ => return None,
    })
}

/// Does what the first part never asks for.
#[inline(never)]
pub(crate) fn execute(_: Rest, driver: &Driver, command: Command) {
    let (what, number, text) = match command {
        Command::CloseTransport { transport, code } => return driver.close_socket(transport, code),
        Command::AbortCredential { attempt } => (say::ABORT, attempt, String::new()),
        Command::Save { user, cursors, over, text } => {
            (say::SAVE, 0, json::cache(&user, &cursors, &over, &text))
        }
        Command::Wipe { user } => (say::WIPE, 0, user),
        Command::Changed(Readable::Outbox) => (say::CHANGED, read::OUTBOX.into(), String::new()),
        Command::Arrived(item) => (say::ARRIVED, 0, driver.entry(&item)),
        Command::Gap { channel, from, to, why } => {
            (say::GAP, 0, json::gap(&channel, from, to, why))
        }
        Command::Failed(intent) => (say::FAILED, 0, json::failed(&intent)),
        Command::Report(error) => (say::ERROR, 0, json::error(&error)),
        Command::Settled { intent, result: Ok(stored) } => {
            (say::DONE, intent, stored.as_ref().map_or_else(String::new, json::stored))
        }
        Command::Settled { intent, result: Err(error) } => {
            (say::REFUSED, intent, json::error(&error))
        }
        Command::SignedOut { discarded } => (say::SIGNED_OUT, discarded.into(), String::new()),
        // The driver did these itself.
        _ => return,
    };
    driver.say(what, number, &text);
}

/// What the first part has nothing to say of; see [`words::read`](read).
#[inline(never)]
pub(crate) fn read(_: Rest, what: u8, client: &Client, now: Now) -> String {
    match what {
        read::OUTBOX => json::outbox(client.outbox()),
        read::TIME => client.server_time(now).to_json(),
        _ => client.explain(now),
    }
}

/// The connection with what went wrong, as JSON.
#[inline(never)]
pub(crate) fn connection(_: Rest, client: &Client) -> String {
    let connection = client.connection();
    json::connection(connection, connection.error.as_ref().map(json::error).as_deref())
}

/// A view with what left the inbox and how its loads are, as JSON.
#[inline(never)]
pub(crate) fn inbox(_: Rest, client: &Client, items: &mut Items, filter: &Filter) -> String {
    let all = client.items();
    let gone = if items.len() > all.len() { items.forget_all_but(all) } else { Vec::new() };
    let (loading, error) = client.loads(filter);
    items.view(client, filter, &gone, loading, error.as_ref().map(json::error).as_deref())
}

/// Frees what a client holds.
#[inline(never)]
pub(crate) fn discard(_: Rest, client: &mut ManuallyDrop<Client>) {
    let empty = Client::new(Config::new(0, String::new(), String::new()));
    drop(ManuallyDrop::into_inner(mem::replace(client, ManuallyDrop::new(empty))));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(what: u8, number: u64, other: u32, text: &str) -> Option<Event> {
        let client = Client::new(Config::new(1, "page".into(), "lane".into()));
        event(client.rest().unwrap(), what, number, other, text.to_owned())
    }

    #[test]
    fn a_mark_covers_the_items_it_names_or_all() {
        let targets = |text| match told(tell::MARK, 3, mark::READ.into(), text) {
            Some(Event::MarkRequested { intent: 3, targets, .. }) => targets,
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
    fn an_unknown_number_is_no_event() {
        assert_eq!(told(tell::HIDDEN + 1, 0, 0, ""), None);
    }
}
