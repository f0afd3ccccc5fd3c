//! The sans-I/O core of the Tidings client.
//!
//! One function drives it: [`Client::handle`] takes the time, an [`Event`], and a buffer to which
//! it appends [`Command`]s. It never waits; time, seeds and ids come from outside. So the same code
//! runs in browsers, on tokio and in simulation.
//!
//! A driver does four things:
//! 1. turns sockets, timers, storage and the app's calls into events,
//! 2. executes commands in order *after* `handle` returned (a callback may cause the next event),
//! 3. keeps exactly one timer, as [`Command::SetTimer`] says,
//! 4. reads the snapshots ([`Client::connection`], [`Client::inbox`], [`Client::channel`], …) when
//!    [`Command::Changed`] or [`Command::ChannelChanged`] names them.
//!
//! ```
//! use tidings_client_core::{Client, Command, Config, Event, Now, Status};
//!
//! let mut client = Client::new(Config::new(7, "page-1".into(), "lane".into()));
//! let mut commands = Vec::new();
//! client.handle(Now { mono: 0, wall: 1_700_000_000_000 }, Event::ConnectRequested, &mut commands);
//!
//! // The app's ticket function is asked first; its answer is the next event.
//! assert!(matches!(commands[0], Command::FetchCredential { attempt: 1, .. }));
//! assert_eq!(client.connection().status, Status::Connecting);
//! ```
//!
//! Inside, in the order in which data flows:
//!
//! | module | contents |
//! |---|---|
//! | `client`, `calls`, `mark_resolution` | takes events, runs the machine, reports changes; the app's calls, and marks that wait |
//! | `startup`, `deferred` | the startup path, and the split point to the deferred part |
//! | `machine` | the connection's states and their transitions; `idle`, `connecting`, `connected`, `waiting`, `offline`, `ended` are one each |
//! | `context` | state that all of them share: clocks, deadlines, inbox, outbox, commands so far |
//! | `fallback`, `upgrade`, `requests` | fallback and upgrade; transports over HTTP requests |
//! | `backoff`, `timers`, `clock`, `rng` | retries; one table of deadlines; server time and sleep; jitter |
//! | `inbound` | the messages that a client handles |
//! | `heartbeat`, `auth` | signs of life; credentials and their refresh |
//! | `subscription` | the rules of following a log, for all channels: duplicates dropped, holes repaired |
//! | `resume` | the inbox's two logs on one connection: snapshots, gaps, moves to another transport |
//! | `pages` | pages that the server refuses for now |
//! | `inbox` | the fold of the logs, pages below it, pending marks on top, views |
//! | `channels` | rooms, chats, topics: messages in order, pages of older ones, own messages until they are in the log |
//! | `outbox` | intents until they are in the log: order, answers, rollback; stored, and adopted from clients that ended |
//! | `account`, `storage` | changing users and signing out; the cache |

mod account;
mod auth;
mod backoff;
mod calls;
mod channels;
mod client;
mod clock;
mod command;
mod config;
mod connected;
mod connecting;
mod context;
mod deferred;
mod deferred_value;
mod ended;
mod error;
mod event;
mod explain;
mod fallback;
mod heartbeat;
mod idle;
mod inbound;
mod inbox;
mod machine;
mod mark_resolution;
mod outbox;
mod pages;
mod requests;
mod resume;
mod rng;
mod round_trip;
mod snapshot;
mod startup;
mod storage;
mod subscription;
mod timers;
mod upgrade;
mod waiting;

pub use client::Client;
pub use command::{Change, Command, Readable};
pub use config::{Backoff, Config};
pub use deferred::DeferredLoaded;
pub use deferred_value::DeferredValue;
pub use error::Error;
pub use event::{
    Credential, Event, Filter, ItemKey, Kinds, Lane, MarkTargets, Now, Show, TransportKind, User,
};
pub use outbox::written;
pub use snapshot::{
    Author, ChannelStatus, ChannelView, Connection, FailedIntent, GapView, InboxStatus,
    InboxSummary, InboxView, IntentKind, ItemView, MessageView, Outbox, Status, Stored,
};
