//! Sizes and counts that client and server both know, each with its reason. A server may configure
//! some of them lower or higher; `connected.limits` holds the values of a connection.

/// Largest `connect`, in bytes: a cursor for each of [`CURSORS`] channels plus a large JWT.
pub const CONNECT_BYTES: usize = 64 * 1024;

/// Largest other client message, in bytes: enough for a chat message, while a connection's read
/// buffer stays small.
pub const MESSAGE_BYTES: usize = 10 * 1024;

/// Largest REST body of a notification or message, in bytes: every subscriber gets its record.
pub const PUBLISH_BYTES: usize = 64 * 1024;

/// Largest public `info` of a user, in bytes: each of the user's messages carries it.
pub const INFO_BYTES: usize = 1024;

/// Longest user id, in bytes: a user id is the name of an inbox channel.
pub const USER_BYTES: usize = 128;

/// Longest name in a channel (the part after `:`), in bytes: names are keys in memory and in every
/// index.
pub const NAME_BYTES: usize = 128;

/// Longest namespace, in bytes: operators configure namespaces, users don't make them up.
pub const NAMESPACE_BYTES: usize = 32;

/// Most cursors of one `connect`: as many as fit in [`CONNECT_BYTES`] with the longest names.
pub const CURSORS: usize = 256;

/// Most items or messages of one page: limits the answer and the read for it.
pub const PAGE_MAX: u32 = 100;

/// Items or messages of a page if the client does not say.
pub const PAGE_DEFAULT: u32 = 50;

/// Most offsets of one mark, inbox and system together: a mark is one record. `up_to` covers more
/// items.
pub const MARK_OFFSETS: usize = 1_000;

/// Deepest nesting of a JSON text, counted from its outermost object: a limit for every parser that
/// reads it.
pub const DEPTH: usize = 32;

/// Deepest nesting of a payload and of a user's `info`. The other levels of [`DEPTH`] are for the
/// messages around it: a page, its list, a record in it, and a notification's body or a message's
/// author.
pub const PAYLOAD_DEPTH: usize = DEPTH - 4;

/// Largest offset and largest integer on the wire, 2^53 − 1: every JSON number stays exact in
/// JavaScript.
pub const MAX_OFFSET: u64 = (1 << 53) - 1;

/// Most users of one publish, which is one transaction.
pub const USERS_PER_PUBLISH: usize = 1_000;

/// Longest notification type, in bytes.
pub const KIND_BYTES: usize = 64;

/// Longest notification title, in bytes.
pub const TITLE_BYTES: usize = 512;

/// Longest notification message, in bytes: longer texts belong behind the link.
pub const TEXT_BYTES: usize = 8 * 1024;

/// Longest link of a notification, in bytes.
pub const URL_BYTES: usize = 2 * 1024;

/// Longest `jti` of a JWT, in bytes. The issuer chooses it; the server names sessions by its hash.
pub const JTI_BYTES: usize = 256;
/// Longest `instance`, `client_id`, session id, signal name or state key, in bytes.
pub const ID_BYTES: usize = 64;

/// Longest `Idempotency-Key`, in bytes.
pub const IDEMPOTENCY_KEY_BYTES: usize = 128;

/// Most grants of one credential: rights are checked on every subscribe and publish.
pub const GRANTS: usize = 64;

/// Longest credential (ticket, JWT or session token), in bytes.
pub const CREDENTIAL_BYTES: usize = 8 * 1024;

/// Shortest and longest session that a backend may ask for with a ticket, in milliseconds: 10 s to
/// 30 days.
pub const SESSION_TTL_MS: std::ops::RangeInclusive<u64> = 10_000..=30 * 24 * 3_600_000;
