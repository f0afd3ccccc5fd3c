//! The deferred part; see `tidings_client_core`'s module of the same name, at which the build
//! splits here as well.
//!
//! Its functions take a [`Rest`], which a client has only when all of its code is loaded.

use std::{
    mem::{self, ManuallyDrop},
    sync::Arc,
};

use tidings_client_core::{
    Client, Command, Config, Event, Filter, Lane, MarkTargets, MessageView, Now, Readable, Rest,
    written,
};
use tidings_protocol::{Channel, Decode, Encode, Json, MarkSet};

use crate::{
    core::{filter, halves},
    driver::Driver,
    json::{self, Items},
    words::{mark, read, say, tell},
};

/// The event of a call that the first part does not know.
#[inline(never)]
pub(crate) fn event(_: Rest, what: u8, number: u64, other: u32, text: String) -> Option<Event> {
    Some(match what {
        tell::DISCONNECT => Event::DisconnectRequested,
        tell::RETRY => Event::RetryRequested,
        tell::CLOSE => Event::CloseRequested,
        tell::SIGN_OUT => Event::SignOutRequested { discard: number != 0 },
        tell::MARK => match targets(&text) {
            Some(targets) => Event::MarkRequested { intent: number, targets, set: mark_set(other) },
            None => unreadable(number, &text),
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
        tell::FOLLOW => Event::ChannelWanted { channel: Channel::parse(&text).ok()? },
        tell::UNFOLLOW => Event::ChannelUnwanted { channel: Channel::parse(&text).ok()? },
        tell::PUBLISH => match message(&text) {
            Some((channel, data)) => Event::PublishRequested { intent: number, channel, data },
            None => unreadable(number, &text),
        },
        tell::OLDER => match Channel::parse(&text) {
            Ok(channel) => Event::OlderRequested { channel, intent: number },
            Err(_) => unreadable(number, &text),
        },
        tell::KEPT => Event::Kept { number },
        tell::LANES => lanes(&text)?,
        tell::LANES_FAILED => Event::LanesFailed { reason: text },
        tell::ANSWERED => Event::RequestAnswered {
            request: number,
            status: other as u16,
            retry_after_ms: text.parse().ok(),
        },
        tell::PIECE => Event::RequestReceived { request: number, text },
        tell::ENDED => {
            Event::RequestEnded { request: number, reason: (!text.is_empty()).then_some(text) }
        }
        tell::SIGNED_OUT_ELSEWHERE => Event::SignedOutElsewhere { user: text },
        _ => return None,
    })
}

/// The items that a mark covers.
fn targets(text: &str) -> Option<MarkTargets> {
    Some(match text {
        "" => MarkTargets::All,
        "*" => MarkTargets::Everything,
        ids => MarkTargets::Items(Vec::from_json(ids).ok()?),
    })
}

/// A channel and a message for it.
fn message(text: &str) -> Option<(Channel, Json)> {
    let (channel, data) = halves(text)?;
    Some((Channel::parse(channel).ok()?, Json::from_json(data).ok()?))
}

/// The intent of an unreadable text ends with an error, which names the text.
fn unreadable(intent: u64, text: &str) -> Event {
    let shown: String = text.chars().take(100).collect();
    Event::IntentUnreadable { intent, reason: ["this can't be read: ", &shown].concat() }
}

/// The row of an intent that the page stored before its core was loaded: `~` and the number of the
/// call, the other number, the time and the text, each on a line. An unknown one becomes a row that
/// can't be read.
fn written_down(row: String) -> String {
    let Some(told) = row.strip_prefix('~') else { return row };
    let read = || {
        let mut lines = told.splitn(4, '\n');
        let (what, other) = (lines.next()?.parse::<u8>().ok()?, lines.next()?.parse().ok()?);
        let (at, text) = (lines.next()?.parse().ok()?, lines.next()?);
        match what {
            tell::MARK => Some(written::mark(at, &targets(text)?, mark_set(other))),
            tell::PUBLISH => {
                let (channel, data) = message(text)?;
                Some(written::message(at, channel, data))
            }
            _ => None,
        }
    };
    read().unwrap_or_else(|| String::from("1"))
}

/// Executes the commands that the first part never gives.
#[inline(never)]
pub(crate) fn execute(_: Rest, driver: &Driver, command: Command) {
    let (what, number, text) = match command {
        Command::CloseTransport { transport, code } => return driver.close_socket(transport, code),
        Command::AbortCredential { attempt } => (say::ABORT, attempt, String::new()),
        Command::Save { user, cursors, over, text } => {
            (say::SAVE, 0, json::cache(&user, &cursors, &over, &text))
        }
        Command::Wipe { user, all } => (say::WIPE, all.into(), user),
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
        Command::ChannelChanged(channel) => {
            (say::CHANGED, read::CHANNEL.into(), String::from(channel.as_str()))
        }
        Command::Message { channel, message } => {
            (say::MESSAGE, 0, json::arrived(&channel, &message))
        }
        Command::Keep { user, number, changes } => (say::KEEP, number, json::keep(&user, &changes)),
        Command::Claim { user } => (say::CLAIM, 0, user),
        Command::Release { lane } => (say::RELEASE, 0, lane),
        Command::Request { request, path, bearer, body } => (
            say::REQUEST,
            request,
            [&*path, bearer.as_deref().unwrap_or_default(), &*body].join("\n"),
        ),
        Command::AbortRequest { request } => (say::ABORT_REQUEST, request, String::new()),
        Command::SignedOut { discarded } => (say::SIGNED_OUT, discarded.into(), String::new()),
        // The driver executes these itself.
        _ => return,
    };
    driver.say(what, number, &text);
}

/// The snapshots that the first part does not have; see [`words::read`](read).
#[inline(never)]
pub(crate) fn read(
    _: Rest,
    client: &Client,
    what: u8,
    whole: bool,
    name: &str,
    now: Now,
    seen: &mut Vec<Seen>,
) -> String {
    match what {
        read::OUTBOX => json::outbox(client.outbox()),
        read::TIME => client.server_time(now).to_json(),
        read::CHANNEL => channel(client, name, whole, seen),
        _ => client.explain(now),
    }
}

/// The messages of one channel, as TypeScript last read them: each crosses the border once.
pub(crate) struct Seen {
    channel: Channel,
    messages: Arc<[Arc<MessageView>]>,
}

/// A channel, as JSON; `whole`: the reader knows none of its messages.
fn channel(client: &Client, name: &str, whole: bool, seen: &mut Vec<Seen>) -> String {
    let Ok(channel) = Channel::parse(name) else { return String::new() };
    let view = client.channel(&channel);
    let place = seen.iter().position(|seen| seen.channel == channel);
    let known = place.map(|place| seen.swap_remove(place).messages);
    let known = known.filter(|_| !whole).unwrap_or_default();
    if !view.messages.is_empty() {
        seen.push(Seen { channel, messages: view.messages.clone() });
    }
    json::channel(&view, &known)
}

/// The lanes of ended pages, from a flat list.
fn lanes(text: &str) -> Option<Event> {
    let mut words = Vec::<String>::from_json(text).ok()?.into_iter();
    let user = words.next()?;
    let mut lanes: Vec<Lane> = Vec::new();
    while let (Some(name), Some(seq), Some(text)) = (words.next(), words.next(), words.next()) {
        let row = (seq.parse().ok()?, written_down(text));
        match lanes.last_mut() {
            Some(lane) if lane.name == name => lane.rows.push(row),
            _ => lanes.push(Lane { name, rows: vec![row] }),
        }
    }
    Some(Event::LanesClaimed { user, lanes: lanes.into() })
}

/// The connection with its error, as JSON.
#[inline(never)]
pub(crate) fn connection(_: Rest, client: &Client) -> String {
    let connection = client.connection();
    json::connection(connection, connection.error.as_ref().map(json::error).as_deref())
}

/// A view with the items that left the inbox and the state of its loads, as JSON.
#[inline(never)]
pub(crate) fn inbox(_: Rest, client: &Client, items: &mut Items, filter: &Filter) -> String {
    let all = client.items();
    let gone = if items.len() > all.len() { items.forget_all_but(all) } else { Vec::new() };
    let (loading, error) = client.loads(filter);
    items.view(client, filter, &gone, loading, error.as_ref().map(json::error).as_deref())
}

/// Frees the client, the messages that were read, and the events that it has not handled.
#[inline(never)]
pub(crate) fn discard(
    _: Rest,
    client: &mut ManuallyDrop<Client>,
    seen: &mut Vec<Seen>,
    queue: &mut Vec<Event>,
) {
    drop((mem::take(seen), mem::take(queue)));
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
        assert_eq!(targets("*"), MarkTargets::Everything);
    }

    #[test]
    fn a_mark_sets_one_thing_and_leaves_the_others() {
        let archived = MarkSet { seen: None, read: None, archived: Some(true) };
        assert_eq!(mark_set(mark::ARCHIVED.into()), archived);
        assert_eq!(mark_set(mark::UNARCHIVED.into()).archived, Some(false));
        assert_eq!(mark_set(mark::UNREAD.into()).read, Some(false));
    }

    #[test]
    fn a_message_is_its_channel_and_its_payload() {
        let Some(Event::PublishRequested { intent: 3, channel, data }) =
            told(tell::PUBLISH, 3, 0, "room:a b\n{\"text\":\"a\\nb\"}")
        else {
            panic!()
        };
        assert_eq!((channel.as_str(), data.as_str()), ("room:a b", r#"{"text":"a\nb"}"#));
    }

    #[test]
    fn an_intent_that_cannot_be_read_is_answered_and_names_its_text() {
        for (what, text) in [
            (tell::PUBLISH, "room:1\n{"),
            (tell::PUBLISH, r#"room:1{"text":"no line"}"#),
            (tell::PUBLISH, "room\n1"),
            (tell::PUBLISH, "room:1\n{\"text\":\"\\ud83d\"}"),
            (tell::MARK, r#"["\ud83d"]"#),
            (tell::MARK, "n1"),
            (tell::OLDER, "room"),
        ] {
            let Some(Event::IntentUnreadable { intent: 3, reason }) = told(what, 3, 0, text) else {
                panic!("{what} {text}")
            };
            assert!(reason.contains(text), "{reason}");
        }
    }

    #[test]
    fn what_a_page_wrote_down_while_it_loaded_is_a_row() {
        let list = r#"["u1","a","1","~12\n1\n170\n[\"n1\"]","a","2","~23\n0\n171\nroom:1\n{\"a\":1}","a","3","~9\n","a","4","1170\nx"]"#;
        let Some(Event::LanesClaimed { lanes, .. }) = told(tell::LANES, 0, 0, list) else {
            panic!()
        };
        let texts: Vec<_> = lanes[0].rows.iter().map(|(_, text)| &**text).collect();
        assert_eq!(
            texts,
            [
                "1170\n{\"type\":\"wish\",\"ids\":[\"n1\"],\"set\":{\"read\":true}}",
                "1171\n{\"type\":\"publish\",\"channel\":\"room:1\",\"data\":{\"a\":1}}",
                "1",
                "1170\nx",
            ]
        );
    }

    #[test]
    fn rows_come_by_lane() {
        let list = r#"["u1","a-1","1","x","a-1","3","y","b-1","1","z"]"#;
        let Some(Event::LanesClaimed { user, lanes }) = told(tell::LANES, 0, 0, list) else {
            panic!()
        };
        assert_eq!((&*user, lanes.len()), ("u1", 2));
        assert_eq!(lanes[0].rows, [(1, "x".into()), (3, "y".into())]);
    }

    #[test]
    fn an_answer_is_its_status_its_pieces_and_its_end() {
        let answered = |retry_after_ms| {
            Some(Event::RequestAnswered { request: 7, status: 429, retry_after_ms })
        };
        assert_eq!(told(tell::ANSWERED, 7, 429, "1500"), answered(Some(1_500)));
        assert_eq!(told(tell::ANSWERED, 7, 429, ""), answered(None));
        let piece = Event::RequestReceived { request: 7, text: "a\nb".into() };
        assert_eq!(told(tell::PIECE, 7, 0, "a\nb"), Some(piece));
        let ended = |reason| Some(Event::RequestEnded { request: 7, reason });
        assert_eq!(told(tell::ENDED, 7, 0, ""), ended(None));
        assert_eq!(told(tell::ENDED, 7, 0, "cut"), ended(Some("cut".into())));
    }

    #[test]
    fn an_unknown_number_is_no_event() {
        assert_eq!(told(tell::SIGNED_OUT_ELSEWHERE + 1, 0, 0, ""), None);
    }
}
