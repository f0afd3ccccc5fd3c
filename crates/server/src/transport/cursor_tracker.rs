//! Tracks a client's cursor in each of its channels, from the messages that pass.

use tidings_protocol::{
    Channel, Channels, Encode as _, Epoch, ServerMessage,
    client::Cursor,
    json::push_str_escaped,
    server::{Connected, Error, Refreshed, Subscribed},
};

use super::address::push_cursors;

/// Cursors after the last message, and the credential for the next connection.
#[derive(Debug, Default)]
pub struct CursorTracker {
    session: String,
    /// A secret.
    session_token: String,
    /// The inbox, `system:all`, then the others in the order of the address.
    tracked: Vec<TrackedChannel>,
    /// A cursor has changed since the start.
    has_moved: bool,
}

#[derive(Debug)]
struct TrackedChannel {
    /// The channel in its JSON form, with quotes. Empty for the inbox while the user is unknown.
    name: Box<str>,
    cursor: Option<Cursor>,
    /// Replaces the cursor once the client was told of the gap before it.
    after_the_gap: Option<Cursor>,
}

/// The effect of a message on cursors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// A record, or another message with something new.
    News,
    /// `connected`, or a `subscribed` that resumes from the client's cursor unchanged: nothing has
    /// happened since.
    Greeting,
    /// A `subscribed` that does not resume so, or a `gap` of inbox or `system:all`: the next
    /// message completes it.
    Opening,
    /// `expiring`: not worth an answer of its own.
    Reminder,
}

impl CursorTracker {
    /// Starts at the client's cursors of inbox, `system:all` and `channels`.
    #[must_use]
    pub fn new(pair: [Option<Cursor>; 2], channels: &[(Channel, Option<Cursor>)]) -> Self {
        let [inbox, system] = pair;
        let mut tracked = Vec::with_capacity(2 + channels.len());
        tracked.push(TrackedChannel { name: Box::default(), cursor: inbox, after_the_gap: None });
        tracked.push(TrackedChannel::of(&Channel::system(), system));
        tracked
            .extend(channels.iter().map(|(channel, cursor)| TrackedChannel::of(channel, *cursor)));
        Self { tracked, ..Self::default() }
    }

    /// Adds the cursors of a `connect`. They win: an answer may end before all of these channels
    /// had a message.
    #[must_use]
    pub fn with(mut self, cursors: &Channels<Cursor>) -> Self {
        for (channel, cursor) in cursors.iter() {
            match self.entry(channel) {
                Some(entry) => entry.cursor = Some(*cursor),
                None => self.tracked.push(TrackedChannel::of(channel, Some(*cursor))),
            }
        }
        self
    }

    /// A message goes to the client, and counts as received.
    pub fn pass(&mut self, frame: &[u8]) -> Passed {
        if self.pass_record(frame).is_some() {
            return Passed::News;
        }
        let message = str::from_utf8(frame).ok().and_then(|text| ServerMessage::decode(text).ok());
        match message {
            Some(ServerMessage::Connected(connected)) => {
                self.connected(connected);
                return Passed::Greeting;
            }
            Some(ServerMessage::Refreshed(Refreshed { session_token, .. })) => {
                self.session_token = session_token;
            }
            Some(ServerMessage::Subscribed(subscribed)) => return self.subscribed(&subscribed),
            Some(ServerMessage::Unsubscribed(left)) => {
                if let Some(entry) = self.entry(&left.channel) {
                    entry.cursor = None;
                    self.has_moved = true;
                }
            }
            Some(ServerMessage::Snapshot(snapshot)) => {
                let Cursor { epoch, offset, .. } = snapshot.system;
                self.reach(&snapshot.channel, Some(snapshot.epoch), snapshot.offset);
                self.reach(&Channel::system(), Some(epoch), offset);
            }
            Some(ServerMessage::Gap(gap)) => {
                // For inbox and `system:all`, a snapshot follows. Until it is sent, the old cursor
                // must stay, so that the gap is reported again.
                if is_of_pair(&gap.channel) {
                    return Passed::Opening;
                }
                if let Some(entry) = self.entry(&gap.channel)
                    && let Some(cursor) = entry.after_the_gap.take()
                {
                    entry.cursor = Some(cursor);
                    self.has_moved = true;
                }
            }
            Some(ServerMessage::Skip(skip)) => self.reach(&skip.channel, None, skip.to),
            Some(ServerMessage::Expiring(_)) => return Passed::Reminder,
            // The client may not subscribe to this channel.
            Some(ServerMessage::Error(Error { channel: Some(channel), .. })) => {
                if let Some(entry) = self.entry(&channel) {
                    entry.cursor = None;
                    self.has_moved = true;
                }
            }
            // A record in another JSON form than this server writes.
            Some(other) => {
                if let Some((channel, offset)) = record(&other) {
                    self.reach(channel, None, offset);
                }
            }
            None => {}
        }
        Passed::News
    }

