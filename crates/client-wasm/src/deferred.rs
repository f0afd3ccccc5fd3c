//! The deferred part; see `tidings_client_core`'s module of the same name, at which the build
//! splits here as well.
//!
//! Its functions take a [`DeferredLoaded`], which a client has only when all of its code is loaded.

use std::{
    mem::{self, ManuallyDrop},
    sync::Arc,
};

use tidings_client_core::{
    Client, Command, Config, DeferredLoaded, Event, Filter, Lane, MessageView, Now, Readable,
    written,
};
use tidings_protocol::{Channel, Encode};

use crate::{
    driver::Driver,
    json::{self, Items},
    ops::{self, Fields, JsonText, RawChannel, RawConnection, RawInbox, RawOutbox, RawTime},
};

/// The event of an operation that the first part does not know.
#[inline(never)]
pub(crate) fn event(
    _: DeferredLoaded,
    op: u8,
    fields: Fields<'_>,
    driver: &Driver,
) -> Option<Event> {
    let event = if op & ops::INTENT == 0 {
        ops::deferred_event(op, fields)
    } else {
        Some(intent(op, fields))
    };
    if op == ops::TRANSPORT_CLOSED && event.is_some() {
        driver.let_go();
    }
    event
}

/// The intent of unreadable fields ends with an error, which names them.
fn intent(op: u8, mut fields: Fields<'_>) -> Event {
    let intent = fields.number();
    let shown: String = fields.left().chars().take(100).collect();
    ops::intent_event(op, fields, intent).unwrap_or_else(|| Event::IntentUnreadable {
        intent,
        reason: ["this can't be read: ", &shown].concat(),
    })
}

/// The row of an intent that the page stored before its core was loaded: `~` and the number of the
/// operation, the time, and the operation's fields, each on a line. An unknown one becomes a row that
/// can't be read.
fn written_down(row: String) -> String {
    let Some(told) = row.strip_prefix('~') else { return row };
    let read = || {
        let mut lines = told.splitn(4, '\n');
        let (op, at) = (lines.next()?.parse().ok()?, lines.next()?.parse().ok()?);
        let (intent, texts) = (lines.next()?.parse().ok()?, lines.next()?);
        let fields = Fields::new(texts, [0.0; 2], None);
        match ops::intent_event(op, fields, intent)? {
            Event::MarkRequested { targets, set, .. } => Some(written::mark(at, &targets, set)),
            Event::PublishRequested { channel, data, .. } => {
                Some(written::message(at, channel, data))
            }
            _ => None,
        }
    };
    read().unwrap_or_else(|| String::from("1"))
}

/// Executes the commands that the first part never gives.
#[inline(never)]
pub(crate) fn execute(_: DeferredLoaded, driver: &Driver, command: Command) {
    let op = match command {
        Command::CloseTransport { transport, code } => return driver.close_socket(transport, code),
        Command::AbortCredential { attempt } => ops::ABORT_CREDENTIAL.with(attempt, ()),
        Command::Save { user, cursors, over, text } => {
            ops::SAVE_CACHE.with(0, json::cache(&user, &cursors, &over, &text))
        }
        Command::Wipe { user, all } => ops::WIPE.with(all.into(), user),
        Command::Changed(Readable::Outbox) => {
            ops::CHANGED.with(ops::READ_OUTBOX.into(), String::new())
        }
        Command::Arrived(item) => ops::ARRIVED.with(0, driver.entry(&item)),
        Command::Gap { channel, from, to, why } => {
            ops::GAP.with(0, json::gap(&channel, from, to, why))
        }
        Command::Failed(intent) => ops::INTENT_FAILED.with(0, json::failed(&intent)),
        Command::Report(error) => ops::ERROR.with(0, json::error(&error)),
        Command::Settled { intent, result: Ok(stored) } => {
            ops::INTENT_DONE.with(intent, stored.as_ref().map(json::stored))
        }
        Command::Settled { intent, result: Err(error) } => {
            ops::INTENT_REFUSED.with(intent, json::error(&error))
        }
        Command::ChannelChanged(channel) => {
            ops::CHANGED.with(ops::READ_CHANNEL.into(), String::from(channel.as_str()))
        }
        Command::Message { channel, message } => {
            ops::MESSAGE.with(0, json::arrived(&channel, &message))
        }
        Command::Persist { user, number, changes } => {
            ops::PERSIST_OUTBOX.with(number, json::changes(&user, &changes))
        }
        Command::Claim { user } => ops::CLAIM_LANES.with(0, user),
        Command::Release { lane } => ops::RELEASE_LANE.with(0, lane),
        Command::Request { request, path, bearer, body } => {
            ops::REQUEST.with(request, json::request(&path, &bearer, &body))
        }
        Command::AbortRequest { request } => ops::ABORT_REQUEST.with(request, ()),
        Command::SignedOut { discarded } => ops::SIGNED_OUT.with(discarded.into(), ()),
        // The driver executes these itself.
        _ => return,
    };
    driver.say(&op);
}

