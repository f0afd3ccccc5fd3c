//! Handles the server's messages on a connection.

use tidings_protocol::{
    ErrorCode,
    server::{self, Goaway, Pong},
};

use super::{Connected, End};
use crate::{
    Error,
    context::Context,
    error::Failure,
    inbound::InboundMessage,
    outbox::{Answer, Refusal},
    timers::Timer,
};

/// Longest window of a `goaway` that the client accepts, in milliseconds.
const WINDOW_MAX: u64 = 3_600_000;

impl Connected {
    pub(super) fn message(&mut self, text: &str, cx: &mut Context) -> Result<(), End> {
        // Matched by reference: moving the message would take more code than most of the arms.
        let message = InboundMessage::read(text);
        let message = match &message {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(()),
            Err(error) => {
                // Reported because it matters to a developer. If a record is lost by it, the next
                // record shows a hole.
                let detail = error.field().unwrap_or_else(|| error.reason().as_str());
                cx.report(Error::new(ErrorCode::BadRequest, detail));
                return Ok(());
            }
        };
        match message {
            InboundMessage::Ack(ack) => {
                let at = cx.now.wall;
                match cx.outbox.acknowledged(ack, at) {
                    Some(Answer::Stored(intent, stored)) => {
                        cx.settle(intent, Some(stored));
                        if let Some(fold) = cx.inbox.fold() {
                            cx.outbox.folded(fold);
                        }
                    }
                    Some(Answer::Given(failed)) => cx.failed(failed),
                    Some(Answer::Lost(error)) => cx.report(error),
                    None => return Ok(()),
                }
                self.answered(cx);
            }
            InboundMessage::Error(error) => self.refused(error, cx)?,
            InboundMessage::Expiring(_) => self.refresher.begin(cx),
            InboundMessage::Gap(gap) => {
                self.resume.gap(gap, cx)?;
                cx.room_gap(gap)?;
            }
            InboundMessage::Goaway(goaway) => leave_within(goaway, cx),
            InboundMessage::Marked(record) => {
                self.resume.marked(record, cx)?;
                self.answered(cx);
            }
            InboundMessage::Message(record) => {
                cx.room_message(record)?;
                self.answered(cx);
            }
            InboundMessage::Notification(record) => {
                self.resume.notification(record, cx)?;
                cx.room_notification(record)?;
            }
            InboundMessage::Page(page) => {
                if cx.inbox.pager.take_answer(page.id) {
                    cx.await_answer(Timer::More);
                    cx.inbox.page(page, cx.config.items_max);
                    cx.inbox.prune();
                } else if cx.looked_up(page) {
                    self.work(cx);
                } else if cx.room_page(page) {
                    self.answered(cx);
                }
            }
            InboundMessage::Passed { channel, offset } => {
                cx.room_passed(channel, *offset, *offset)?
            }
            InboundMessage::Pong(pong) => self.pong(pong, cx)?,
            InboundMessage::Refreshed(answer) => {
                self.refresher.refreshed(answer, cx);
                cx.renewed(self.transport, &answer.session_token);
                cx.ask_refused_again();
                cx.channels_work();
            }
            InboundMessage::Skip(skip) => {
                self.resume.skip(skip, cx)?;
                cx.room_skip(skip)?;
            }
            InboundMessage::Snapshot(snapshot) => self.resume.snapshot(snapshot, cx)?,
            InboundMessage::Subscribed(answer) => {
                let expected = cx.subscription_answered(self.transport, &answer.channel);
                self.resume.subscribed(answer, cx)?;
                cx.room_subscribed(answer, expected)?;
                cx.channels_work();
            }
            InboundMessage::Trimmed(record) => self.resume.trimmed(record, cx)?,
            InboundMessage::Unsubscribed(ended) => {
                self.resume.unsubscribed(&ended.channel, cx)?;
                cx.room_unsubscribed(ended);
            }
            // A second `connected` comes from a stream that was reopened.
            InboundMessage::Connected(again) => cx.greeted(self.transport, again),
        }
        Ok(())
    }

    fn pong(&mut self, pong: &Pong, cx: &mut Context) -> Result<(), Failure> {
        self.heartbeat.pong(pong.now, cx);
        if let Some(tops) = &pong.tops {
            for (channel, top) in tops.iter() {
                self.resume.top(channel, *top, cx)?;
                cx.room_top(channel, *top)?;
            }
        }
        Ok(())
    }

    /// An error about an intent, a refresh, a page, a subscription, or the connection.
    fn refused(&mut self, error: &server::Error, cx: &mut Context) -> Result<(), End> {
        if let Some(channel) = &error.channel {
            cx.subscription_answered(self.transport, channel);
        }
        let at = cx.now.wall;
        let lane = if error.expected.is_some() { cx.next_lane() } else { String::new() };
        match cx.outbox.refused(error, at, lane) {
            Some(Refusal::Final(failed)) => {
                cx.failed(failed);
                self.answered(cx);
            }
            Some(Refusal::Mended) => self.work(cx),
            Some(Refusal::Retry) => self.hold(error.retry_after_ms, cx),
            Some(Refusal::Stale) => {}
            None if self.refresher.refused(error, cx)? => {}
            None if cx.inbox.pager.take_answer(error.id) => {
                cx.page_refused(error);
            }
            None if cx.lookup_refused(error) => {}
            None if cx.room_refused(error) => {}
            None => {
                cx.report(Error::of_server(error));
                let of_connection =
                    error.id.is_none() && error.seq.is_none() && error.channel.is_none();
                if of_connection {
                    self.error = Some((cx.now.mono, Failure::of_server(error)));
                }
            }
        }
        Ok(())
    }
}

/// The server spreads the departure of its clients over a window.
fn leave_within(goaway: &Goaway, cx: &mut Context) {
    let wait = cx.rng.up_to(goaway.within_ms.min(WINDOW_MAX));
    cx.bring_forward(Timer::Goaway, wait);
}
