//! I8: a connection gets nothing without the right, nor later than a bound after a revocation; and
//! the server takes nothing from a connection without the right to publish it.

use std::collections::{BTreeMap, BTreeSet};

use tidings_protocol::{Channel, Epoch, ServerMessage, rights::Right, server::Subscribed};
use tidings_server_core::store::{NO_LOG, Revocation};

use super::{Checker, Scene};
use crate::{
    env::Conn,
    gate::hits,
    observation::{Allowed, Guest, Observation, OutboundMessage},
};

/// Milliseconds until every node knows of a revocation, and until a new credential's smaller rights
/// hold on a connection.
const BOUND: u64 = 5_000;

/// Revocations and when they became durable, the last time the store was unreachable, rights, and
/// subscriptions.
#[derive(Debug, Default)]
pub(super) struct Rights {
    revoked: Vec<(u64, Revocation)>,
    failed_at: u64,
    /// Rights by session.
    granted: BTreeMap<String, Allowed>,
    /// The sessions of a connection so far, and since when the last one holds.
    sessions: BTreeMap<Conn, (Vec<String>, u64)>,
    follows: BTreeSet<(Conn, Channel)>,
    /// The offset of a log after which a user first subscribed to it.
    since: BTreeMap<(String, Channel, Epoch), u64>,
    /// Subscribed logs whose users may read only records after this offset.
    only_since: BTreeMap<(Conn, Channel), u64>,
}

