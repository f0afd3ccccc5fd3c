//! The channels that the app reads.

use std::collections::BTreeMap;

use tidings_client_core::ChannelView;
use tidings_protocol::Channel;
use tokio::sync::{mpsc, watch};

use super::Input;

/// A sender for each channel with readers: a reader holds a receiver. The app's readers bound it.
pub(super) struct Channels {
    read: BTreeMap<Channel, watch::Sender<ChannelView>>,
    /// Weak: a task that waits for the last reader must not keep the client alive.
    inputs: mpsc::WeakSender<Input>,
}

impl Channels {
    pub(super) fn new(inputs: mpsc::WeakSender<Input>) -> Self {
        Self { read: BTreeMap::new(), inputs }
    }

    /// A receiver, and whether it is the channel's first.
    pub(super) fn subscribe(&mut self, channel: &Channel) -> (watch::Receiver<ChannelView>, bool) {
        if let Some(sender) = self.read.get(channel) {
            return (sender.subscribe(), false);
        }
        let (sender, receiver) = watch::channel(ChannelView::default());
        self.read.insert(channel.clone(), sender.clone());
        self.mind(channel, sender);
        (receiver, true)
    }

    /// Removes a channel, unless it has a reader again.
    pub(super) fn end_if_unread(&mut self, channel: &Channel) -> bool {
        let Some(sender) = self.read.get(channel) else { return false };
        if sender.receiver_count() > 0 {
            let sender = sender.clone();
            self.mind(channel, sender);
            return false;
        }
        self.read.remove(channel);
        true
    }

    pub(super) fn show(&self, channel: &Channel, view: ChannelView) {
        if let Some(sender) = self.read.get(channel) {
            sender.send_replace(view);
        }
    }

    /// Tells the client's task when the last receiver is dropped. A task of its own does this,
    /// because dropping can't wait for room in the queue.
    fn mind(&self, channel: &Channel, sender: watch::Sender<ChannelView>) {
        let (channel, inputs) = (channel.clone(), self.inputs.clone());
        tokio::spawn(async move {
            sender.closed().await;
            drop(sender);
            if let Some(inputs) = inputs.upgrade() {
                // If the client's task has ended, there is no subscription to end.
                let _ = inputs.send(Input::Unread { channel }).await;
            }
        });
    }
}
