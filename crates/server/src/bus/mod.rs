//! What nodes tell each other so that nobody has to wait for the next poll. Nothing on it is the truth: signals may be lost,
//! doubled or reordered, and every one of them only says where to look.
//!
//! | file | what |
//! |---|---|
//! | `local.rs` | nodes of one process, and the node that is alone |
//! | `redis.rs` | Redis Pub/Sub |
//! | `signal.rs` | what is said, as text |

mod local;
mod redis;
mod signal;

pub use local::{Exchange, Local};
pub use redis::{BusError, Redis};
pub use signal::Signal;

use std::fmt::Debug;

/// A way to the other nodes.
pub trait Bus: Debug + Send + Sync + 'static {
    /// Tells the other nodes. Never waits; what can't be told is lost, which is what polls are for.
    fn tell(&self, signals: &[Signal]);

    /// Starts to listen: `heard` is called for everything, from a thread of the bus, and must not block. Called once.
    fn listen(&self, heard: Box<dyn Fn(Heard) + Send + Sync>);

    /// Whether signals get through now. Answers from what is known: never waits.
    fn is_up(&self) -> bool;
}

/// What comes from the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Another node said this. One's own signals don't come back.
    Said(Signal),
    /// The bus was away, or is new: whatever was said meanwhile is lost.
    Missed,
}