/// The snapshots that the first part does not have.
#[inline(never)]
pub(crate) fn read(
    _: DeferredLoaded,
    op: u8,
    fields: Fields<'_>,
    client: &Client,
    now: Now,
    seen: &mut Vec<Seen>,
) -> String {
    ops::deferred_read(op, fields, client, now, seen).unwrap_or_default()
}

/// The outbox.
pub(crate) fn outbox(client: &Client) -> JsonText<RawOutbox> {
    json::outbox(client.outbox())
}

/// The server's time.
pub(crate) fn time(client: &Client, now: Now) -> JsonText<RawTime> {
    JsonText::new(client.server_time(now).to_json())
}

/// The messages of one channel, as TypeScript last read them: each crosses the border once.
pub(crate) struct Seen {
    channel: Channel,
    messages: Arc<[Arc<MessageView>]>,
}

/// A channel; `whole`: the reader knows none of its messages.
pub(crate) fn channel(
    client: &Client,
    channel: Channel,
    whole: bool,
    seen: &mut Vec<Seen>,
) -> JsonText<RawChannel> {
    let view = client.channel(&channel);
    let index = seen.iter().position(|seen| seen.channel == channel);
    let known = index.map(|index| seen.swap_remove(index).messages);
    let known = known.filter(|_| !whole).unwrap_or_default();
    if !view.messages.is_empty() {
        seen.push(Seen { channel, messages: view.messages.clone() });
    }
    json::channel(&view, &known)
}

/// The lanes of ended pages, from their rows.
pub(crate) fn lanes(rows: Vec<Vec<String>>) -> Option<Vec<Lane>> {
    let mut lanes: Vec<Lane> = Vec::new();
    for row in rows {
        let [name, seq, text] = row.try_into().ok()?;
        let row = (seq.parse().ok()?, written_down(text));
        match lanes.last_mut() {
            Some(lane) if lane.name == name => lane.rows.push(row),
            _ => lanes.push(Lane { name, rows: vec![row] }),
        }
    }
    Some(lanes)
}

/// The connection with its error.
#[inline(never)]
pub(crate) fn connection(_: DeferredLoaded, client: &Client) -> JsonText<RawConnection> {
    let connection = client.connection();
    let error = connection.error.as_ref().map(json::error);
    json::connection(connection, error.as_ref().map(JsonText::as_str))
}

/// A view with the items that left the inbox and the state of its loads.
#[inline(never)]
pub(crate) fn inbox(
    _: DeferredLoaded,
    client: &Client,
    items: &mut Items,
    filter: &Filter,
) -> JsonText<RawInbox> {
    let all = client.items();
    let gone = if items.len() > all.len() { items.forget_all_but(all) } else { Vec::new() };
    let (loading, error) = client.loads(filter);
    let error = error.as_ref().map(json::error);
    items.view(client, filter, &gone, loading, error.as_ref().map(JsonText::as_str))
}

/// Frees the client, the messages that were read, and the events that it has not handled.
#[inline(never)]
pub(crate) fn discard(
    _: DeferredLoaded,
    client: &mut ManuallyDrop<Client>,
    seen: &mut Vec<Seen>,
    queue: &mut Vec<Event>,
) {
    drop((mem::take(seen), mem::take(queue)));
    let empty = Client::new(Config::new(0, String::new(), String::new()));
    drop(ManuallyDrop::into_inner(mem::replace(client, ManuallyDrop::new(empty))));
}

#[cfg(test)]
mod tests {
    use tidings_client_core::MarkTargets;
    use tidings_protocol::MarkSet;

    use super::*;
    use crate::host::Host;

    fn told(op: u8, numbers: [f64; 2], texts: &str) -> Option<Event> {
        let driver =
            Driver::new(Host(0), Client::new(Config::new(1, "page".into(), "lane".into())));
        let deferred = driver.client().deferred().unwrap();
        event(deferred, op, Fields::new(texts, numbers, Some(7)), &driver)
    }

    fn intent(op: u8, texts: &str) -> Option<Event> {
        told(op, [3.0, 0.0], texts)
    }

