//! The requests of a client in an open session.

use tidings_protocol::{
    Channel, Channels, ClientMessage, ErrorCode, Item, Retry,
    client::{Cursor, History, Mark, Publish, Refresh, Since, Subscribe, Unsubscribe, Void},
    codec::Envelope,
    rights::Right,
    server::{self, Posted, ServerMessage},
};

use super::{
    Command, Credential, Request, State,
    backlog::{self, Want},
    open::{Duty, Open, Pending},
    subscription::SubscriptionState,
    turn::Turn,
};
use crate::{
    Refused,
    service::{self, Caller, MarkIntent},
    store::{Answer, Head, ItemQuery, Lane, NO_LOG, Op, Query, Record, Write, Written},
};

/// A write in progress, with the data for its answer.
#[derive(Debug)]
pub(super) struct Intent {
    id: Option<u64>,
    lane: Option<Lane>,
    channel: Channel,
    /// `Refusal`: the write only consumes the lane's `seq`, and this refusal is its final answer.
    /// `Void`: the client's own `void`.
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Write,
    Void,
    Refusal(Refused),
}

impl Intent {
    pub(super) fn error(&self, refused: &Refused) -> server::Error {
        server::Error {
            id: self.id,
            client_id: self.lane.as_ref().map(|lane| lane.client_id.clone()),
            seq: self.lane.as_ref().map(|lane| lane.seq),
            channel: Some(self.channel.clone()),
            ..service::error(refused)
        }
    }
}

impl Open {
    pub(super) fn handle_message(&mut self, message: ClientMessage, turn: &mut Turn<'_>) {
        let late = "`connect` was said already";
        match message {
            ClientMessage::Subscribe(Subscribe { id, channel, .. })
            | ClientMessage::Unsubscribe(Unsubscribe { id, channel })
                if self.duty != Duty::All =>
            {
                let why = bad("open the stream or poll with the channels you want in `channels`");
                turn.refuse(&why, about(id), Some(channel));
            }
            ClientMessage::Connect(connect) => {
                self.refuse(bad(late), about(connect.id), None, turn)
            }
            ClientMessage::Ping(ping) => self.ping(ping.id, turn),
            ClientMessage::Subscribe(ask) => self.subscribe(ask.id, ask.channel, ask.since, turn),
            ClientMessage::Unsubscribe(ask) => self.unsubscribe(ask.id, ask.channel, turn),
            ClientMessage::Publish(ask) => self.publish(ask, turn),
            ClientMessage::Mark(ask) => self.mark(ask, turn),
            ClientMessage::History(_) if self.duty == Duty::WritesOnly => {}
            ClientMessage::History(ask) => self.history(&ask, turn),
            ClientMessage::Refresh(ask) => self.refresh(ask, turn),
            ClientMessage::Void(ask) => self.void(ask, turn),
            ClientMessage::Signal(ask) => {
                self.refuse(unserved("signal"), about(ask.id), Some(ask.channel), turn)
            }
            ClientMessage::Presence(ask) => {
                self.refuse(unserved("presence"), about(ask.id), Some(ask.channel), turn)
            }
            ClientMessage::Set(ask) => {
                let about =
                    Envelope { kind: None, id: ask.id, client_id: ask.client_id, seq: ask.seq };
                self.refuse(unserved("set"), about, Some(ask.channel), turn);
            }
        }
    }

    /// Refuses a message. A final refusal in a lane first consumes its `seq`, so that the lane has
    /// no hole before the next message.
    pub(super) fn refuse(
        &mut self,
        why: Refused,
        about: Envelope,
        channel: Option<Channel>,
        turn: &mut Turn<'_>,
    ) {
        let lane = self.lane(about.client_id.clone(), about.seq, turn).unwrap_or_default();
        if why.code.retry() != Retry::Never || lane.is_none() {
            return turn.refuse(&why, about, channel);
        }
        let Some(channel) = channel.or_else(|| self.inbox()) else { return };
        let write = Write { key: None, lane: lane.clone(), op: Op::Void };
        let intent = Intent { id: about.id, lane, channel, kind: Kind::Refusal(why) };
        self.commit(write, Pending::Intent(Box::new(intent)), turn);
    }

