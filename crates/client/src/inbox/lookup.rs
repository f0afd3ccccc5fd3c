//! Looks up items that the app names and that are not loaded: page by page, newest first, without
//! showing them.

use tidings_protocol::server::Page;

use super::{LOGS, Log};

/// Most pages of one log that are requested: with 100 items each, as far back as a client can load.
const PAGES_MAX: u32 = 10;

/// An item that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) log: Log,
    pub(crate) offset: u64,
}

/// How far one log was searched.
#[derive(Clone, Copy, Debug)]
struct Search {
    /// Offsets below this are still to be searched; 0: none.
    before: u64,
    pages: u32,
}

/// One search, for the items of one mark.
#[derive(Debug)]
pub(crate) struct Lookup {
    /// The intent of the mark.
    pub(crate) intent: u64,
    ids: Vec<String>,
    pub(crate) found: Vec<Found>,
    logs: [Search; 2],
    /// The page request that is under way.
    request: Option<(u64, Log)>,
}

impl Lookup {
    /// Starts below these offsets of both logs.
    pub(crate) fn new(intent: u64, ids: Vec<String>, below: [u64; 2]) -> Self {
        let logs = below.map(|before| Search { before, pages: 0 });
        Self { intent, ids, found: Vec::new(), logs, request: None }
    }

    /// The next page to request, if no request is under way.
    pub(crate) fn next(&self) -> Option<(Log, u64)> {
        if self.request.is_some() || self.is_done() {
            return None;
        }
        LOGS.into_iter().find_map(|log| {
            let before = self.logs[log as usize].before;
            (before > 0).then_some((log, before))
        })
    }

    /// Notes the request of a log's page.
    pub(crate) fn sent(&mut self, id: u64, log: Log) {
        self.request = Some((id, log));
        let search = &mut self.logs[log as usize];
        search.pages += 1;
    }

    /// Whether every item was found, or both logs are searched to the end.
    pub(crate) fn is_done(&self) -> bool {
        let all = self.ids.iter().all(|id| self.found.iter().any(|found| found.id == *id));
        all || self.logs.iter().all(|search| search.before == 0)
    }

    /// Whether this is the request under way.
    pub(crate) fn is_out(&self, id: Option<u64>) -> bool {
        self.request.is_some_and(|(request, _)| id == Some(request))
    }

    /// Takes the log whose page this request asked for.
    pub(crate) fn take_answer(&mut self, id: Option<u64>) -> Option<Log> {
        let (request, log) = self.request?;
        (id == Some(request)).then(|| {
            self.request = None;
            log
        })
    }

    /// Takes a page of a log.
    pub(crate) fn page(&mut self, log: Log, page: &Page) {
        let mut lowest = self.logs[log as usize].before;
        for item in page.items.iter().flatten() {
            lowest = lowest.min(item.offset);
            if self.ids.contains(&item.id) {
                self.found.push(Found { id: item.id.clone(), log, offset: item.offset });
            }
        }
        let search = &mut self.logs[log as usize];
        // A page without new items ends the log: another request would bring the same.
        let goes_on = page.more && lowest < search.before && search.pages < PAGES_MAX;
        search.before = if goes_on { lowest } else { 0 };
    }

    /// The page does not arrive: it is requested again, unless that was tried often enough.
    pub(crate) fn missed(&mut self) {
        if let Some((_, log)) = self.request.take()
            && self.logs[log as usize].pages >= PAGES_MAX
        {
            self.logs[log as usize].before = 0;
        }
    }

    /// Ends the search of a log.
    pub(crate) fn give_up(&mut self, log: Log) {
        self.logs[log as usize].before = 0;
    }

    /// The connection ended, and the request with it.
    pub(crate) fn cut(&mut self) {
        if let Some((_, log)) = self.request.take() {
            let search = &mut self.logs[log as usize];
            search.pages = search.pages.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use tidings_protocol::Decode;

    use super::*;

    fn page(more: bool, offsets: &[u64]) -> Page {
        let item = |offset: &u64| {
            format!(
                r#"{{"channel":"inbox:u1","offset":{offset},"id":"n{offset}","kind":"k","at":1,"seen":false,"read":false,"archived":false,"data":{{}}}}"#
            )
        };
        let items: Vec<_> = offsets.iter().map(item).collect();
        Page::from_json(&format!(
            r#"{{"type":"page","id":1,"channel":"inbox:u1","epoch":"inboxone","offset":99,"more":{more},"items":[{}]}}"#,
            items.join(",")
        ))
        .unwrap()
    }

    #[test]
    fn a_search_goes_back_page_by_page_until_it_has_all() {
        let mut lookup = Lookup::new(1, vec!["n7".into(), "n4".into()], [9, 0]);
        assert_eq!(lookup.next(), Some((Log::Inbox, 9)));
        lookup.sent(5, Log::Inbox);
        assert_eq!(lookup.next(), None, "one page at a time");
        assert_eq!(lookup.take_answer(Some(4)), None);
        assert_eq!(lookup.take_answer(Some(5)), Some(Log::Inbox));
        lookup.page(Log::Inbox, &page(true, &[8, 7]));
        assert_eq!(lookup.next(), Some((Log::Inbox, 7)));
        lookup.sent(6, Log::Inbox);
        lookup.cut();
        assert_eq!(lookup.next(), Some((Log::Inbox, 7)), "again on the next connection");
        lookup.page(Log::Inbox, &page(true, &[6, 4]));
        assert!(lookup.is_done());
        assert_eq!(lookup.found.len(), 2);
    }

    #[test]
    fn a_search_ends_with_the_logs_and_at_its_bound() {
        let mut lookup = Lookup::new(1, vec!["x".into()], [9_000, 3]);
        for number in 0..u64::from(PAGES_MAX) {
            let (log, before) = lookup.next().unwrap();
            assert_eq!(log, Log::Inbox);
            lookup.sent(number, log);
            lookup.take_answer(Some(number));
            lookup.page(log, &page(true, &[before - 1]));
        }
        assert_eq!(lookup.next(), Some((Log::System, 3)));
        lookup.sent(100, Log::System);
        lookup.take_answer(Some(100));
        lookup.page(Log::System, &page(false, &[]));
        assert!(lookup.is_done() && lookup.next().is_none());
    }

    #[test]
    fn a_page_that_never_comes_is_not_asked_for_for_ever() {
        let mut lookup = Lookup::new(1, vec!["x".into()], [9, 0]);
        for number in 0..u64::from(PAGES_MAX) {
            lookup.sent(number, Log::Inbox);
            lookup.missed();
        }
        assert!(lookup.is_done());
    }
}
