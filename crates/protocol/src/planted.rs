//! Faults planted on purpose, to see that the simulation finds them: a check that can't fail proves
//! nothing.
//!
//! Each fault is a switch in the code it breaks: `planted::on(Planted::X)`. Without the feature
//! `planted-faults` the compiler sees `false`. A release can't have the feature: it compiles only
//! with debug assertions.

/// The faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// A client folds a record that it has folded before.
    NoDedupe,
    /// The store confirms a commit before it is on disk.
    AckBeforeCommit,
    /// A client takes a record although the record before it is missing.
    NoGapCheck,
    /// A subscription goes live at the hub's current top, even if it has not read up to there.
    LiveWithoutLock,
    /// A session goes on after it was replaced or revoked.
    StaleSessionNotFenced,
    /// The idempotency row is committed after its record, in a separate transaction.
    IdempotencyApart,
    /// A client applies a mark when it arrives, even out of order.
    MarksByArrival,
    /// A resumed subscription leaves out the first record after the cursor.
    ResumeOffByOne,
    /// A client releases the lock of an outbox lane that it still writes to.
    LaneWithoutLock,
    /// A client saves its cursor first and the items up to the cursor later.
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
        // Per thread: each world runs on one thread, and a world without the fault may run on
        // another.
        static FAULT: Cell<Option<Planted>> = const { Cell::new(None) };
    }

    /// Plants a fault for all code on this thread; replaces the one before.
    pub fn plant(fault: Option<Planted>) {
        FAULT.set(fault);
    }

    /// Whether a fault is planted.
    #[must_use]
    pub fn on(fault: Planted) -> bool {
        FAULT.get() == Some(fault)
    }

    impl Planted {
        /// All faults.
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

        /// Name and file, for tables.
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
                Self::LaneWithoutLock => {
                    ("outbox lane without lock", "client `outbox/persistence.rs`")
                }
                Self::CursorBeforeCache => ("cursor saved before cache", "client `storage.rs`"),
            }
        }

        /// The fault's name in the list of invariants.
        #[must_use]
        pub const fn name(self) -> &'static str {
            self.about().0
        }

        /// The file that holds its switch.
        #[must_use]
        pub const fn place(self) -> &'static str {
            self.about().1
        }
    }
}
