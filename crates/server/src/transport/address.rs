//! The address of a stream or poll: `?channels=…&ticket=…|cursor=…`, and `Last-Event-ID`.

use http::HeaderMap;
use tidings_protocol::{
    Channel, Encode, Epoch, ErrorCode, Proof, VERSION,
    client::{Connect, Cursor},
    limits::MAX_OFFSET,
};
use tidings_server_core::{Refused, session::Wanted};

/// Most channels of an address. The cursors of each channel, of inbox and `system:all`, and a
/// session token have to fit into one `id`.
pub const CHANNELS: usize = 20;
/// Largest `id` of an event, in bytes. Browsers send it back as a header.
pub const ID_BYTES: usize = 2 * 1024;
/// The `id` of the last event of a stream that ended permanently. A client that returns with it is
/// told to stay away.
pub const ENDED: &str = "ended";
/// Stands for a channel without a cursor.
const UNKNOWN: &str = "-";

/// The parameters of the address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The credential of a returning client. A secret.
    session_token: Option<String>,
    /// A one-time ticket. A secret.
    ticket: Option<String>,
    /// The page's random name.
    instance: Option<String>,
    /// Cursors of the inbox, of `system:all`, then of `channels` in their order. Empty: none was
    /// given.
    cursors: Vec<Option<Cursor>>,
    /// Channels besides inbox and `system:all`.
    pub channels: Vec<Channel>,
    /// How long a poll may wait, in milliseconds.
    pub wait_ms: Option<u64>,
    /// Longest silence the client wants on its stream, in milliseconds.
    pub heartbeat_ms: Option<u64>,
}

impl Address {
    /// Reads a request's query and headers. Unknown parameters are ignored.
    ///
    /// # Errors
    /// `bad_request`, naming the parameter; `replaced` for a stream that ended permanently;
    /// `unknown_channel`.
    pub fn parse(query: &str, headers: &HeaderMap) -> Result<Self, Refused> {
        let mut address = Self::default();
        let mut cursor = None;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "channels" => {
                    for channel in value.split(',').filter(|name| !name.is_empty()) {
                        address.add(channel)?;
                    }
                }
                "channel" => address.add(&value)?,
                "ticket" => once(&mut address.ticket, "ticket", value.into_owned())?,
                "instance" => once(&mut address.instance, "instance", value.into_owned())?,
                "cursor" => once(&mut cursor, "cursor", value.into_owned())?,
                "wait" => once(&mut address.wait_ms, "wait", milliseconds("wait", &value)?)?,
                "heartbeat" => once(
                    &mut address.heartbeat_ms,
                    "heartbeat",
                    milliseconds("heartbeat", &value)?,
                )?,
                _ => {}
            }
        }
        if let Some(id) = headers.get("last-event-id") {
            let id =
                id.to_str().map_err(|_| bad("`Last-Event-ID` was not issued by this server"))?;
            if id == ENDED {
                return Err(Refused::new(ErrorCode::Replaced, "this stream has ended for good"));
            }
            if id.len() > ID_BYTES {
                return Err(bad("`Last-Event-ID` was not issued by this server"));
            }
            let (places, token) = id.split_once('~').unwrap_or((id, ""));
            cursor = Some(places.to_owned());
            address.session_token =
                Some(token).filter(|token| !token.is_empty()).map(str::to_owned);
        }
        if let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) {
            address.cursors = cursors(&cursor)?;
            if address.cursors.len() != 2 + address.channels.len() {
                return Err(bad(format!(
                    "the cursor has {} places; inbox, `system:all` and `channels` make {}",
                    address.cursors.len(),
                    2 + address.channels.len()
                )));
            }
        }
        Ok(address)
    }

    /// The `connect` that the address stands for.
    #[must_use]
    pub fn connect(&self) -> String {
        let ticket = match &self.session_token {
            // The stream that gave the session token has spent the ticket.
            Some(_) => None,
            None => self.ticket.clone(),
        };
        let connect = Connect {
            id: None,
            version: VERSION,
            ticket,
            token: None,
            session_token: self.session_token.clone(),
            instance: self.instance.clone(),
            batch: None,
            client: None,
            cursors: None,
        };
        Encode::to_json(&connect)
    }

    /// The channels to subscribe to, with their cursors.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        let of = |place: usize| self.cursors.get(place).copied().flatten();
        let channels = self.channels.iter().enumerate();
        Wanted {
            pair: [of(0), of(1)],
            channels: channels.map(|(at, channel)| (channel.clone(), of(at + 2))).collect(),
            ..Wanted::default()
        }
    }

    /// Whether the client resumes from cursors.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        !self.cursors.is_empty()
    }

    fn add(&mut self, name: &str) -> Result<(), Refused> {
        let channel = Channel::parse(name)
            .map_err(|error| Refused::new(ErrorCode::UnknownChannel, error.to_string()))?;
        if self.channels.contains(&channel) {
            return Err(bad(format!("`channels` names {name} twice")));
        }
        if channel.is_system() || channel.inbox_user().is_some() {
            return Err(bad("inbox and `system:all` are part of every stream: leave them out"));
        }
        if self.channels.len() == CHANNELS {
            return Err(bad(format!("`channels` has at most {CHANNELS}")));
        }
        self.channels.push(channel);
        Ok(())
    }
}

/// The ticket in a WebSocket's address, for plain clients that can't send a first message. Parsed
/// as in a stream's address.
///
/// # Errors
/// `bad_request` if it is given twice.
pub fn ticket(query: &str) -> Result<Option<String>, Refused> {
    let mut ticket = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name == "ticket" {
            once(&mut ticket, "ticket", value.into_owned())?;
        }
    }
    Ok(ticket)
}

