//! Marks that wait for the inbox, or for items that are looked up.

use tidings_protocol::{
    ErrorCode, Retry,
    server::{self, Page},
};

use crate::{Client, Error, context::Context, inbox::Lookup, machine::Input, timers::Timer};

impl Client {
    /// Turns wishes into marks where possible, and starts the search for the items of the next one.
    pub(crate) fn resolve_marks(&mut self) {
        let live = self.state.is_live();
        let mut any = false;
        // One search at a time: a round ends a finished search, and starts that of the next wish.
        loop {
            let cx = &mut self.cx;
            let Some(fold) = cx.inbox.fold() else { break };
            let done = cx.inbox.lookup.as_ref().filter(|lookup| lookup.is_done());
            let looked_up = done.map(|lookup| (lookup.intent, &*lookup.found));
            let resolved = cx.outbox.resolve_marks(fold, live, looked_up);
            any |= resolved.any;
            let below = fold.below();
            if cx.inbox.lookup.as_ref().is_some_and(|lookup| lookup.is_done()) {
                cx.inbox.lookup = None;
                cx.timers.cancel(Timer::Lookup);
            }
            for (intent, body, error) in resolved.ended {
                match error {
                    Some(error) => self.decline(intent, body, error),
                    None => self.settle_idle(intent),
                }
            }
            let cx = &mut self.cx;
            match resolved.needs_lookup {
                Some((intent, ids)) if cx.inbox.lookup.is_none() => {
                    let lookup = Lookup::new(intent, ids, below);
                    // If there are no older items to search, the answer is known at once.
                    let done = lookup.is_done();
                    cx.inbox.lookup = Some(Box::new(lookup));
                    any = true;
                    if !done {
                        break;
                    }
                }
                _ => break,
            }
        }
        if any || self.cx.inbox.lookup.is_some() {
            self.cx.persist();
            self.on(Input::Work);
        }
    }

    /// The app signs out with unsent intents while there is no connection: reports what signing out
    /// waits for, and retries at once.
    pub(crate) fn hurry_out(&mut self) {
        let detail = "sign-out waits up to 5 s to send changes; `discard` skips that";
        self.cx.report(Error::new(ErrorCode::Network, detail));
        if self.state.retry_at().is_some() {
            self.on(Input::RetryNow);
        }
    }
}

impl Context {
    /// Whether all items of the inbox are loaded.
    pub(crate) fn has_all_items(&self) -> bool {
        self.inbox.fold().is_some_and(|fold| fold.below() == [0; 2])
    }

    /// Whether this page answers the search.
    pub(crate) fn looked_up(&mut self, page: &Page) -> bool {
        let Some(lookup) = &self.inbox.lookup else { return false };
        if !lookup.is_out(page.id) {
            return false;
        }
        // A page of another log does not help the search. The snapshot of that log will end it.
        // Until then the page counts as missing, so that it is requested again when its time is up,
        // but not without end.
        if !self.inbox.fold().is_some_and(|fold| fold.is_of(page)) {
            return true;
        }
        self.timers.cancel(Timer::Lookup);
        if let Some(lookup) = &mut self.inbox.lookup
            && let Some(log) = lookup.take_answer(page.id)
        {
            lookup.page(log, page);
        }
        true
    }

    /// Whether an error answers the search. After a temporary error, the search waits and asks
    /// again.
    pub(crate) fn lookup_refused(&mut self, error: &server::Error) -> bool {
        let Some(lookup) = &mut self.inbox.lookup else { return false };
        if error.retry != Retry::Never {
            let ours = lookup.is_out(error.id);
            if ours {
                let wait = error.retry_after_ms.unwrap_or(self.config.backoff.base);
                self.set(Timer::Lookup, wait);
            }
            return ours;
        }
        let Some(log) = lookup.take_answer(error.id) else { return false };
        lookup.give_up(log);
        self.timers.cancel(Timer::Lookup);
        true
    }
}
