//! What is measured now, and how long it took.

use std::time::Instant;

/// Something that takes a while.
pub(crate) struct Step {
    what: String,
    began: Instant,
}

impl Step {
    /// Says that it begins.
    pub(crate) fn begin(what: String) -> Self {
        eprintln!("{what}…");
        Self { what, began: Instant::now() }
    }

    /// Says how long it took.
    pub(crate) fn end(self) {
        eprintln!("{} took {:.1} s", self.what, self.began.elapsed().as_secs_f64());
    }
}
