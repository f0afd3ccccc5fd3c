//! `loadMore` of a channel: one page at a time, for all that wait.

use crate::{Error, pages::REFUSALS_MAX};

/// Calls that can wait for one page.
const CALLS_MAX: usize = 64;

/// How far back a channel is loaded, and who wants more.
#[derive(Debug, Default)]
pub(crate) struct Older {
    /// What is held begins at this offset, as far as it holds messages.
    pub(crate) before: u64,
    /// The log has more below it.
    pub(crate) more: bool,
    /// The credential does not grant to read it.
    barred: bool,
    /// The first page is wanted, which nobody has to call for.
    first: bool,
    calls: Vec<u64>,
    /// The request that is out.
    request: Option<u64>,
    /// Refusals of the page that is wanted.
    refusals: u8,
    /// Why the last call failed.
    pub(crate) error: Option<Error>,
}

impl Older {
    /// The channel is followed from after `offset` on, and its log begins at `first`: what is there is worth a page.
    pub(crate) fn begin(&mut self, offset: u64, first: u64) {
        self.request = None;
        self.refusals = 0;
        self.reached(offset.saturating_add(1), first <= offset);
        self.first = self.more;
    }

    pub(crate) fn reached(&mut self, before: u64, more: bool) {
        self.before = before;
        self.more = more;
    }

    /// There is more that may be read.
    pub(crate) fn has_more(&self) -> bool {
        self.more && !self.barred
    }

    /// Without the right to read back there is nothing older for this user.
    pub(crate) fn bar(&mut self) {
        self.barred = true;
    }

    /// Another credential may grant it. `empty`: nothing is held, and the first page is still wanted. Answers whether that is news.
    pub(crate) fn unbar(&mut self, empty: bool) -> bool {
        let news = core::mem::take(&mut self.barred);
        self.first |= news && empty && self.more;
        news
    }

    /// Somebody wants older messages. `false`: too many wait already.
    pub(crate) fn wait(&mut self, call: u64) -> bool {
        self.error = None;
        if !self.is_wanted() {
            self.refusals = 0;
        }
        let room = self.calls.len() < CALLS_MAX;
        if room {
            self.calls.push(call);
        }
        room
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.first || !self.calls.is_empty()
    }

    /// Whether a request is wanted and none is out.
    pub(crate) fn wants_page(&self) -> bool {
        self.is_wanted() && self.request.is_none()
    }

    pub(crate) fn sent(&mut self, request: u64) {
        self.request = Some(request);
    }

    /// Whether this answers the request that is out; it is out no more then.
    pub(crate) fn take_answer(&mut self, id: Option<u64>) -> bool {
        let ours = self.request.is_some() && self.request == id;
        if ours {
            self.request = None;
        }
        ours
    }

    /// The page was refused for now. Returns whether it is still wanted.
    pub(crate) fn outlasts(&mut self) -> bool {
        self.refusals = self.refusals.saturating_add(1);
        self.refusals <= REFUSALS_MAX
    }

    /// The connection is gone, and the request with it.
    pub(crate) fn cut(&mut self) {
        self.request = None;
    }

    /// Nobody waits any more. Answers who did.
    pub(crate) fn end(&mut self) -> Vec<u64> {
        self.first = false;
        self.request = None;
        core::mem::take(&mut self.calls)
    }
}
