//! Error codes and close codes, and how a client reacts to each. One table serves Rust and
//! TypeScript.

use std::fmt::{self, Display, Formatter};

/// How a client reacts to an error or a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Back off, then connect or send again.
    Backoff,
    /// Do not try again.
    Never,
    /// Get a new ticket, then connect again.
    Ticket,
}

/// The party at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The app: its code or its backend must change.
    App,
    /// The browser: a feature is missing or fails.
    Browser,
    /// The network.
    Network,
    /// The server.
    Server,
}

impl Fault {
    /// The word on the wire and in TypeScript.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Browser => "browser",
            Self::Network => "network",
            Self::Server => "server",
        }
    }
}

/// A WebSocket close code. Its range tells a client how to react if the `error` before it did not
/// arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// A normal end.
    pub const NORMAL: Self = Self(1000);
    /// The peer seems gone, or the page went away.
    pub const AWAY: Self = Self(1001);
    /// A frame that broke the WebSocket protocol.
    pub const PROTOCOL: Self = Self(1002);
    /// A client's name for an end without a close frame; never sent.
    pub const ABNORMAL: Self = Self(1006);
    /// A text frame that is not UTF-8.
    pub const INVALID_UTF8: Self = Self(1007);
    /// A message over the size limit. The client connects again: it drops the message, so the next
    /// connection does not send it.
    pub const TOO_LARGE: Self = Self(1009);
    /// An internal error of the server.
    pub const INTERNAL: Self = Self(1011);
    /// The server goes away and comes back.
    pub const RESTART: Self = Self(1012);
    /// The server can't serve the connection now.
    pub const TRY_LATER: Self = Self(1013);
    /// The credential is missing, malformed or spent.
    pub const UNAUTHORIZED: Self = Self(4001);
    /// The credential has expired.
    pub const EXPIRED: Self = Self(4002);
    /// The credential was revoked.
    pub const REVOKED: Self = Self(4003);
    /// Not allowed.
    pub const FORBIDDEN: Self = Self(4103);
    /// The new credential belongs to another user.
    pub const USER_MISMATCH: Self = Self(4104);
    /// A newer connection of the same page took over.
    pub const REPLACED: Self = Self(4105);
    /// A message that the server can't read or does not expect now.
    pub const BAD_REQUEST: Self = Self(4109);
    /// A protocol version the server does not speak.
    pub const VERSION: Self = Self(4126);
    /// The connection was too slow for its messages.
    pub const SLOW_CONSUMER: Self = Self(4208);
    /// No `connect` in time, or no sign of life.
    pub const TIMEOUT: Self = Self(4210);
    /// Too many messages.
    pub const FLOOD: Self = Self(4229);
    /// Too many connections.
    pub const CONNECTIONS: Self = Self(4230);

    /// The reaction by range: 4000–4099 get a new ticket, 4100–4199 never retry, others back off.
    pub fn retry(self) -> Retry {
        match self.0 {
            4000..=4099 => Retry::Ticket,
            4100..=4199 => Retry::Never,
            _ => Retry::Backoff,
        }
    }
}

/// The table. It is a macro so that each column becomes its own function: a client that shows no
/// advice ships none.
macro_rules! error_codes {
    ($($name:ident = $text:literal, $fault:ident, $retry:ident, $close:expr, $http:literal, $advice:literal;)*) => {
        /// A stable name for an error. Newer servers may send other names: a client accepts them
        /// and obeys `retry`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $(#[doc = $advice] $name,)*
        }

        impl ErrorCode {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The code of a name, if this version knows it.
            pub fn from_name(name: &str) -> Option<Self> {
                // A loop takes a third of the code of a `match`, and only errors need it.
                Self::ALL.iter().copied().find(|code| code.as_str() == name)
            }

            /// The party at fault.
            pub fn fault(self) -> Fault {
                match self { $(Self::$name => Fault::$fault,)* }
            }

            /// The client's reaction.
            pub fn retry(self) -> Retry {
                match self { $(Self::$name => Retry::$retry,)* }
            }

            /// The close code, if the connection ends with this error.
            pub fn close(self) -> Option<CloseCode> {
                match self { $(Self::$name => $close,)* }
            }

            /// The HTTP status of a REST answer; 500 for codes that only SDKs use.
            pub fn http(self) -> u16 {
                match self { $(Self::$name => $http,)* }
            }

            /// Advice to the developer, in one sentence.
            pub fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* }
            }
        }
    };
}