    #[test]
    fn a_mark_covers_the_items_it_names_or_all() {
        let targets = |text: &str| match intent(ops::MARK, &["read\n", text].concat()) {
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
        let set = |mark: &str| match intent(ops::MARK, &[mark, "\n"].concat()) {
            Some(Event::MarkRequested { set, .. }) => set,
            other => panic!("{other:?}"),
        };
        let nothing = MarkSet { seen: None, read: None, archived: None };
        assert_eq!(set("seen"), MarkSet { seen: Some(true), ..nothing });
        assert_eq!(set("read"), MarkSet { read: Some(true), ..nothing });
        assert_eq!(set("unread"), MarkSet { read: Some(false), ..nothing });
        assert_eq!(set("archived"), MarkSet { archived: Some(true), ..nothing });
        for mark in ops::MARKS {
            assert_ne!(set(mark), nothing, "{mark}");
        }
        assert_eq!(set("unarchived"), MarkSet { archived: Some(false), ..nothing });
    }

    #[test]
    fn a_message_is_its_channel_and_its_payload() {
        let Some(Event::PublishRequested { intent: 3, channel, data }) =
            intent(ops::PUBLISH, "room:a b\n{\"text\":\"a\\nb\"}")
        else {
            panic!()
        };
        assert_eq!((channel.as_str(), data.as_str()), ("room:a b", r#"{"text":"a\nb"}"#));
    }

    #[test]
    fn an_intent_that_cannot_be_read_is_answered_and_names_its_text() {
        for (op, text) in [
            (ops::PUBLISH, "room:1\n{"),
            (ops::PUBLISH, r#"room:1{"text":"no line"}"#),
            (ops::PUBLISH, "room\n1"),
            (ops::PUBLISH, "room:1\n{\"text\":\"\\ud83d\"}"),
            (ops::MARK, "read\n[\"\\ud83d\"]"),
            (ops::MARK, "read\nn1"),
            (ops::MARK, "liked\n*"),
            (ops::LOAD_OLDER_MESSAGES, "room"),
        ] {
            let Some(Event::IntentUnreadable { intent: 3, reason }) = intent(op, text) else {
                panic!("{op} {text}")
            };
            assert!(reason.contains(text), "{reason}");
        }
    }

    #[test]
    fn every_intent_is_answered_whatever_its_fields_are() {
        let known = ops::intents().into_iter().map(|op| op.number);
        let unknown = (0..32).map(|number| number | ops::DEFERRED | ops::INTENT);
        for op in known.chain(unknown) {
            for texts in ["", "\n", "\u{0}\n\u{0}", "x\ny\nz"] {
                let Some(event) = intent(op, texts) else { panic!("{op}: {texts:?}") };
                let mut client = Client::new(Config::new(1, "page".into(), "lane".into()));
                let mut commands = Vec::new();
                let now = Now { mono: 1, wall: 1 };
                client.handle(now, Event::CloseRequested, &mut commands);
                client.handle(now, event, &mut commands);
                let answers = commands
                    .iter()
                    .filter(|command| matches!(command, Command::Settled { intent: 3, .. }));
                assert_eq!(answers.count(), 1, "{op}: {texts:?}");
            }
        }
    }

    #[test]
    fn what_a_page_wrote_down_while_it_loaded_is_a_row() {
        let rows = r#"[["a","1","~96\n170\n7\nread\n[\"n1\"]"],["a","2","~97\n171\n8\nroom:1\n{\"a\":1}"],["a","3","~9\n"],["a","4","1170\nx"],["a","5","~98\n170\n9\n0\n"]]"#;
        let Some(Event::LanesClaimed { lanes, .. }) =
            told(ops::LANES_CLAIMED, [0.0; 2], &["u1\n", rows].concat())
        else {
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
                "1",
            ]
        );
    }

    #[test]
    fn rows_come_by_lane() {
        let rows = "u1\n[[\"a-1\",\"1\",\"x\"],[\"a-1\",\"3\",\"y\"],[\"b-1\",\"1\",\"z\"]]";
        let Some(Event::LanesClaimed { user, lanes }) = told(ops::LANES_CLAIMED, [0.0; 2], rows)
        else {
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
        assert_eq!(told(ops::RESPONSE_STARTED, [7.0, 429.0], "1500"), answered(Some(1_500)));
        assert_eq!(told(ops::RESPONSE_STARTED, [7.0, 429.0], ""), answered(None));
        let piece = Event::RequestReceived { request: 7, text: "a\nb".into() };
        assert_eq!(told(ops::RESPONSE_CHUNK, [7.0, 0.0], "a\nb"), Some(piece));
        let ended = |reason| Some(Event::RequestEnded { request: 7, reason });
        assert_eq!(told(ops::RESPONSE_ENDED, [7.0, 0.0], ""), ended(None));
        assert_eq!(told(ops::RESPONSE_ENDED, [7.0, 0.0], "cut"), ended(Some("cut".into())));
    }

    #[test]
    fn an_unknown_number_is_no_event() {
        assert_eq!(told(ops::DEFERRED | 31, [0.0; 2], ""), None);
    }
}