    fn inbox(&self) -> Option<Channel> {
        Channel::inbox(&self.who.user).ok()
    }

    fn lane(
        &self,
        client_id: Option<String>,
        seq: Option<u64>,
        turn: &Turn<'_>,
    ) -> Result<Option<Lane>, Refused> {
        service::lane(&self.who.user, client_id, seq, turn.limits.user_lanes)
    }

    pub(super) fn ping(&self, id: Option<u64>, turn: &mut Turn<'_>) {
        let live = self.subscriptions.iter().filter(|one| one.state == SubscriptionState::Live);
        let of: Vec<_> = live.filter_map(|one| Some((one.channel.clone(), one.slot?))).collect();
        turn.out.push(Command::ReadTops { id, of });
    }

    /// Reports the tops that the client does not know yet. So the client notices the loss of a last
    /// message.
    pub(super) fn pong(&mut self, id: Option<u64>, tops: Vec<(Channel, u64)>, turn: &mut Turn<'_>) {
        let mut changed = Channels::default();
        for (channel, top) in tops {
            if let Some(one) = self.subscription(&channel)
                && one.reported_top != top
            {
                one.reported_top = top;
                changed.insert(channel, top);
            }
        }
        let tops = Some(changed).filter(|tops| !tops.is_empty());
        turn.send(&server::Pong { id, now: turn.now.wall, tops });
    }

    pub(super) fn subscribe(
        &mut self,
        id: Option<u64>,
        channel: Channel,
        since: Option<Since>,
        turn: &mut Turn<'_>,
    ) {
        let caller = Caller::User(&self.who);
        let mut may = caller.check(&channel, Right::Subscribe);
        if since == Some(Since::First) {
            may = may.and_then(|()| caller.check(&channel, Right::History));
        }
        if let Err(why) = may {
            return turn.refuse(&why, about(id), Some(channel));
        }
        let known = self.subscription(&channel).is_some();
        if !known && self.subscriptions.len() >= turn.limits.subscriptions {
            return turn.refuse(&ErrorCode::Subscriptions.into(), about(id), Some(channel));
        }
        self.locate(id, channel, since, turn);
    }

    fn unsubscribe(&mut self, id: Option<u64>, channel: Channel, turn: &mut Turn<'_>) {
        if let Some(index) = self.subscriptions.iter().position(|one| one.channel == channel) {
            if index < 2 {
                let why = bad("inbox and system:all are part of every connection");
                return turn.refuse(&why, about(id), Some(channel));
            }
            self.subscriptions.remove(index).detach(turn);
            self.backlog.forget(|want| want.is_page_of(&channel));
        }
        turn.send(&server::Unsubscribed { id, channel, code: None });
    }

    fn publish(&mut self, ask: Publish, turn: &mut Turn<'_>) {
        let Publish { id, channel, client_id, seq, data } = ask;
        let about = Envelope { kind: None, id, client_id: client_id.clone(), seq };
        let wall = turn.now.wall;
        let write = self.lane(client_id, seq, turn).and_then(|lane| {
            service::message(
                Caller::User(&self.who),
                channel.clone(),
                data,
                lane,
                None,
                wall,
                turn.ids,
            )
        });
        self.intend(write, about, channel, Kind::Write, turn);
    }

    fn mark(&mut self, ask: Mark, turn: &mut Turn<'_>) {
        let Mark { id, client_id, seq, epochs, offsets, up_to, set } = ask;
        let about = Envelope { kind: None, id, client_id: client_id.clone(), seq };
        let Some(channel) = self.inbox() else { return };
        let intent = MarkIntent { epochs, offsets, up_to, set };
        let write = self
            .lane(client_id, seq, turn)
            .and_then(|lane| service::mark(&self.who.user, intent, lane, turn.now.wall, turn.ids));
        self.intend(write, about, channel, Kind::Write, turn);
    }

