//! Who reads which channel.

use std::collections::BTreeMap;

use tidings_client_core::ChannelView;
use tidings_protocol::Channel;
use tokio::sync::{mpsc, watch};

use super::Input;

/// A sender for each channel that is read; whoever holds a receiver reads it. Bounded by the readers the app has.
pub(super) struct Channels {
    read: BTreeMap<Channel, watch::Sender<ChannelView>>,
    /// Weak: what waits for readers to go must not keep the client.
    inputs: mpsc::WeakSender<Input>,
}

impl Channels {
    pub(super) fn new(inputs: mpsc::WeakSender<Input>) -> Self {
        Self { read: BTreeMap::new(), inputs }
    }

    /// A receiver, and whether nobody has read the channel until now.
    pub(super) fn subscribe(&mut self, channel: &Channel) -> (watch::Receiver<ChannelView>, bool) {
        if let Some(sender) = self.read.get(channel) {
            return (sender.subscribe(), false);
        }
        let (sender, receiver) = watch::channel(ChannelView::default());
        self.read.insert(channel.clone(), sender.clone());
        self.mind(channel, sender);
        (receiver, true)
    }

    /// Forgets a channel, unless somebody reads it again.
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

    /// Tells the client's task when the last receiver is gone: dropping one can't wait for room in its queue.
    fn mind(&self, channel: &Channel, sender: watch::Sender<ChannelView>) {
        let (channel, inputs) = (channel.clone(), self.inputs.clone());
        tokio::spawn(async move {
            sender.closed().await;
            drop(sender);
            if let Some(inputs) = inputs.upgrade() {
                // The task has ended: there is nothing to leave.
                let _ = inputs.send(Input::Unread { channel }).await;
            }
        });
    }
}