/// Appends cursors in the form of a stream's `id`.
pub fn push_cursors(out: &mut Vec<u8>, places: impl Iterator<Item = Option<Cursor>>) {
    for (at, cursor) in places.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        match cursor {
            None => out.extend_from_slice(UNKNOWN.as_bytes()),
            Some(Cursor { epoch, offset, proof }) => {
                out.extend_from_slice(&epoch.to_bytes());
                out.push(b'.');
                push_number(out, offset);
                if let Some(proof) = proof {
                    out.push(b'.');
                    out.extend_from_slice(proof.as_bytes());
                }
            }
        }
    }
}

/// Appends decimal digits, faster than `format!`: this runs for each channel of each event.
fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn cursors(text: &str) -> Result<Vec<Option<Cursor>>, Refused> {
    let places = text.split(',').map(|place| {
        if place == UNKNOWN {
            return Some(None);
        }
        let (epoch, offset) = place.split_once('.')?;
        let (offset, proof) = match offset.split_once('.') {
            Some((offset, proof)) => (offset, Some(Proof::from_text(proof))),
            None => (offset, None),
        };
        let offset = offset.parse().ok().filter(|offset| *offset <= MAX_OFFSET)?;
        Some(Some(Cursor { epoch: Epoch::parse(epoch).ok()?, offset, proof }))
    });
    places
        .take(CHANNELS + 3)
        .collect::<Option<_>>()
        .ok_or_else(|| bad("the cursor was not issued by this server"))
}

/// Sets a parameter that has one value. Two values are refused: the server does not guess which one
/// is meant.
fn once<T>(place: &mut Option<T>, name: &str, value: T) -> Result<(), Refused> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(bad(format!("`{name}` is given twice"))),
    }
}

fn milliseconds(name: &str, value: &str) -> Result<u64, Refused> {
    value.parse().map_err(|_| bad(format!("`{name}` is a number of milliseconds")))
}

fn bad(detail: impl Into<String>) -> Refused {
    Refused::new(ErrorCode::BadRequest, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str, id: Option<&'static str>) -> Result<Address, Refused> {
        let mut headers = HeaderMap::new();
        if let Some(id) = id {
            headers.insert("last-event-id", http::HeaderValue::from_static(id));
        }
        Address::parse(query, &headers)
    }

    fn cursor(epoch: &str, offset: u64) -> Option<Cursor> {
        Some(Cursor::new(Epoch::parse(epoch).unwrap(), offset))
    }

    #[test]
    fn channels_are_listed_or_named_one_by_one() {
        let address =
            parse("channels=room:1,room%3A2&channel=room:a%2Cb&instance=p&x=y", None).unwrap();
        let names: Vec<_> = address.channels.iter().map(Channel::as_str).collect();
        assert_eq!(names, ["room:1", "room:2", "room:a,b"]);
        assert!(!address.goes_on());
        assert_eq!(address.connect(), r#"{"type":"connect","version":1,"instance":"p"}"#);
    }

    #[test]
    fn an_id_speaks_before_the_ticket_that_was_spent_for_it() {
        let id = "k3Jx0_aZ.41,-,Qm-81sTf.7~st_x";
        let address = parse("ticket=tk_1&channels=room:1", Some(id)).unwrap();
        assert_eq!(address.connect(), r#"{"type":"connect","version":1,"session_token":"st_x"}"#);
        let wanted = address.wanted();
        assert_eq!(wanted.pair, [cursor("k3Jx0_aZ", 41), None]);
        assert_eq!(wanted.channels[0].1, cursor("Qm-81sTf", 7));
    }

    #[test]
    fn a_cursor_goes_on_with_another_credential() {
        let address = parse("cursor=k3Jx0_aZ.41,Qm-81sTf.0&ticket=tk_1", None).unwrap();
        assert!(address.goes_on());
        assert_eq!(address.connect(), r#"{"type":"connect","version":1,"ticket":"tk_1"}"#);
    }

    #[test]
    fn cursors_come_back_as_they_were_written() {
        let places = [cursor("k3Jx0_aZ", 0), None, cursor("Qm-81sTf", MAX_OFFSET)];
        let mut text = Vec::new();
        push_cursors(&mut text, places.into_iter());
        assert_eq!(cursors(str::from_utf8(&text).unwrap()).unwrap(), places);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let many: Vec<_> = (0..21).map(|number| format!("room:{number}")).collect();
        let cases = [
            ("channels=Room:1", None, ErrorCode::UnknownChannel),
            ("channels=room:1,room:1", None, ErrorCode::BadRequest),
            ("channels=system:all", None, ErrorCode::BadRequest),
            (&*format!("channels={}", many.join(",")), None, ErrorCode::BadRequest),
            ("cursor=x", None, ErrorCode::BadRequest),
            ("cursor=k3Jx0_aZ.1", None, ErrorCode::BadRequest),
            ("cursor=k3Jx0_aZ.9007199254740992,-", None, ErrorCode::BadRequest),
            ("cursor=k3Jx0_aZ.-1,-", None, ErrorCode::BadRequest),
            ("wait=soon", None, ErrorCode::BadRequest),
            ("heartbeat=-1", None, ErrorCode::BadRequest),
            ("", Some("7"), ErrorCode::BadRequest),
            ("", Some(ENDED), ErrorCode::Replaced),
        ];
        for (query, id, code) in cases {
            assert_eq!(parse(query, id).unwrap_err().code, code, "{query} {id:?}");
        }
    }
}