impl Checker for Rights {
    fn invariant(&self) -> &'static str {
        "I8"
    }

    fn observe(&mut self, scene: &Scene<'_>, observation: &Observation) -> Result<(), String> {
        match observation {
            Observation::StoreFailed => self.failed_at = scene.now,
            Observation::Revoked { subject, at } => {
                let revocation = Revocation { subject: subject.clone(), at: *at, until: u64::MAX };
                self.revoked.push((scene.now, revocation));
            }
            Observation::Granted { session, allowed, .. } => {
                self.granted.insert(session.clone(), allowed.clone());
            }
            // Messages before a change of credential are judged by the old one, even if their
            // answer leaves later.
            Observation::PostAdmitted { conn, guest } => {
                self.sessions.insert(*conn, (vec![guest.session.clone()], scene.now));
            }
            Observation::Ended { conn } => {
                self.sessions.remove(conn);
                self.follows.retain(|(other, _)| other != conn);
                self.only_since.retain(|(other, _), _| other != conn);
            }
            Observation::Left { conn, guest, messages: published } => {
                let (sessions, since) = self.sessions.entry(*conn).or_default();
                if sessions.last() != Some(&guest.session) {
                    sessions.push(guest.session.clone());
                    *since = scene.now;
                }
                for one in published {
                    self.in_rooms(*conn, guest, one)?;
                    self.told(scene, guest, one)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn settled(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        for (conn, channel) in &self.follows {
            let Some((sessions, since)) = self.sessions.get(conn) else { continue };
            let session = &sessions[sessions.len() - 1..];
            let late = scene.now > since + BOUND;
            if late && !self.may(session, channel, Right::Subscribe) {
                return Err(format!("{conn} follows {channel} under {session:?}"));
            }
        }
        Ok(())
    }
}

impl Rights {
    /// A room's message may be sent if any credential of this connection allows it: messages that
    /// are queued when the credential changes were allowed when they were queued.
    fn in_rooms(
        &mut self,
        conn: Conn,
        guest: &Guest,
        published: &OutboundMessage,
    ) -> Result<(), String> {
        let sessions = self.sessions.get(&conn).map(|(sessions, _)| sessions.clone());
        let sessions = sessions.unwrap_or_default();
        let (channel, right) = match &published.message {
            ServerMessage::Unsubscribed(ended) => {
                self.follows.remove(&(conn, ended.channel.clone()));
                return Ok(());
            }
            ServerMessage::Subscribed(begun) => (&begun.channel, Right::Subscribe),
            ServerMessage::Page(page) => (&page.channel, Right::History),
            ServerMessage::Message(record) => (&record.channel, Right::Subscribe),
            // A repeat gets the first answer again, whatever the current rights are.
            ServerMessage::Ack(ack) if ack.record_id.is_some() && ack.duplicate.is_none() => {
                (&ack.channel, Right::Publish)
            }
            _ => return Ok(()),
        };
        if channel.is_system() || channel.inbox_user().is_some() {
            return Ok(());
        }
        let key = (conn, channel.clone());
        let follows = self.follows.contains(&key);
        if matches!(published.message, ServerMessage::Message(_)) && !follows {
            return Err(format!("{} received {channel} without a subscription", guest.user));
        }
        if !self.may(&sessions, channel, right) {
            return Err(format!("{} has no right to {right:?} in {channel}", guest.user));
        }
        match &published.message {
            ServerMessage::Subscribed(begun) => {
                self.begins(&key, guest, begun, self.may(&sessions, channel, Right::History))?;
                self.follows.insert(key);
            }
            ServerMessage::Message(record) => {
                if let Some(since) = self.only_since.get(&key).filter(|at| record.offset <= **at) {
                    let (user, at) = (&guest.user, record.offset);
                    return Err(format!(
                        "{user} received {at} of {channel}, and may read records after {since} only"
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Without the right `history`, a user may read records after the first subscription to this
    /// log, or to the channel before its first record.
    fn begins(
        &mut self,
        key: &(Conn, Channel),
        guest: &Guest,
        begun: &Subscribed,
        may_all: bool,
    ) -> Result<(), String> {
        let (user, channel) = (guest.user.clone(), begun.channel.clone());
        let unborn = (user.clone(), channel.clone(), NO_LOG);
        let at_birth = self.since.get(&unborn).copied();
        let since = self
            .since
            .entry((user, channel, begun.epoch))
            .or_insert_with(|| at_birth.unwrap_or(begun.top));
        // A message that leaves later may have been made earlier: a subscription from before the
        // first record, too.
        if begun.offset >= begun.top {
            *since = begun.top.min(*since);
        }
        *since = at_birth.unwrap_or(*since).min(*since);
        if may_all {
            self.only_since.remove(key);
            return Ok(());
        }
        self.only_since.insert(key.clone(), *since);
        match begun.offset < *since {
            true => {
                Err(format!("{} goes on in {} from {}", guest.user, begun.channel, begun.offset))
            }
            false => Ok(()),
        }
    }

    fn may(&self, sessions: &[String], channel: &Channel, right: Right) -> bool {
        let allowed = sessions.iter().filter_map(|session| self.granted.get(session)).flatten();
        allowed.into_iter().any(|(other, rights)| other == channel && rights.has(right))
    }

    /// No inbox of another user, and nothing long after a revocation.
    fn told(
        &self,
        scene: &Scene<'_>,
        guest: &Guest,
        published: &OutboundMessage,
    ) -> Result<(), String> {
        let Some(channel) = channel_of(&published.message) else { return Ok(()) };
        if channel.inbox_user().is_some_and(|user| user != guest.user) {
            return Err(format!("{} received another user's {channel}", guest.user));
        }
        let late = |(since, revocation): &&(u64, Revocation)| {
            hits(revocation, guest) && scene.now > since.max(&self.failed_at) + BOUND
        };
        if let Some((since, revocation)) = self.revoked.iter().find(late) {
            let late = scene.now - since;
            return Err(format!("{guest:?} received {channel} {late} ms after {revocation:?}"));
        }
        Ok(())
    }
}

/// The channel of a record or of a whole inbox.
const fn channel_of(message: &ServerMessage) -> Option<&Channel> {
    match message {
        ServerMessage::Notification(record) => Some(&record.channel),
        ServerMessage::Marked(record) => Some(&record.channel),
        ServerMessage::Trimmed(record) => Some(&record.channel),
        ServerMessage::Message(record) => Some(&record.channel),
        ServerMessage::Snapshot(snapshot) => Some(&snapshot.channel),
        ServerMessage::Page(page) => Some(&page.channel),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tidings_protocol::rights::RightSet;
    use tidings_server_core::store::Subject;

    use super::*;
    use crate::invariants::testing::{CONN, Stage, left, notification, room};

    const SUBSCRIBED: &str = r#"{"type":"subscribed","channel":"room:a","epoch":"aaaaaaaa","first":1,"top":0,"offset":0,"recovered":true}"#;
    const MESSAGE: &str =
        r#"{"type":"message","channel":"room:a","offset":1,"id":"m","at":1,"data":{}}"#;
    const PAGE: &str = r#"{"type":"page","channel":"room:a","epoch":"aaaaaaaa","offset":1,"more":false,"messages":[]}"#;
    const ACK: &str = r#"{"type":"ack","client_id":"tab","seq":1,"channel":"room:a","epoch":"aaaaaaaa","offset":1,"record_id":"m"}"#;

    fn granted(rights: RightSet) -> Observation {
        let allowed = vec![(room(), rights)];
        Observation::Granted { user: "mina".into(), session: "s".into(), allowed }
    }

    #[test]
    fn a_record_of_somebody_else_is_found() {
        let stage = Stage::new();
        let mut checker = Rights::default();
        stage.observe(&mut checker, &left(&[&notification("inbox:mina", 1, "")])).unwrap();
        stage.observe(&mut checker, &left(&[&notification("system:all", 1, "")])).unwrap();
        stage.observe(&mut checker, &left(&[&notification("inbox:tom", 1, "")])).unwrap_err();
    }

    #[test]
    fn what_was_there_before_one_came_who_may_not_read_back_is_found() {
        let begun = |offset| {
            let begun =
                r#"{"type":"subscribed","channel":"room:a","epoch":"aaaaaaaa","first":1,"top":5"#;
            left(&[&format!(r#"{begun},"offset":{offset},"recovered":false}}"#)])
        };
        let record =
            |offset| left(&[&MESSAGE.replace("\"offset\":1", &format!("\"offset\":{offset}"))]);
        for (right, may) in [(RightSet::default(), false), (RightSet::ALL, true)] {
            let stage = Stage::new();
            let mut checker = Rights::default();
            let right = right.with(Right::Subscribe);
            stage.observe(&mut checker, &granted(right)).unwrap();
            assert_eq!(stage.observe(&mut checker, &begun(2)).is_ok(), may);
            stage.observe(&mut checker, &begun(5)).unwrap();
            stage.observe(&mut checker, &record(6)).unwrap();
            assert_eq!(stage.observe(&mut checker, &record(5)).is_ok(), may);
        }
    }

    /// Seed 1799320022: two pages of a user subscribed around the first record, and the answer to the
    /// earlier one left later.
    #[test]
    fn one_who_came_before_the_first_record_may_read_it_whichever_answer_leaves_first() {
        let begun = |epoch, top, offset, recovered| {
            left(&[&format!(
                r#"{{"type":"subscribed","channel":"room:a","epoch":"{epoch}","first":1,"top":{top},"offset":{offset},"recovered":{recovered}}}"#
            )])
        };
        for before in [true, false] {
            let stage = Stage::new();
            let mut checker = Rights::default();
            stage
                .observe(&mut checker, &granted(RightSet::default().with(Right::Subscribe)))
                .unwrap();
            stage.observe(&mut checker, &begun("aaaaaaaa", 1, 1, false)).unwrap();
            if before {
                stage.observe(&mut checker, &begun("AAAAAAAA", 0, 0, false)).unwrap();
            }
            let goes_on = stage.observe(&mut checker, &begun("aaaaaaaa", 1, 0, true));
            assert_eq!(goes_on.is_ok(), before);
        }
    }

    #[test]
    fn what_was_said_before_a_refresh_in_one_request_is_answered_after_it() {
        let stage = Stage::new();
        let mut checker = Rights::default();
        stage.observe(&mut checker, &granted(RightSet::default().with(Right::Publish))).unwrap();
        let before = crate::invariants::testing::guest("s", "p");
        stage
            .observe(&mut checker, &Observation::PostAdmitted { conn: CONN, guest: before })
            .unwrap();
        let ack = |session| match left(&[ACK]) {
            Observation::Left { conn, messages: published, .. } => Observation::Left {
                conn,
                guest: crate::invariants::testing::guest(session, "p"),
                messages: published,
            },
            other => other,
        };
        stage.observe(&mut checker, &ack("fewer")).unwrap();
        stage.observe(&mut checker, &Observation::Ended { conn: CONN }).unwrap();
        stage.observe(&mut checker, &ack("fewer")).unwrap_err();
    }

    #[test]
    fn whatever_a_room_says_to_one_without_the_right_is_found() {
        for (frame, right) in
            [(SUBSCRIBED, Right::Subscribe), (PAGE, Right::History), (ACK, Right::Publish)]
        {
            let stage = Stage::new();
            let mut checker = Rights::default();
            stage.observe(&mut checker, &granted(RightSet::default().with(right))).unwrap();
            stage.observe(&mut checker, &left(&[frame])).unwrap();
            let others: RightSet = RightSet::ALL.iter().filter(|one| *one != right).collect();
            stage.observe(&mut checker, &granted(others)).unwrap();
            stage.observe(&mut checker, &left(&[frame])).unwrap_err();
        }
    }

    #[test]
    fn a_message_without_a_subscription_or_after_its_end_is_found() {
        let stage = Stage::new();
        let mut checker = Rights::default();
        stage.observe(&mut checker, &granted(RightSet::ALL)).unwrap();
        stage.observe(&mut checker, &left(&[MESSAGE])).unwrap_err();
        stage.observe(&mut checker, &left(&[SUBSCRIBED, MESSAGE])).unwrap();
        let ended = r#"{"type":"unsubscribed","channel":"room:a"}"#;
        stage.observe(&mut checker, &left(&[ended, MESSAGE])).unwrap_err();
    }

    #[test]
    fn who_follows_on_without_the_right_is_found() {
        let mut stage = Stage::new();
        let mut checker = Rights::default();
        stage.observe(&mut checker, &granted(RightSet::ALL)).unwrap();
        stage.observe(&mut checker, &left(&[SUBSCRIBED])).unwrap();
        stage.now = BOUND + 1;
        checker.settled(&stage.scene()).unwrap();
        stage.observe(&mut checker, &granted(RightSet::default())).unwrap();
        checker.settled(&stage.scene()).unwrap_err();
        stage.observe(&mut checker, &Observation::Ended { conn: CONN }).unwrap();
        checker.settled(&stage.scene()).unwrap();
    }

    #[test]
    fn a_record_long_after_the_revocation_is_found() {
        let mut stage = Stage::new();
        let mut checker = Rights::default();
        let subject = Subject::Session("s".into());
        stage.observe(&mut checker, &Observation::Revoked { subject, at: 1 }).unwrap();
        let record = left(&[&notification("inbox:mina", 1, "")]);
        stage.now = BOUND;
        stage.observe(&mut checker, &record).unwrap();
        stage.now = BOUND + 1;
        stage.observe(&mut checker, &record).unwrap_err();
    }
}
