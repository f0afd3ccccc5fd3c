//! Messages between nodes, so that a node need not wait for its next poll. They are never the
//! truth: a message may be lost, doubled or reordered, and only says where to look.
//!
//! | file | content |
//! |---|---|
//! | `local.rs` | several nodes in one process, and a single node |
//! | `redis.rs` | Redis Pub/Sub |
//! | `message.rs` | the messages, as text |

mod local;
mod message;
mod redis;

pub use local::{Exchange, Local};
pub use message::BusMessage;
pub use redis::{BusError, Redis};

use std::fmt::Debug;

/// A connection to the other nodes.
pub trait Bus: Debug + Send + Sync + 'static {
    /// Sends messages to the other nodes. Never waits. A message that can't be sent is lost; the
    /// other nodes' polls find its content.
    fn publish(&self, messages: &[BusMessage]);

    /// Starts to listen. `on_event` is called for each event, from a thread of the bus, and must
    /// not block. Called once.
    fn listen(&self, on_event: Box<dyn Fn(BusEvent) + Send + Sync>);

    /// Whether messages arrive now. Answers from known state and never waits.
    fn is_up(&self) -> bool;
}

/// An event of the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusEvent {
    /// A message of another node. A node does not receive its own messages.
    Message(BusMessage),
    /// The bus was away, or is new: earlier messages are lost.
    Missed,
}
