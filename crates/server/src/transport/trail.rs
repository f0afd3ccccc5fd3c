//! Where a client is in each of its channels, known from the messages that go by.

use tidings_protocol::{
    Channel, Epoch, ServerMessage,
    client::Cursor,
    json::push_str_escaped,
    server::{Connected, Refreshed, Subscribed},
};

use super::address::push_cursors;

/// Cursors after the last message that went by, and the credential to come back with.
#[derive(Debug, Default)]
pub struct Trail {
    session: String,
    /// A secret.
    session_token: String,
    /// The inbox, `system:all`, then the others in the order of the address.
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    /// As it stands in messages, quotes included; empty for the inbox of a user who is not known yet.
    name: Box<str>,
    cursor: Option<Cursor>,
    /// Counts once the client was told what it missed before it.
    after_the_gap: Option<Cursor>,
}

/// What a message is, as far as cursors are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// A record, or anything else that says something new.
    News,
    /// `connected`, or a `subscribed` that takes up the client's cursor: nothing has happened since.
    Greeting,
    /// A `subscribed` that does not: what it means is in the next message.
    Opening,
    /// `expiring`: worth knowing, not worth waking anybody.
    Reminder,
}

impl Trail {
    /// At the places the client names, which are its `channels` after inbox and `system:all`.
    #[must_use]
    pub fn new(pair: [Option<Cursor>; 2], channels: &[(Channel, Option<Cursor>)]) -> Self {
        let [inbox, system] = pair;
        let mut places = Vec::with_capacity(2 + channels.len());
        places.push(Place { name: Box::default(), cursor: inbox, after_the_gap: None });
        places.push(Place::of(&Channel::system(), system));
        places.extend(channels.iter().map(|(channel, cursor)| Place::of(channel, *cursor)));
        Self { places, ..Self::default() }
    }

    /// A message goes to the client: everything up to it counts as received.
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
                if let Some(place) = self.place(&left.channel) {
                    place.cursor = None;
                }
            }
            Some(ServerMessage::Snapshot(snapshot)) => {
                let Cursor { epoch, offset } = snapshot.system;
                self.reach(&snapshot.channel, Some(snapshot.epoch), snapshot.offset);
                self.reach(&Channel::system(), Some(epoch), offset);
            }
            Some(ServerMessage::Gap(gap)) => {
                // Of the pair, a snapshot follows: until it is there, the old cursor tells the gap again.
                if let Some(place) = self.place(&gap.channel)
                    && let Some(cursor) = place.after_the_gap.take()
                {
                    place.cursor = Some(cursor);
                }
            }
            Some(ServerMessage::Skip(skip)) => self.reach(&skip.channel, None, skip.to),
            Some(ServerMessage::Expiring(_)) => return Passed::Reminder,
            // A record that somebody wrote in another form than this server does.
            Some(other) => {
                if let Some((channel, offset)) = record(&other) {
                    self.reach(channel, None, offset);
                }
            }
            None => {}
        }
        Passed::News
    }

    /// The fast way for what is sent most: `{"type":"…","channel":"…","offset":…`, as every record is written.
    fn pass_record(&mut self, frame: &[u8]) -> Option<()> {
        let rest = frame.strip_prefix(br#"{"type":""#)?;
        let end = rest.iter().position(|byte| *byte == b'"')?;
        let rest = rest.get(end..)?.strip_prefix(br#"","channel":"#)?;
        for place in &mut self.places {
            let Some(rest) = rest.strip_prefix(place.name.as_bytes()) else { continue };
            let Some(digits) = rest.strip_prefix(br#","offset":"#) else { continue };
            let cursor = place.cursor.as_mut()?;
            let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
            cursor.offset = digits.fold(0, |sum: u64, digit| {
                sum.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))
            });
            return Some(());
        }
        None
    }

    /// Cursors and session token as one text, for `id`.
    pub fn push_id(&self, out: &mut Vec<u8>) {
        push_cursors(out, self.places.iter().map(|place| place.cursor));
        out.push(b'~');
        out.extend_from_slice(self.session_token.as_bytes());
    }

    /// `{"session":…,"session_token":…,"cursor":…}`: the head of a poll's answer, for the next call's address.
    #[must_use]
    pub fn head_for_address(&self) -> Vec<u8> {
        let mut out = self.head();
        out.extend_from_slice(br#","cursor":""#);
        push_cursors(&mut out, self.places.iter().map(|place| place.cursor));
        out.extend_from_slice(br#""}"#);
        out
    }

    /// `{"session":…,"session_token":…,"cursors":{…}}`: the same for the next call's `connect`.
    #[must_use]
    pub fn head_for_connect(&self) -> Vec<u8> {
        let mut out = self.head();
        out.extend_from_slice(br#","cursors":{"#);
        let mut first = true;
        for place in &self.places {
            let Some(Cursor { epoch, offset }) = place.cursor else { continue };
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            out.extend_from_slice(place.name.as_bytes());
            out.extend_from_slice(
                format!(r#":{{"epoch":"{}","offset":{offset}}}"#, epoch.as_str()).as_bytes(),
            );
        }
        out.extend_from_slice(b"}}");
        out
    }

    fn head(&self) -> Vec<u8> {
        let mut head = String::from(r#"{"session":"#);
        push_str_escaped(&mut head, &self.session);
        head.push_str(r#","session_token":"#);
        push_str_escaped(&mut head, &self.session_token);
        head.into_bytes()
    }

    fn connected(&mut self, connected: Connected) {
        let Connected { user_id, session, session_token, .. } = connected;
        self.session = session;
        self.session_token = session_token;
        if let (Ok(inbox), Some(place)) = (Channel::inbox(&user_id), self.places.first_mut()) {
            place.name = name_of(&inbox);
        }
    }

    /// A subscription begins. What the client knew stays true until it was told what it missed: a snapshot of the pair, a gap elsewhere.
    fn subscribed(&mut self, begun: &Subscribed) -> Passed {
        let Subscribed { channel, epoch, offset, recovered, .. } = begun;
        let cursor = Some(Cursor { epoch: *epoch, offset: *offset });
        let pair = channel.is_system() || channel.inbox_user().is_some();
        if self.place(channel).is_none() {
            self.places.push(Place::of(channel, None));
        }
        let Some(place) = self.place(channel) else { return Passed::News };
        if *recovered {
            place.cursor = cursor;
            return Passed::Greeting;
        }
        if !pair && place.cursor.is_none() {
            place.cursor = cursor;
        } else if !pair {
            place.after_the_gap = cursor;
        }
        Passed::Opening
    }

    fn reach(&mut self, channel: &Channel, epoch: Option<Epoch>, offset: u64) {
        let Some(place) = self.place(channel) else { return };
        let epoch = epoch.or(place.cursor.map(|cursor| cursor.epoch));
        place.cursor = epoch.map(|epoch| Cursor { epoch, offset });
    }

    fn place(&mut self, channel: &Channel) -> Option<&mut Place> {
        let name = name_of(channel);
        self.places.iter_mut().find(|place| place.name == name)
    }
}

impl Place {
    fn of(channel: &Channel, cursor: Option<Cursor>) -> Self {
        Self { name: name_of(channel), cursor, after_the_gap: None }
    }
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