    fn void(&mut self, ask: Void, turn: &mut Turn<'_>) {
        let Void { id, client_id, seq } = ask;
        let about = Envelope { kind: None, id, client_id: Some(client_id.clone()), seq: Some(seq) };
        let Some(channel) = self.inbox() else { return };
        let write = self.lane(Some(client_id), Some(seq), turn).map(|lane| Write {
            key: None,
            lane,
            op: Op::Void,
        });
        self.intend(write, about, channel, Kind::Void, turn);
    }

    fn intend(
        &mut self,
        write: Result<Write, Refused>,
        about: Envelope,
        channel: Channel,
        kind: Kind,
        turn: &mut Turn<'_>,
    ) {
        match write {
            Ok(write) => {
                let intent = Intent { id: about.id, lane: write.lane.clone(), channel, kind };
                self.commit(write, Pending::Intent(Box::new(intent)), turn);
            }
            Err(why) => self.refuse(why, about, Some(channel), turn),
        }
    }

    /// Answers a finished write by `ack` or `error`.
    pub(super) fn settled(&mut self, intent: Intent, written: &Written, turn: &mut Turn<'_>) {
        // This request is refused now, but may have succeeded the first time: a repeat gets that
        // first answer. Behind a hole, the `seq` was not consumed, so a final refusal would be
        // wrong.
        let outcome = match (&intent.kind, service::outcome(written)) {
            (Kind::Refusal(why), Ok(outcome)) if outcome.refs.is_empty() => {
                return turn.send(&intent.error(why));
            }
            (_, Err(why)) => return turn.send(&intent.error(&why)),
            (_, Ok(outcome)) => outcome,
        };
        match (&intent.kind, service::ack(intent.id, intent.lane.as_ref(), &outcome)) {
            (_, Some(ack)) => turn.send(&ack),
            // The lane is past this `seq`, but there is no record to acknowledge.
            (Kind::Write, None) => {
                let why = "this `seq` was consumed by a refusal or a `void`";
                turn.send(&intent.error(&Refused::new(ErrorCode::Conflict, why)));
            }
            // A client's own `void` is acknowledged without a record.
            (_, None) => turn.send(&server::Ack {
                id: intent.id,
                client_id: intent.lane.as_ref().map(|lane| lane.client_id.clone()),
                seq: intent.lane.as_ref().map(|lane| lane.seq),
                epoch: self.subscription(&intent.channel).map_or(NO_LOG, |one| one.epoch),
                channel: intent.channel,
                offset: 0,
                record_id: None,
                duplicate: outcome.replayed.then_some(true),
            }),
        }
    }

    fn history(&mut self, ask: &History, turn: &mut Turn<'_>) {
        let History { id, channel, before, after, limit } = ask;
        let limit =
            limit.unwrap_or(tidings_protocol::limits::PAGE_DEFAULT).clamp(1, turn.limits.page);
        let bytes = turn.limits.page_bytes;
        let items = channel.is_system() || channel.inbox_user() == Some(&self.who.user);
        let query = match (Caller::User(&self.who).check(channel, Right::History), before, after) {
            (Err(why), ..) => Err(why),
            (Ok(()), Some(_), Some(_)) => Err(bad("`before` or `after`, not both")),
            (Ok(()), _, Some(_)) if items => {
                Err(bad("items are paged by `before`; records come by `subscribe`"))
            }
            (Ok(()), before, None) if items => {
                let (inbox, system) =
                    if channel.is_system() { (Some(0), *before) } else { (*before, Some(0)) };
                Ok(Query::Items(ItemQuery {
                    user: self.who.user.clone(),
                    inbox_before: inbox,
                    system_before: system,
                    kinds: Vec::new(),
                    read: None,
                    archived: None,
                    limit,
                    bytes,
                }))
            }
            (Ok(()), _, Some(after)) => {
                Ok(Query::Records { channel: channel.clone(), after: *after, limit, bytes })
            }
            (Ok(()), before, None) => {
                Ok(Query::RecordsBefore { channel: channel.clone(), before: *before, limit, bytes })
            }
        };
        match query {
            Ok(query) => {
                let history = backlog::History { channel: channel.clone(), id: *id, query };
                self.want_read(Want::History(Box::new(history)));
            }
            Err(why) => turn.refuse(&why, about(*id), Some(channel.clone())),
        }
    }

