//! The app's calls: marks, messages, older items, signing out. Each call gets one answer.

use tidings_protocol::{Channel, ErrorCode, Json, MarkSet, limits};

use crate::{
    Client, Command, Error, Event, Filter, MarkTargets, Stored,
    inbox::Log,
    machine::Input,
    outbox::{Body, Operation, Unresolved, too_large, too_many, unknown_item},
    timers::{Timer, TimerTable},
};

impl Client {
    /// Marks items, now or as soon as it is known which items they are.
    pub(crate) fn mark(&mut self, intent: u64, targets: &MarkTargets, set: MarkSet) {
        let live = self.state.is_live();
        let unresolved = || Body {
            channel: self.cx.inbox_channel(),
            operation: Operation::UnresolvedMark { targets: targets.clone(), set },
        };
        if self.cx.is_signed_out() {
            let body = unresolved();
            self.decline(intent, body, Error::new(ErrorCode::SignedOut, ""));
            return;
        }
        let resolved =
            self.cx.inbox.fold().map(|fold| Body::resolve(fold, targets, set, live, &[]));
        let body = match resolved {
            Some(Ok(body)) => body,
            Some(Err(Unresolved::Nothing)) => return self.settle_idle(intent),
            Some(Err(Unresolved::Size)) => {
                let body = unresolved();
                self.decline(intent, body, too_many());
                return;
            }
            Some(Err(Unresolved::Unknown(id))) if live && self.cx.has_all_items() => {
                let body = unresolved();
                self.decline(intent, body, unknown_item(&id));
                return;
            }
            Some(Err(Unresolved::Early | Unresolved::Unknown(_))) => unresolved(),
            // The inbox was never shown, so the mark covers all items that the server has.
            None if *targets == MarkTargets::All => Body {
                channel: self.cx.inbox_channel(),
                operation: Operation::UnresolvedMark { targets: MarkTargets::Everything, set },
            },
            None => unresolved(),
        };
        self.intend(intent, body);
    }

    /// There is nothing to mark: the call succeeds at the inbox's current offset.
    pub(crate) fn settle_idle(&mut self, intent: u64) {
        let Some(fold) = self.cx.inbox.fold() else { return };
        let cursor = fold.cursor(Log::Inbox);
        let stored = Stored {
            channel: fold.channel.clone(),
            epoch: cursor.epoch,
            offset: cursor.offset,
            id: String::new(),
        };
        self.cx.settle(intent, Some(stored));
    }

    pub(crate) fn publish(&mut self, intent: u64, channel: &Channel, data: &Json) {
        let body = Body { channel: channel.clone(), operation: Operation::Publish(data.clone()) };
        if self.cx.is_signed_out() {
            self.decline(intent, body, Error::new(ErrorCode::SignedOut, ""));
        } else if body.is_over(limits::MESSAGE_BYTES) {
            self.decline(intent, body, too_large());
        } else if data.is_deeper_than(limits::PAYLOAD_DEPTH) {
            let detail = "`data` nests arrays and objects in at most 28 levels";
            self.decline(intent, body, Error::new(ErrorCode::InvalidArgument, detail));
        } else {
            self.intend(intent, body);
        }
    }

    /// Retries a refused intent: the reason for the refusal may be gone.
    pub(crate) fn retry(&mut self, intent: u64, body: Body) {
        match &body.operation {
            Operation::Publish(data) => self.publish(intent, &body.channel, data),
            Operation::UnresolvedMark { targets, set } => self.mark(intent, targets, *set),
            Operation::Lost | Operation::Mark { .. } if self.cx.is_signed_out() => {
                self.decline(intent, body, Error::new(ErrorCode::SignedOut, ""));
            }
            Operation::Lost | Operation::Mark { .. } => self.intend(intent, body),
        }
    }

    fn intend(&mut self, intent: u64, body: Body) {
        if self.cx.outbox.unanswered() >= self.cx.config.outbox_max as usize {
            self.decline(intent, body, Error::new(ErrorCode::OutboxFull, ""));
            return;
        }
        let at = self.cx.now.wall;
        self.cx.outbox.push(intent, at, body);
        self.cx.persist();
        self.on(Input::Work);
    }

    /// Refuses an intent without asking the server. The app learns of it exactly as of a server's
    /// refusal.
    pub(crate) fn decline(&mut self, intent: u64, body: Body, error: Error) {
        let cx = &mut self.cx;
        let at = (intent, cx.now.wall);
        let (numbers, config) = (&mut cx.numbers, &cx.config);
        let failed = cx.outbox.decline(at, body, error, &mut || numbers.next_lane(config));
        cx.failed(failed);
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
        let patience = self.cx.round_trip.patience(self.cx.config.timeout);
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

    /// After `close()`: calls are answered with an error, other events are ignored.
    pub(crate) fn refuse_as_closed(&mut self, event: &Event) {
        match event {
            Event::MarkRequested { intent, .. }
            | Event::IntentUnreadable { intent, .. }
            | Event::MoreRequested { intent, .. }
            | Event::PublishRequested { intent, .. }
            | Event::OlderRequested { intent, .. }
            | Event::FailedRetried { intent, .. } => {
                self.cx.refuse(*intent, ErrorCode::ClosedByApp, "");
            }
            Event::SignOutRequested { .. } => self.cx.emit(Command::SignedOut { discarded: 0 }),
            _ => {}
        }
    }
}