error_codes! {
    // Authentication.
    Unauthorized = "unauthorized", App, Ticket, Some(CloseCode::UNAUTHORIZED), 401, "Send a valid ticket, token, session token or API key.";
    TicketInvalid = "ticket_invalid", App, Ticket, Some(CloseCode::UNAUTHORIZED), 401, "The ticket is unknown, spent or too old: get a new one for each attempt.";
    Expired = "expired", App, Ticket, Some(CloseCode::EXPIRED), 401, "The credential has ended: get a new ticket, or refresh before it ends.";
    Revoked = "revoked", App, Ticket, Some(CloseCode::REVOKED), 401, "The backend revoked the credential: the user has to sign in again.";
    UserMismatch = "user_mismatch", App, Never, Some(CloseCode::USER_MISMATCH), 403, "The credential is another user's: get a ticket of the signed-in user.";
    Forbidden = "forbidden", App, Never, Some(CloseCode::FORBIDDEN), 403, "The credential does not grant this: add a grant to the ticket's or token's `channels`.";
    OriginRefused = "origin_refused", App, Never, None, 403, "Add the page's origin to the server's `origins`.";
    // Messages and requests.
    BadRequest = "bad_request", App, Never, Some(CloseCode::BAD_REQUEST), 400, "The message or request is malformed or in the wrong place.";
    UnknownType = "unknown_type", App, Never, None, 400, "The server does not know this message type: it may be older than the client.";
    UnknownChannel = "unknown_channel", App, Never, None, 404, "No channel has this name: a name is `namespace:name`.";
    Version = "version", App, Never, Some(CloseCode::VERSION), 400, "The server does not speak this protocol version: update the client or the server.";
    TooLarge = "too_large", App, Backoff, Some(CloseCode::TOO_LARGE), 413, "Send less: the message is over the size limit and was dropped.";
    InvalidUtf8 = "invalid_utf8", App, Backoff, Some(CloseCode::INVALID_UTF8), 400, "Send UTF-8 text.";
    Subscriptions = "subscriptions", App, Never, None, 400, "Leave a channel first: the connection holds as many as the server allows.";
    Sequence = "sequence", App, Backoff, None, 409, "The lane has a hole before this `seq`: move unanswered intents to a new lane.";
    EpochMismatch = "epoch_mismatch", Server, Never, None, 409, "The offsets are of a log that was replaced: load the list again.";
    Conflict = "conflict", App, Never, None, 409, "The value was set meanwhile: read it and set it again.";
    // Limits.
    SlowConsumer = "slow_consumer", Network, Backoff, Some(CloseCode::SLOW_CONSUMER), 503, "The connection did not take its data in time; it resumes where it was.";
    Timeout = "timeout", Network, Backoff, Some(CloseCode::TIMEOUT), 408, "Send `connect` in time, and answer pings.";
    Flood = "flood", App, Backoff, Some(CloseCode::FLOOD), 429, "Send less often.";
    Full = "full", App, Backoff, None, 429, "Too many of these exist already: try again when some are gone.";
    Connections = "connections", App, Backoff, Some(CloseCode::CONNECTIONS), 429, "Close other connections of this user, or raise the server's limit.";
    Replaced = "replaced", App, Never, Some(CloseCode::REPLACED), 409, "A newer connection of the same instance took over; nothing to do.";
    // The server's state.
    Restart = "restart", Server, Backoff, Some(CloseCode::RESTART), 503, "The server restarts; clients come back by themselves.";
    Busy = "busy", Server, Backoff, Some(CloseCode::TRY_LATER), 503, "The server has no room for this just now, and stored nothing of it: wait, then try again.";
    StorageUnavailable = "storage_unavailable", Server, Backoff, Some(CloseCode::TRY_LATER), 503, "The server's store is down: try again with the same key.";
    Internal = "internal", Server, Backoff, Some(CloseCode::INTERNAL), 500, "The server failed: report the request id to its operator.";
    // REST.
    IdempotencyMismatch = "idempotency_mismatch", App, Never, None, 422, "This Idempotency-Key was used for another body: use a new key.";
    IdempotencyInFlight = "idempotency_in_flight", App, Backoff, None, 409, "The first request with this Idempotency-Key is still running: try again soon.";
    NotFound = "not_found", App, Never, None, 404, "Nothing is there: check the path, or the id.";
    MethodNotAllowed = "method_not_allowed", App, Never, None, 405, "Use the method of the reference.";
    UnsupportedMediaType = "unsupported_media_type", App, Never, None, 415, "Send `Content-Type: application/json`.";
    // Errors that the SDK finds itself.
    ClosedByApp = "closed", App, Never, None, 500, "The client was closed by close(): create a new one.";
    InvalidArgument = "invalid_argument", App, Never, None, 500, "Correct the argument: see the error's message.";
    MaxAttempts = "max_attempts", Network, Never, None, 500, "All attempts failed: call connect() to start again.";
    Network = "network", Network, Backoff, None, 500, "The server can't be reached: check the connection and the url.";
    OutboxFull = "outbox_full", App, Backoff, None, 500, "Too many calls wait for an answer: wait for some, or connect.";
    SignedOut = "signed_out", App, Never, None, 500, "No user is signed in: set one first.";
    Storage = "storage", Browser, Backoff, None, 500, "The browser gives no storage (private mode or quota): state lasts as long as the page.";
    TicketFailed = "ticket_failed", App, Backoff, None, 500, "The app's ticket function failed: see the error's cause.";
    TicketTimeout = "ticket_timeout", App, Backoff, None, 500, "The app's ticket function took too long: it must settle within its deadline.";
    UrlMissing = "url_missing", App, Never, None, 500, "Give createTidings a `url`.";
    WasmUnavailable = "wasm_unavailable", Browser, Backoff, None, 500, "The WebAssembly module can't load, and is asked for again unless the page forbids it or the browser lacks something: allow 'wasm-unsafe-eval' in the CSP, and check that the file is served.";
}

impl Display for ErrorCode {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn close_codes_ask_the_same_as_their_errors() {
        for code in ErrorCode::ALL {
            if let Some(close) = code.close() {
                assert_eq!(close.retry(), code.retry(), "{code}");
            }
        }
    }

    #[test]
    fn names_are_stable_words_that_lead_back() {
        let names: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL {
            assert!(
                code.as_str().bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')),
                "{code}"
            );
            assert_eq!(ErrorCode::from_name(code.as_str()), Some(*code));
            assert!(code.advice().ends_with('.'), "{code}");
        }
        assert_eq!(ErrorCode::from_name("no_such_code"), None);
    }

    #[test]
    fn unknown_close_codes_back_off_and_ranges_decide_the_rest() {
        let cases = [
            (1006, Retry::Backoff),
            (1008, Retry::Backoff),
            (3000, Retry::Backoff),
            (4000, Retry::Ticket),
            (4099, Retry::Ticket),
            (4100, Retry::Never),
            (4199, Retry::Never),
            (4200, Retry::Backoff),
            (4300, Retry::Backoff),
        ];
        for (code, retry) in cases {
            assert_eq!(CloseCode(code).retry(), retry, "{code}");
        }
    }
}
