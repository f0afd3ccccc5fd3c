//! Counts of events, which show that a simulation did exercise each of them.

use std::fmt::{self, Display, Formatter};

macro_rules! counts {
    ($($group:literal { $($name:ident = $words:literal)* })*) => {
        /// An event that is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Count {
            $($(#[doc = $words] $name,)*)*
        }

        impl Count {
            /// All counts by group, with their words in a summary.
            pub const ALL: &'static [(&'static str, &'static [(Self, &'static str)])] =
                &[$(($group, &[$((Self::$name, $words)),*])),*];

            const NUMBER: usize = [$($(Self::$name),*),*].len();
        }
    };
}

counts! {
    "what the product did" {
        Publishes = "publishes acknowledged"
        Replays = "publishes answered from their key"
        Records = "records committed"
        Deliveries = "records delivered to devices"
        Arrivals = "notifications that arrived"
        Messages = "messages that came to rooms"
        Intents = "intents made"
        Retries = "refused intents tried again"
        Persisted = "rows of outboxes kept and dropped"
        Adopted = "lanes of dead pages adopted"
        Moved = "intents that came after a hole in their lane"
        Stored = "intents stored"
        Refusals = "intents refused"
        Loads = "pages asked for"
        Dials = "connections opened"
        Streams = "streams opened"
        Polls = "polls asked"
        Posts = "messages brought by requests"
        Upgrades = "connections moved to another transport"
        Resumes = "subscriptions resumed"
        Snapshots = "snapshots sent"
        Gaps = "gaps told to apps"
        Repairs = "holes repaired by clients"
        Duplicates = "copies dropped by clients"
        Pongs = "pongs that told a top"
        Saves = "caches saved"
        Cached = "pages started from a cache"
        DeferredPart = "pages whose second part was loaded"
        Refreshes = "credentials refreshed in band"
        Replaced = "older connections of a page ended"
        HubReads = "holes of a hub read from the log"
        Lags = "subscriptions sent back to the log"
    }
    "faults of the network" {
        Drop = "records lost on a link"
        Delay = "frames delayed by over 100 ms"
        Double = "frames doubled"
        Overtake = "records overtaken"
        Tear = "frames torn"
        Cut = "connections cut"
        OneWay = "directions gone silent"
        HalfOpen = "links half open"
        Slow = "slow links"
        NoSocket = "WebSockets that a network did not let through"
        HeldBack = "pieces of streams held back"
        Twice = "requests made twice by a proxy"
        Unreachable = "dials that failed"
        Request = "requests of backends lost"
        Response = "answers to backends lost"
    }
    "faults of servers, store and bus" {
        Kill = "nodes killed"
        StoreCrash = "stores crashed"
        Unsynced = "writes lost before their answer"
        Unanswered = "writes kept without an answer"
        Unknown = "commits of unknown result"
        Away = "commits and reads refused by the store"
        Full = "commits refused for want of space"
        Alone = "writes that failed alone"
        Drains = "nodes drained"
        Restores = "stores restored under new epochs"
        Trims = "retention runs"
        HintLost = "hints lost"
        HintDoubled = "hints doubled"
        HintLate = "hints overtaken"
        BusFlush = "times the bus lost everything"
        Revocations = "credentials revoked"
        Rights = "rights given and taken"
        Forbidden = "things refused for want of a right"
        ClockStep = "clocks stepped by up to an hour"
        Early = "timers that went off early"
        Expired = "sessions and tickets refused as expired"
    }
    "faults of browsers" {
        TabCrash = "tabs crashed"
        BrowserCrash = "browsers crashed with all their tabs"
        Reload = "pages reloaded"
        Freeze = "tabs frozen for a while"
        SaveAborted = "saves aborted"
        Quota = "saves over quota"
        Unsaved = "saves lost with the power"
        LanesFailed = "rows or claims aborted"
        LanesHung = "rows or claims that hung"
        RowDamaged = "rows damaged"
        LoadFailed = "loads that failed"
        DeferredFailed = "second parts that could not be loaded"
        LoadHung = "loads without an answer"
        Corrupt = "caches damaged"
        NoTicket = "ticket functions that failed"
        Offline = "times a browser went offline"
    }
}

/// How often each event occurred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally([u64; Count::NUMBER]);

impl Default for Tally {
    fn default() -> Self {
        Self::NONE
    }
}

impl Tally {
    /// No event occurred.
    pub const NONE: Self = Self([0; Count::NUMBER]);

    /// Counts an event.
    pub const fn count(&mut self, what: Count) {
        self.more(what, 1);
    }

    /// Counts an event several times.
    pub const fn more(&mut self, what: Count, times: u64) {
        self.0[what as usize] += times;
    }

    /// How often an event occurred.
    #[must_use]
    pub const fn of(&self, what: Count) -> u64 {
        self.0[what as usize]
    }

    /// Adds the counts of another world.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// Events that never occurred.
    pub fn missing(&self) -> impl Iterator<Item = &'static str> {
        let all = Count::ALL.iter().flat_map(|(_, group)| group.iter());
        all.filter(|(what, _)| self.of(*what) == 0).map(|(_, words)| *words)
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (group, counts) in Count::ALL {
            writeln!(f, "  {group}:")?;
            for (what, words) in *counts {
                writeln!(f, "  {:>10} {words}", self.of(*what))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_has_its_own_place_and_words() {
        let mut tally = Tally::default();
        for (_, group) in Count::ALL {
            group.iter().for_each(|(what, _)| tally.count(*what));
        }
        assert_eq!(tally.0, [1; Count::NUMBER]);
        assert_eq!(tally.missing().count(), 0);
        assert_eq!(Tally::default().missing().count(), Count::NUMBER);
    }
}
