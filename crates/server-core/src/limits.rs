//! Every bound of the core, with its default and its reason.

use tidings_protocol::limits;

use crate::budget::Rates;

/// The limits of sessions, hub and services. All connections of a server share one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time from open to `connect`, in milliseconds. A silent socket is closed after it. Default
    /// 10,000.
    pub connect_ms: u64,
    /// Interval of a client's pings, in milliseconds, as `connected` states it. Proxies cut
    /// connections that are idle for 30–60 s. Default 25,000.
    pub heartbeat_ms: u64,
    /// How long either end waits for an answer to a ping, in milliseconds. Default 10,000.
    pub timeout_ms: u64,
    /// Silence after which the server pings, in milliseconds. Above `heartbeat_ms`, so that the
    /// server sends no pings to clients that ping by themselves. Default 30,000.
    pub idle_ms: u64,
    /// Longest life of a stream, in milliseconds. Each stream gets at least three quarters of it,
    /// so that streams that began together do not end together. A stream's client can't answer a
    /// ping, and a proxy hides that the client is gone. So the client must reconnect, and the
    /// connection of one that does not is freed. Default 240,000.
    pub stream_ms: u64,
    /// How long a connection may outlive its credential, in milliseconds: time for a refresh in
    /// progress. Default 10,000.
    pub grace_ms: u64,
    /// `expiring` is sent this long before the credential ends, in milliseconds, but not before
    /// four fifths of its life. Default 60,000.
    pub expiring_ms: u64,
    /// Unanswered requests of a connection at which the server stops reading from it. Default 32.
    pub outstanding: usize,
    /// Messages a connection may send in a burst. Default 100.
    pub message_burst: u64,
    /// Milliseconds until one more message may be sent. Default 20, which is 50 a second.
    pub message_interval_ms: u64,
    /// Messages over the rate, each answered by `flood`, until the connection is closed. Default
    /// 20.
    pub flood_strikes: u32,
    /// Unreadable messages, each answered by an error, until the connection is closed. Default 10.
    pub bad_messages: u32,
    /// Rates of a user over all connections and requests.
    pub user: Rates,
    /// Requests of a user with messages (`POST /v1/sessions/{session}/messages`) that run or wait.
    /// Default 64.
    pub user_visits: usize,
    /// Channels of a connection, inbox and `system:all` included. Default 100.
    pub subscriptions: usize,
    /// Largest `connect`, in bytes. Default 64 KiB.
    pub connect_bytes: usize,
    /// Largest other client message, in bytes. Default 10 KiB.
    pub message_bytes: usize,
    /// Largest body of a backend's REST publish, in bytes. Default 64 KiB.
    pub publish_bytes: usize,
    /// Largest body of a user's REST publish, in bytes; the same as over a socket. Default 10 KiB.
    pub user_publish_bytes: usize,
    /// Most users of one publish, which is one transaction. Default 1,000.
    pub users_per_publish: usize,
    /// Most offsets of one mark. Default 1,000.
    pub mark_offsets: usize,
    /// Most items or messages of one page. Default 100.
    pub page: u32,
    /// Bytes of the items or messages of one page. Half of the mailbox, so that a waiting page
    /// leaves room for live records. Default 256 KiB.
    pub page_bytes: u32,
    /// Records read from the log at once while catching up. Default 100.
    pub catch_up_records: u32,
    /// Bytes of records read from the log at once while catching up. Reads for several channels of
    /// one connection share half of the mailbox. Default 64 KiB.
    pub catch_up_bytes: u32,
    /// Items of a snapshot: as many as a bell shows. Default 50.
    pub snapshot_items: u32,
    /// Bytes of a snapshot's items. Half of a poll's answer, so that it fits there together with
    /// the greeting. Older items come by `history`. Default 128 KiB.
    pub snapshot_bytes: u32,
    /// Bytes queued for a connection at which its live subscriptions go back to reading the log.
    /// Default 512 KiB.
    pub mailbox_bytes: usize,
    /// Messages are joined into one frame up to this many bytes, the size of the socket's write
    /// buffer. Default 16 KiB.
    pub join_bytes: usize,
    /// Unspent tickets in all: enough for 3,000 new connections a second, with 30 s for each
    /// ticket. Default 100,000.
    pub tickets: u64,
    /// Unspent tickets that one user requested. Default 32.
    pub user_tickets: u64,
    /// Lanes (`client_id`) of a user that are remembered: a process without storage that starts every ten minutes makes 4,320 in
    /// 30 days. Default 5,000.
    pub user_lanes: u64,
    /// Life of a ticket, in milliseconds. Default 30,000.
    pub ticket_ms: u64,
    /// Life of a session whose ticket names none, in milliseconds. Default 1 h.
    pub session_ms: u64,
    /// Longest life of any credential, in milliseconds. A revocation is stored for an hour more.
    /// Default 30 days.
    pub credential_ms: u64,
}

impl Limits {
    /// The limits for a connection that ends with one answer of at most this many bytes. A snapshot
    /// or a read of the log takes at most half of it; the rest is for other messages. `None`: the
    /// limits fit unchanged.
    #[must_use]
    pub fn fitting(&self, answer_bytes: usize) -> Option<Self> {
        let most = u32::try_from(answer_bytes / 2).unwrap_or(u32::MAX);
        (self.snapshot_bytes > most || self.catch_up_bytes > most).then(|| Self {
            snapshot_bytes: self.snapshot_bytes.min(most),
            catch_up_bytes: self.catch_up_bytes.min(most),
            ..self.clone()
        })
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_ms: 10_000,
            heartbeat_ms: 25_000,
            timeout_ms: 10_000,
            idle_ms: 30_000,
            stream_ms: 240_000,
            grace_ms: 10_000,
            expiring_ms: 60_000,
            outstanding: 32,
            message_burst: 100,
            message_interval_ms: 20,
            flood_strikes: 20,
            bad_messages: 10,
            user: Rates::default(),
            user_visits: 64,
            subscriptions: 100,
            connect_bytes: limits::CONNECT_BYTES,
            message_bytes: limits::MESSAGE_BYTES,
            publish_bytes: limits::PUBLISH_BYTES,
            user_publish_bytes: limits::MESSAGE_BYTES,
            users_per_publish: limits::USERS_PER_PUBLISH,
            mark_offsets: limits::MARK_OFFSETS,
            page: limits::PAGE_MAX,
            page_bytes: 256 * 1024,
            catch_up_records: 100,
            catch_up_bytes: 64 * 1024,
            snapshot_items: 50,
            snapshot_bytes: 128 * 1024,
            mailbox_bytes: 512 * 1024,
            join_bytes: 16 * 1024,
            tickets: 100_000,
            user_tickets: 32,
            user_lanes: 5_000,
            ticket_ms: 30_000,
            session_ms: 3_600_000,
            credential_ms: *limits::SESSION_TTL_MS.end(),
        }
    }
}
