//! The client core in virtual time: one scenario per file.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on has failed"
)]

mod arrivals;
mod backoff_grows_and_resets;
mod broadcasts;
mod close_is_final;
mod connect_flow;
mod credential_is_refreshed;
mod disk;
mod early_marks;
mod fallback;
mod fallback_networks;
mod gaps_are_reported;
mod goaway_spreads;
mod harness;
mod heartbeat;
mod holes_are_repaired;
mod lost_and_offline;
mod marks;
mod model;
mod outbox_answers;
mod outbox_lanes;
mod outbox_left;
mod paging;
mod polls;
mod refusals;
mod replaced;
mod request;
mod room;
mod rooms_cache;
mod rooms_follow;
mod rooms_page;
mod rooms_publish;
mod says;
mod server;
mod sign_out;
mod slow_links;
mod soup;
mod storage;
mod streams;
mod streams_post;
mod ticket_function;
mod truth;
mod two_parts;
mod users;