    /// The fast path for the most frequent messages: `{"type":"…","channel":"…","offset":…`, the
    /// form of every record.
    fn pass_record(&mut self, frame: &[u8]) -> Option<()> {
        let rest = frame.strip_prefix(br#"{"type":""#)?;
        let end = rest.iter().position(|byte| *byte == b'"')?;
        let rest = rest.get(end..)?.strip_prefix(br#"","channel":"#)?;
        for entry in &mut self.tracked {
            let Some(rest) = rest.strip_prefix(entry.name.as_bytes()) else { continue };
            let Some(digits) = rest.strip_prefix(br#","offset":"#) else { continue };
            let cursor = entry.cursor.as_mut()?;
            self.has_moved = true;
            let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
            cursor.offset = digits.fold(0, |sum: u64, digit| {
                sum.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))
            });
            return Some(());
        }
        None
    }

    /// Whether a client that resumes from here is further than at the start.
    #[must_use]
    pub const fn has_moved(&self) -> bool {
        self.has_moved
    }

    /// Cursors and session token as one text, for `id`.
    pub fn push_id(&self, out: &mut Vec<u8>) {
        push_cursors(out, self.tracked.iter().map(|entry| entry.cursor));
        out.push(b'~');
        out.extend_from_slice(self.session_token.as_bytes());
    }

    /// `{"session":…,"session_token":…,"now":…,"cursor":…}`: the head of a poll's answer, for the
    /// next request's address.
    #[must_use]
    pub fn head_for_address(&self, now: u64) -> Vec<u8> {
        let mut out = self.head(now);
        out.extend_from_slice(br#","cursor":""#);
        push_cursors(&mut out, self.tracked.iter().map(|entry| entry.cursor));
        out.extend_from_slice(br#""}"#);
        out
    }

    /// `{"session":…,"session_token":…,"now":…,"cursors":{…}}`: the head for the next request's
    /// `connect`.
    #[must_use]
    pub fn head_for_connect(&self, now: u64) -> Vec<u8> {
        let mut out = self.head(now);
        out.extend_from_slice(br#","cursors":{"#);
        let mut first = true;
        for entry in &self.tracked {
            let Some(cursor) = entry.cursor else { continue };
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            out.extend_from_slice(entry.name.as_bytes());
            out.push(b':');
            out.extend_from_slice(cursor.to_json().as_bytes());
        }
        out.extend_from_slice(b"}}");
        out
    }

    fn head(&self, now: u64) -> Vec<u8> {
        let mut head = String::from(r#"{"session":"#);
        push_str_escaped(&mut head, &self.session);
        head.push_str(r#","session_token":"#);
        push_str_escaped(&mut head, &self.session_token);
        head.push_str(r#","now":"#);
        head.push_str(&now.to_string());
        head.into_bytes()
    }

    fn connected(&mut self, connected: Connected) {
        let Connected { user_id, session, session_token, .. } = connected;
        self.session = session;
        self.session_token = session_token;
        let Ok(inbox) = Channel::inbox(&user_id) else { return };
        let name = name_of(&inbox);
        // The client knew its user id and named its inbox itself.
        let named = self.tracked.iter().position(|entry| entry.name == name);
        let named = named.map(|at| self.tracked.remove(at));
        if let Some(entry) = self.tracked.first_mut() {
            entry.name = name;
            entry.cursor = named.and_then(|named| named.cursor).or(entry.cursor);
        }
    }

    /// A subscription begins. The client's old cursor must stay until the client was told of the
    /// gap: by a snapshot for inbox and `system:all`, by a `gap` elsewhere.
    fn subscribed(&mut self, begun: &Subscribed) -> Passed {
        let Subscribed { channel, epoch, offset, recovered, top, proof, .. } = begun;
        let cursor = Some(Cursor { epoch: *epoch, offset: *offset, proof: *proof });
        let pair = is_of_pair(channel);
        if self.entry(channel).is_none() {
            self.tracked.push(TrackedChannel::of(channel, None));
        }
        let Some(entry) = self.entry(channel) else { return Passed::News };
        if *recovered {
            // A log without records has got its epoch: the client must know it before the first
            // record.
            let is_born = entry.cursor.is_some_and(|known| known.epoch != *epoch);
            // The client may have stated its cursor in `connect`, which is unknown here; this is
            // the only trace of such a new log. The inbox and `system:all` always have an epoch.
            let may_be = !pair && entry.cursor.is_none() && *offset == 0 && *top > 0;
            entry.cursor = cursor;
            self.has_moved |= is_born || may_be;
            return if is_born || may_be { Passed::Opening } else { Passed::Greeting };
        }
        if !pair && entry.cursor.is_none() {
            entry.cursor = cursor;
            self.has_moved = true;
        } else if !pair {
            entry.after_the_gap = cursor;
        }
        Passed::Opening
    }

    fn reach(&mut self, channel: &Channel, epoch: Option<Epoch>, offset: u64) {
        let Some(entry) = self.entry(channel) else { return };
        match (epoch, &mut entry.cursor) {
            (Some(epoch), cursor) => *cursor = Some(Cursor::new(epoch, offset)),
            (None, Some(cursor)) => cursor.offset = offset,
            (None, None) => {}
        }
        self.has_moved = true;
    }

    fn entry(&mut self, channel: &Channel) -> Option<&mut TrackedChannel> {
        let name = name_of(channel);
        self.tracked.iter_mut().find(|entry| entry.name == name)
    }
}

impl TrackedChannel {
    fn of(channel: &Channel, cursor: Option<Cursor>) -> Self {
        Self { name: name_of(channel), cursor, after_the_gap: None }
    }
}

/// One snapshot covers both.
fn is_of_pair(channel: &Channel) -> bool {
    channel.is_system() || channel.inbox_user().is_some()
}

/// Whether a message is a `subscribed` in this server's form: the next messages may belong to it.
#[must_use]
pub fn begins_a_channel(frame: &[u8]) -> bool {
    frame.starts_with(br#"{"type":"subscribed","#)
}

fn name_of(channel: &Channel) -> Box<str> {
    let mut name = String::new();
    push_str_escaped(&mut name, channel.as_str());
    name.into()
}

fn record(message: &ServerMessage) -> Option<(&Channel, u64)> {
    match message {
        ServerMessage::Notification(one) => Some((&one.channel, one.offset)),
        ServerMessage::Message(one) => Some((&one.channel, one.offset)),
        ServerMessage::Marked(one) => Some((&one.channel, one.offset)),
        ServerMessage::Trimmed(one) => Some((&one.channel, one.offset)),
        ServerMessage::State(one) => Some((&one.channel, one.offset)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tidings_protocol::Decode;

    use super::*;

    const INBOX: &str = "inbox:u1";

    fn cursor(offset: u64) -> Option<Cursor> {
        Some(Cursor::new(Epoch::parse("aaaaaaaa").unwrap(), offset))
    }

    fn tracker(pair: [Option<Cursor>; 2], room: Option<Cursor>) -> CursorTracker {
        let mut tracker =
            CursorTracker::new(pair, &[(Channel::parse("room:\"1\"").unwrap(), room)]);
        let connected = r#"{"type":"connected","user_id":"u1","session":"s","session_token":"st_x","message":"","version":1,"heartbeat_ms":1,"timeout_ms":1,"now":1,"limits":{"message_bytes":1,"subscriptions":1,"page":1}}"#;
        assert_eq!(tracker.pass(connected.as_bytes()), Passed::Greeting);
        tracker
    }

    fn id(tracker: &CursorTracker) -> String {
        let mut id = Vec::new();
        tracker.push_id(&mut id);
        String::from_utf8(id).unwrap()
    }

    fn subscribed(channel: &str, epoch: &str, offset: u64, recovered: bool) -> String {
        format!(
            r#"{{"type":"subscribed","channel":{channel},"epoch":"{epoch}","first":1,"top":9,"offset":{offset},"recovered":{recovered}}}"#
        )
    }

    #[test]
    fn records_move_the_cursor_of_their_channel() {
        let mut tracker = tracker([cursor(4), cursor(0)], cursor(7));
        assert_eq!(id(&tracker), "aaaaaaaa.4,aaaaaaaa.0,aaaaaaaa.7~st_x");
        for frame in [
            r#"{"type":"notification","channel":"inbox:u1","offset":5,"id":"a","kind":"k","at":1,"data":{}}"#,
            r#"{"type":"message","channel":"room:\"1\"","offset":12,"id":"a","at":1,"data":{"channel":"inbox:u1","offset":99}}"#,
            r#"{"type":"skip","channel":"system:all","from":1,"to":3}"#,
            // A record in another JSON form.
            r#"{"type":"notification", "offset":6, "channel":"inbox:u1","id":"a","kind":"k","at":1,"data":{}}"#,
        ] {
            assert_eq!(tracker.pass(frame.as_bytes()), Passed::News, "{frame}");
        }
        assert_eq!(id(&tracker), "aaaaaaaa.6,aaaaaaaa.3,aaaaaaaa.12~st_x");
        tracker.pass(br#"{"type":"refreshed","session_token":"st_y"}"#);
        assert!(id(&tracker).ends_with("~st_y"));
    }

    #[test]
    fn nothing_counts_before_the_client_was_told_what_it_missed() {
        let mut tracker = tracker([cursor(4), cursor(0)], cursor(7));
        let was = id(&tracker);
        // Inbox and `system:all`: only the snapshot completes the new cursor.
        let inbox = format!("\"{INBOX}\"");
        assert_eq!(
            tracker.pass(subscribed(&inbox, "bbbbbbbb", 9, false).as_bytes()),
            Passed::Opening
        );
        tracker.pass(br#"{"type":"gap","channel":"inbox:u1","from":1,"to":9,"why":"epoch"}"#);
        tracker.pass(subscribed("\"system:all\"", "aaaaaaaa", 2, false).as_bytes());
        assert_eq!(id(&tracker), was);
        tracker.pass(br#"{"type":"snapshot","channel":"inbox:u1","epoch":"bbbbbbbb","offset":9,"system":{"epoch":"aaaaaaaa","offset":2},"counts":{"inbox":{"unread":0,"unseen":0},"system":{"unread":0,"unseen":0,"at":0}},"more":false,"system_more":false,"items":[]}"#);
        assert_eq!(id(&tracker), "bbbbbbbb.9,aaaaaaaa.2,aaaaaaaa.7~st_x");
        // Other channels: the gap does.
        let room = r#""room:\"1\"""#;
        tracker.pass(subscribed(room, "cccccccc", 9, false).as_bytes());
        assert!(id(&tracker).contains(",aaaaaaaa.7~"));
        tracker.pass(br#"{"type":"gap","channel":"room:\"1\"","from":1,"to":9,"why":"epoch"}"#);
        assert!(id(&tracker).contains(",cccccccc.9~"));
    }

    #[test]
    fn a_client_without_a_place_has_one_once_it_is_subscribed() {
        let mut tracker = tracker([None, None], None);
        assert_eq!(id(&tracker), "-,-,-~st_x");
        let room = r#""room:\"1\"""#;
        tracker.pass(subscribed(room, "aaaaaaaa", 3, false).as_bytes());
        assert_eq!(id(&tracker), "-,-,aaaaaaaa.3~st_x");
        assert_eq!(
            tracker.pass(subscribed(room, "aaaaaaaa", 3, true).as_bytes()),
            Passed::Greeting
        );
        assert_eq!(tracker.pass(subscribed(room, "bbbbbbbb", 0, true).as_bytes()), Passed::Opening);
        assert_eq!(id(&tracker), "-,-,bbbbbbbb.0~st_x");
        let head = String::from_utf8(tracker.head_for_connect(7)).unwrap();
        assert_eq!(
            head,
            r#"{"session":"s","session_token":"st_x","now":7,"cursors":{"room:\"1\"":{"epoch":"bbbbbbbb","offset":0}}}"#
        );
        let head = String::from_utf8(tracker.head_for_address(8)).unwrap();
        assert_eq!(
            head,
            r#"{"session":"s","session_token":"st_x","now":8,"cursor":"-,-,bbbbbbbb.0"}"#
        );
        tracker.pass(br#"{"type":"unsubscribed","channel":"room:\"1\"","code":"forbidden"}"#);
        assert_eq!(id(&tracker), "-,-,-~st_x");
    }

    #[test]
    fn a_log_that_begins_is_news_though_nothing_was_missed() {
        let room = r#""room:\"1\"""#;
        let begun = subscribed(room, "aaaaaaaa", 0, true);
        // The client stated its cursor in `connect`, which is unknown here.
        let mut unknown = tracker([None, None], None);
        assert_eq!(unknown.pass(begun.as_bytes()), Passed::Opening);
        // Here the cursor is known.
        let nowhere = Some(Cursor::new(Epoch::parse("AAAAAAAA").unwrap(), 0));
        let mut known = tracker([None, None], nowhere);
        assert_eq!(known.pass(begun.as_bytes()), Passed::Opening);
        // The log has no records yet, so there is nothing to tell.
        let empty = begun.replace("\"top\":9", "\"top\":0");
        let mut unknown = tracker([None, None], None);
        assert_eq!(unknown.pass(empty.as_bytes()), Passed::Greeting);
    }

    #[test]
    fn what_connect_names_is_gone_on_from_though_the_answer_ends_before_it_was_told_of() {
        let mut tracker = CursorTracker::new([None, None], &[]);
        let cursors = r#"{"inbox:u1":{"epoch":"aaaaaaaa","offset":4},"room:1":{"epoch":"bbbbbbbb","offset":7},"room:2":{"epoch":"bbbbbbbb","offset":2},"system:all":{"epoch":"aaaaaaaa","offset":1}}"#;
        tracker = tracker.with(&Decode::from_json(cursors).unwrap());
        let connected = r#"{"type":"connected","user_id":"u1","session":"s","session_token":"st_x","message":"","version":1,"heartbeat_ms":1,"timeout_ms":1,"now":1,"limits":{"message_bytes":1,"subscriptions":1,"page":1}}"#;
        tracker.pass(connected.as_bytes());
        assert!(!tracker.has_moved());
        tracker
            .pass(br#"{"type":"message","channel":"room:1","offset":8,"id":"a","at":1,"data":1}"#);
        assert!(tracker.has_moved());
        tracker.pass(br#"{"type":"error","channel":"room:2","code":"forbidden","message":"","retry":"never"}"#);
        let head = String::from_utf8(tracker.head_for_connect(7)).unwrap();
        let told = cursors.replace("\"offset\":7", "\"offset\":8");
        let told = told.replace(r#""room:2":{"epoch":"bbbbbbbb","offset":2},"#, "");
        for entry in told.trim_matches(['{', '}']).split("},") {
            assert!(head.contains(entry), "{entry} in {head}");
        }
        assert!(!head.contains("room:2"), "{head}");
    }

    #[test]
    fn reminders_wake_nobody() {
        let mut tracker = tracker([None, None], None);
        assert_eq!(tracker.pass(br#"{"type":"expiring","expires_at":5}"#), Passed::Reminder);
        assert_eq!(tracker.pass(br#"{"type":"goaway","within_ms":5}"#), Passed::News);
        assert_eq!(tracker.pass(b"pong"), Passed::News);
    }
}