    fn refresh(&mut self, ask: Refresh, turn: &mut Turn<'_>) {
        let credential = match (ask.ticket, ask.token) {
            _ if self.refreshing.is_some() => Err(bad("a `refresh` is under way")),
            (Some(text), None) => Ok(Credential::Ticket(text)),
            (None, Some(text)) => Ok(Credential::Token(text)),
            _ => Err(bad("offer one of `ticket` and `token`")),
        };
        match credential {
            Ok(credential) => {
                self.refreshing = Some(ask.id);
                turn.out.push(Command::Authenticate { credential });
            }
            Err(why) => turn.refuse(&why, about(ask.id), None),
        }
    }

    /// Handles an answer of the store.
    pub(super) fn read(
        &mut self,
        request: Request,
        pending: Pending,
        answer: Answer,
        turn: &mut Turn<'_>,
    ) -> Option<State> {
        match (pending, answer) {
            (Pending::Start(starting), Answer::Inbox(heads)) => {
                return self.located(*starting, heads, turn);
            }
            (Pending::Start(starting), Answer::Snapshot(snapshot)) => {
                self.snapshot(&starting, *snapshot, turn)
            }
            (Pending::Locate { channel, id, since }, Answer::Heads(heads)) => {
                self.begin_at(&channel, id, since, heads.into_iter().next().flatten(), turn);
            }
            (Pending::Locate { channel, id, since }, Answer::Inbox(heads)) => {
                let head =
                    heads.map(|[inbox, system]| if channel.is_system() { system } else { inbox });
                self.begin_at(&channel, id, since, head, turn);
            }
            (Pending::Page { channel }, Answer::Records { head, records, more }) => {
                return self.page(request, &channel, head, records, more, turn);
            }
            (Pending::History { channel, id }, Answer::Items { items, more, at, .. }) => {
                send_items(channel, id, items, more, at, turn);
            }
            (Pending::History { channel, id }, Answer::Records { head, records, more }) => {
                send_messages(channel, id, head, &records, more, turn);
            }
            // A store that does not answer the question is broken.
            _ => return Some(turn.close(&ErrorCode::Internal.into())),
        }
        None
    }
}

fn send_items(
    channel: Channel,
    id: Option<u64>,
    items: Vec<Item>,
    more: bool,
    at: Cursor,
    turn: &mut Turn<'_>,
) {
    let Cursor { epoch, offset, .. } = at;
    turn.send(&server::Page {
        id,
        channel,
        epoch,
        offset,
        more,
        items: Some(items),
        messages: None,
    });
}

fn send_messages(
    channel: Channel,
    id: Option<u64>,
    head: Option<Head>,
    records: &[Record],
    more: bool,
    turn: &mut Turn<'_>,
) {
    let (epoch, offset) = head.map_or((NO_LOG, 0), |head| (head.epoch, head.top));
    let messages = Some(records.iter().filter_map(message_of).collect());
    turn.send(&server::Page { id, channel, epoch, offset, more, items: None, messages });
}

/// A record as a page lists it. A topic's notifications are listed as messages without a sender,
/// because some clients read only messages in a page.
fn message_of(record: &Record) -> Option<Posted> {
    let message = match ServerMessage::decode(str::from_utf8(&record.frame).ok()?).ok()? {
        ServerMessage::Message(message) => message,
        ServerMessage::Notification(note) => note.into(),
        _ => return None,
    };
    Some(message.into())
}

/// The protocol has this type, but the server does not implement it yet. It is answered as unknown,
/// as an older server would.
fn unserved(kind: &str) -> Refused {
    Refused::new(ErrorCode::UnknownType, format!("this server does not serve `{kind}` yet"))
}

fn bad(detail: &str) -> Refused {
    Refused::new(ErrorCode::BadRequest, detail)
}

fn about(id: Option<u64>) -> Envelope {
    Envelope { id, ..Envelope::default() }
}
