//! What the hub and a session's driver share of a connection.

use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use tidings_protocol::Channel;
use tidings_server_core::{
    Mailbox,
    hub::{Sink, Slot},
};

/// A handle of it, for the hub.
#[derive(Clone, Debug)]
pub(crate) struct Line(pub(crate) Rc<RefCell<Shared>>);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) mailbox: Mailbox,
    pub(crate) lagged: Vec<(Channel, Slot, u64)>,
}

impl Sink for Line {
    fn push(&self, frame: &Bytes) -> bool {
        self.0.borrow_mut().mailbox.offer(frame)
    }

    fn lagged(&self, channel: &Channel, slot: Slot, sent: u64) {
        self.0.borrow_mut().lagged.push((channel.clone(), slot, sent));
    }
}
