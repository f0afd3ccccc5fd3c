//! Bounds: those of the core, and those of the sockets around it.

use serde::{Deserialize, Serialize};
use tidings_server_core::Limits;

macro_rules! limits {
    ($($(#[$doc:meta])* own $own:ident: $own_type:ty = $default:literal,)* $(core $core:ident: $core_type:ty,)*) => {
        /// Bounds. `config.default.toml` gives the reason of each.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct LimitSettings {
            $($(#[$doc])* pub $own: $own_type,)*
            $(#[doc = concat!("As [`Limits::", stringify!($core), "`].")] pub $core: $core_type,)*
        }

        impl Default for LimitSettings {
            fn default() -> Self {
                let core = Limits::default();
                Self { $($own: $default,)* $($core: core.$core,)* }
            }
        }

        impl LimitSettings {
            /// The core's part.
            #[must_use]
            pub fn core(&self) -> Limits {
                Limits { $($core: self.$core,)* ..Limits::default() }
            }
        }
    };
}

limits! {
    /// Open sockets in all.
    own connections: usize = 100_000,
    /// Of one user.
    own connections_per_user: usize = 16,
    /// TCP links in all.
    own links: usize = 110_000,
    /// Of one user, besides its connections.
    own links_per_user: usize = 256,
    /// Links, and connections, that have shown no good credential yet.
    own unauthenticated: usize = 10_000,
    /// Of one address.
    own unauthenticated_per_address: usize = 1_000,
    /// New links a second.
    own accept_per_second: u32 = 2_000,
    /// New links that wait.
    own accept_queue: usize = 8_192,
    /// Of one address.
    own accept_queue_per_address: usize = 4_096,
    /// From connecting, or a request's first byte, to the end of its headers.
    own header_timeout_ms: u64 = 10_000,
    /// How long a link may rest between requests.
    own keep_alive_ms: u64 = 120_000,
    /// Until unacknowledged bytes end a link.
    own user_timeout_ms: u64 = 30_000,
    /// Until a connection that takes nothing is closed.
    own send_timeout_ms: u64 = 20_000,
    /// How long a close handshake may take.
    own close_timeout_ms: u64 = 5_000,
    /// Frames of one WebSocket message.
    own fragments: u32 = 64,
    /// From a request's headers to the end of its body.
    own body_timeout_ms: u64 = 10_000,
    /// Until an `EventSource` comes back.
    own retry_ms: u64 = 2_000,
    /// How long a poll waits for news.
    own poll_ms: u64 = 25_000,
    /// Bytes after which a poll answers though there is more.
    own poll_bytes: usize = 262_144,
    core connect_ms: u64,
    core heartbeat_ms: u64,
    core timeout_ms: u64,
    core idle_ms: u64,
    core stream_ms: u64,
    core grace_ms: u64,
    core expiring_ms: u64,
    core outstanding: usize,
    core message_burst: u64,
    core message_interval_ms: u64,
    core flood_strikes: u32,
    core bad_messages: u32,
    core subscriptions: usize,
    core connect_bytes: usize,
    core message_bytes: usize,
    core publish_bytes: usize,
    core page: u32,
    core page_bytes: u32,
    core catch_up_records: u32,
    core catch_up_bytes: u32,
    core snapshot_items: u32,
    core snapshot_bytes: u32,
    core mailbox_bytes: usize,
    core join_bytes: usize,
    core ticket_ms: u64,
    core session_ms: u64,
    core credential_ms: u64,
}
