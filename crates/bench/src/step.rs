//! Progress: the current measurement and its duration.

use std::time::Instant;

/// A measurement in progress.
pub(crate) struct Step {
    what: String,
    began: Instant,
}

impl Step {
    /// Begins it and prints its name.
    pub(crate) fn begin(what: String) -> Self {
        eprintln!("{what}…");
        Self { what, began: Instant::now() }
    }

    /// Prints its duration.
    pub(crate) fn end(self) {
        eprintln!("{} took {:.1} s", self.what, self.began.elapsed().as_secs_f64());
    }
}
