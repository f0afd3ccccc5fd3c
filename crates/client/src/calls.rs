//! What the app calls: marks, messages, older items, leaving. Each call ends with one answer.

use tidings_protocol::{Channel, ErrorCode, Json, MarkSet, limits};

use crate::{
    Client, Command, Event, Filter, MarkTargets, Stored,
    inbox::Log,
    machine::Input,
    outbox::{Body, Deed, Unresolved, too_large},
    timers::{Timer, TimerTable},
};

impl Client {
    pub(crate) fn mark(&mut self, intent: u64, targets: &MarkTargets, set: MarkSet) {
        let (code, detail) = match self.cx.inbox.fold() {
            Some(_) if self.cx.account.is_leaving() => (ErrorCode::SignedOut, ""),
            Some(fold) => match Body::resolve(fold, targets, set) {
                Ok(body) => {
                    self.intend(intent, body);
                    return;
                }
                Err(Unresolved::Nothing) => {
                    let cursor = fold.cursor(Log::Inbox);
                    let stored = Stored {
                        channel: fold.channel.clone(),
                        epoch: cursor.epoch,
                        offset: cursor.offset,
                        id: String::new(),
                    };
                    self.cx.settle(intent, Some(stored));
                    return;
                }
                Err(Unresolved::Size) => {
                    (ErrorCode::InvalidArgument, "more than 500 items at once")
                }
                Err(Unresolved::Unknown(id)) => (ErrorCode::NotFound, id),
            },
            None if self.cx.account.is_nobody() => (ErrorCode::SignedOut, ""),
            None => (ErrorCode::NotFound, "nothing is loaded yet"),
        };
        self.cx.refuse(intent, code, detail);
    }

    pub(crate) fn publish(&mut self, intent: u64, channel: &Channel, data: &Json) {
        let body = Body { channel: channel.clone(), deed: Deed::Publish(data.clone()) };
        if self.cx.account.is_nobody() || self.cx.account.is_leaving() {
            self.cx.refuse(intent, ErrorCode::SignedOut, "");
        } else if body.is_over(limits::MESSAGE_BYTES) {
            self.cx.refuse_with(intent, too_large());
        } else {
            self.intend(intent, body);
        }
    }

    pub(crate) fn intend(&mut self, intent: u64, body: Body) {
        if self.cx.outbox.unanswered() >= self.cx.config.outbox_max as usize {
            self.cx.refuse(intent, ErrorCode::OutboxFull, "");
            return;
        }
        let at = self.cx.now.wall;
        self.cx.outbox.push(intent, at, body);
        self.cx.keep();
        self.on(Input::Work);
    }

    pub(crate) fn more(&mut self, filter: &Filter, intent: u64) {
        if self.cx.account.is_nobody() {
            self.cx.refuse(intent, ErrorCode::SignedOut, "");
            return;
        }
        let had = self.cx.inbox.showing(filter);
        if !self.cx.inbox.pager.wait(filter, intent, had) {
            self.cx.refuse(intent, ErrorCode::Flood, "");
            return;
        }
        let patience = self.cx.trip.patience(self.cx.config.timeout);
        self.cx.bring_forward(Timer::More, patience);
        self.on(Input::Work);
    }

    pub(crate) fn sign_out(&mut self) {
        self.cx.sign_out();
        self.on(Input::Restart);
    }

    pub(crate) fn close(&mut self) {
        if self.cx.account.is_leaving() {
            self.cx.sign_out();
        }
        self.cx.close_calls();
        self.cx.trouble = None;
        self.on(Input::Close);
        self.cx.timers = TimerTable::default();
    }

    /// After `close()`: calls are answered, everything else is past caring.
    pub(crate) fn refuse_as_closed(&mut self, event: &Event) {
        match event {
            Event::MarkRequested { intent, .. }
            | Event::MoreRequested { intent, .. }
            | Event::PublishRequested { intent, .. }
            | Event::OlderRequested { intent, .. }
            | Event::FailedRetried { intent, .. } => {
                self.cx.refuse(*intent, ErrorCode::ClosedByApp, "");
            }
            Event::SignOutRequested { .. } => self.cx.tell(Command::SignedOut { discarded: 0 }),
            _ => {}
        }
    }
}
