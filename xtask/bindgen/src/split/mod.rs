//! Splits the module in two: the code that a page runs until its first inbox is shown, and the
//! deferred part, which loads later.
//!
//! The split is drawn in Rust: code that is called only through a function of a module named
//! `deferred` may load later. Such a function takes a token that exists only when the code is
//! loaded (crates/client/src/deferred.rs). Everything that can't be reached without such a function
//! moves to the deferred part: code, constants, and entries of the function table.
//!
//! Both parts are one program. They share memory, table and stack. The first part calls the
//! deferred part through table slots, which are empty until it loads; the deferred part finds
//! functions of the first part in other slots.

mod cut;
mod graph;
mod plan;

use std::path::Path;

use anyhow::Context as _;

pub(crate) use graph::References;

/// The files that a split writes beside the glue.
pub(crate) struct Files<'a> {
    /// The whole module, as wasm-bindgen made it.
    pub(crate) whole: &'a Path,
    /// The first part.
    pub(crate) startup: &'a Path,
    /// The deferred part.
    pub(crate) deferred: &'a Path,
}

/// Splits the module that wasm-bindgen made from `linked`, which still has the linker's tables.
pub(crate) fn split(linked: &Path, files: &Files<'_>) -> anyhow::Result<()> {
    let linked = std::fs::read(linked).with_context(|| linked.display().to_string())?;
    let mut references = References::read(&linked).context("what the linker knew of references")?;
    let whole = std::fs::read(files.whole).with_context(|| files.whole.display().to_string())?;
    references.rename(&cut::names(&whole)?)?;
    let parts = cut::cut(&whole, &references)?;
    for (path, bytes) in [
        (files.whole, parts.whole),
        (files.startup, parts.startup),
        (files.deferred, parts.deferred),
    ] {
        std::fs::write(path, bytes).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
