//! Faults planted on purpose, to see that the simulation notices: a check that can't fail proves nothing.
//!
//! Each is a switch at the place it breaks, `planted::on(Planted::X)`, which is `false` for the compiler unless the feature
//! `planted-faults` is on. No release can have it: without debug assertions it does not compile.

/// What can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// A client folds a record again that it has already.
    NoDedupe,
    /// The store answers a commit before it is on the disk.
    AckBeforeCommit,
    /// A client takes a record although the one before it is missing.
    NoGapCheck,
    /// A subscription goes live at whatever top the hub has by then, read or not.
    LiveWithoutLock,
    /// A session goes on that was replaced or revoked.
    StaleSessionNotFenced,
    /// The idempotency row is committed after its record, in a transaction of its own.
    IdempotencyApart,
    /// A client applies a mark when it arrives, in its turn or not.
    MarksByArrival,
    /// A resumed subscription leaves out the first record after the cursor.
    ResumeOffByOne,
    /// A client lets the lock of an outbox lane go that it still writes to.
    LaneWithoutLock,
    /// A client saves its cursor first and the items up to it later.
    CursorBeforeCache,
}

#[cfg(all(feature = "planted-faults", not(debug_assertions)))]
compile_error!(
    "`planted-faults` breaks the product on purpose and is refused in builds without debug assertions"
);

/// Whether a fault is planted.
#[cfg(not(feature = "planted-faults"))]
#[inline(always)]
#[must_use]
pub const fn on(_: Planted) -> bool {
    false
}

#[cfg(feature = "planted-faults")]
pub use planting::{on, plant};

#[cfg(feature = "planted-faults")]
mod planting {
    use std::cell::Cell;

    use super::Planted;

    thread_local! {
        // By thread, because each world lives on one, and worlds without the fault may live on others.
        static FAULT: Cell<Option<Planted>> = const { Cell::new(None) };
    }

    /// Plants a fault in everything that runs on this thread, in place of the one before.
    pub fn plant(fault: Option<Planted>) {
        FAULT.set(fault);
    }

    /// Whether a fault is planted.
    #[must_use]
    pub fn on(fault: Planted) -> bool {
        FAULT.get() == Some(fault)
    }

    impl Planted {
        /// All of them.
        pub const ALL: &'static [Self] = &[
            Self::NoDedupe,
            Self::AckBeforeCommit,
            Self::NoGapCheck,
            Self::LiveWithoutLock,
            Self::StaleSessionNotFenced,
            Self::IdempotencyApart,
            Self::MarksByArrival,
            Self::ResumeOffByOne,
            Self::LaneWithoutLock,
            Self::CursorBeforeCache,
        ];

        /// Name and place, for tables.
        const fn about(self) -> (&'static str, &'static str) {
            match self {
                Self::NoDedupe => ("no dedupe", "client `resume.rs`"),
                Self::AckBeforeCommit => ("ack before commit", "server-core `memory/mod.rs`"),
                Self::NoGapCheck => ("no gap check", "client `resume.rs`"),
                Self::LiveWithoutLock => ("live switch without the lock", "server-core `hub.rs`"),
                Self::StaleSessionNotFenced => {
                    ("stale session not fenced", "server-core `session/guard.rs`")
                }
                Self::IdempotencyApart => {
                    ("idempotency row in another transaction", "server-core `memory/mod.rs`")
                }
                Self::MarksByArrival => ("marks folded by arrival", "client `resume.rs`"),
                Self::ResumeOffByOne => {
                    ("resume off by one", "server-core `session/subscription.rs`")
                }
                Self::LaneWithoutLock => ("outbox lane without lock", "client `outbox/keep.rs`"),
                Self::CursorBeforeCache => ("cursor saved before cache", "client `storage.rs`"),
            }
        }

        /// As the list of invariants calls it.
        #[must_use]
        pub const fn name(self) -> &'static str {
            self.about().0
        }

        /// Where its switch is.
        #[must_use]
        pub const fn place(self) -> &'static str {
            self.about().1
        }
    }
}
