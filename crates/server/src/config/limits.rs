//! Limits: those of the core, and those of the transports.

use serde::{Deserialize, Serialize};
use tidings_server_core::{
    Limits,
    budget::{Rate, Rates},
};

macro_rules! limits {
    ($($(#[$doc:meta])* own $own:ident: $own_type:ty = $default:literal,)* $(core $core:ident: $core_type:ty,)*) => {
        /// Limits. `config.default.toml` gives the reason for each.
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
            /// The core's limits.
            #[must_use]
            pub fn core(&self) -> Limits {
                Limits { $($core: self.$core,)* user: self.user(), ..Limits::default() }
            }
        }
    };
}

limits! {
    /// Open connections in all.
    own connections: usize = 100_000,
    /// Open connections of one user.
    own connections_per_user: usize = 16,
    /// TCP connections in all.
    own links: usize = 110_000,
    /// TCP connections of one user, besides those that carry open connections.
    own links_per_user: usize = 256,
    /// Unauthenticated TCP connections, sockets and streams.
    own unauthenticated: usize = 10_000,
    /// Those of one address.
    own unauthenticated_per_address: usize = 1_000,
    /// New TCP connections a second.
    own accept_per_second: u32 = 2_000,
    /// New TCP connections that wait.
    own accept_queue: usize = 8_192,
    /// Those of one address.
    own accept_queue_per_address: usize = 4_096,
    /// From connecting, or a request's first byte, to the end of its headers.
    own header_timeout_ms: u64 = 10_000,
    /// How long a TCP connection may be idle between requests.
    own keep_alive_ms: u64 = 120_000,
    /// Time until unacknowledged bytes end a TCP connection.
    own user_timeout_ms: u64 = 30_000,
    /// Time until a connection whose client takes no bytes is closed.
    own send_timeout_ms: u64 = 20_000,
    /// How long a close handshake may take.
    own close_timeout_ms: u64 = 5_000,
    /// Frames of one WebSocket message.
    own fragments: u32 = 64,
    /// From a request's headers to the end of its body.
    own body_timeout_ms: u64 = 10_000,
    /// Time until an `EventSource` reconnects.
    own retry_ms: u64 = 2_000,
    /// How long a poll waits for news.
    own poll_ms: u64 = 25_000,
    /// Bytes after which a poll is answered even if there is more.
    own poll_bytes: usize = 262_144,
    /// Messages of a user at once.
    own user_message_burst: u64 = 2_000,
    /// Time until one more message.
    own user_message_interval_ms: u64 = 10,
    /// Bytes of messages at once.
    own user_bytes_burst: u64 = 16_777_216,
    /// Bytes of messages a second.
    own user_bytes_per_second: u64 = 262_144,
    /// Pages, subscriptions and polls of a user at once.
    own user_read_burst: u64 = 2_000,
    /// Time until one more.
    own user_read_interval_ms: u64 = 20,
    /// Sockets and streams that a user opens at once.
    own user_open_burst: u64 = 128,
    /// Time until one more.
    own user_open_interval_ms: u64 = 500,
    /// Tickets that a user requests at once.
    own user_ticket_burst: u64 = 64,
    /// Time until one more.
    own user_ticket_interval_ms: u64 = 500,
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
    core user_visits: usize,
    core subscriptions: usize,
    core connect_bytes: usize,
    core message_bytes: usize,
    core publish_bytes: usize,
    core user_publish_bytes: usize,
    core page: u32,
    core page_bytes: u32,
    core catch_up_records: u32,
    core catch_up_bytes: u32,
    core snapshot_items: u32,
    core snapshot_bytes: u32,
    core mailbox_bytes: usize,
    core join_bytes: usize,
    core tickets: u64,
    core user_tickets: u64,
    core user_lanes: u64,
    core ticket_ms: u64,
    core session_ms: u64,
    core credential_ms: u64,
}

impl LimitSettings {
    /// A user's rates.
    fn user(&self) -> Rates {
        Rates {
            messages: Rate::every_ms(self.user_message_burst, self.user_message_interval_ms),
            bytes: Rate::per_second(self.user_bytes_burst, self.user_bytes_per_second),
            reads: Rate::every_ms(self.user_read_burst, self.user_read_interval_ms),
            opens: Rate::every_ms(self.user_open_burst, self.user_open_interval_ms),
            tickets: Rate::every_ms(self.user_ticket_burst, self.user_ticket_interval_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_those_of_the_core_where_nothing_is_set() {
        assert_eq!(LimitSettings::default().core(), Limits::default());
    }
}
