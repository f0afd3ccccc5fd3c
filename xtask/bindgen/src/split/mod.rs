//! Cuts the module in two: what a page runs until its first inbox is there, and the rest, which loads after that.
//!
//! The border is drawn in Rust: whatever is called through a function of a module named `rest` may load later, and such
//! a function wants a token that exists only once it has (crates/client/src/rest.rs). Here, everything that can't be
//! reached without going through such a function moves out: code, constants, and entries of the table of functions.
//!
//! Both parts are one program. They share memory, table and stack; the first calls the rest through slots of the table
//! that are empty until the rest is there, and the rest takes functions of the first from other slots of it.

mod cut;
mod graph;
mod plan;

use std::path::Path;

use anyhow::Context as _;

pub(crate) use graph::References;

/// Files that a split leaves in its folder, beside the glue.
pub(crate) struct Files<'a> {
    /// The whole module, as wasm-bindgen made it.
    pub(crate) whole: &'a Path,
    /// What loads first.
    pub(crate) first: &'a Path,
    /// What loads later.
    pub(crate) rest: &'a Path,
}

/// Splits the module that wasm-bindgen made of `linked`, which still has what the linker knew of it.
pub(crate) fn split(linked: &Path, files: &Files<'_>) -> anyhow::Result<()> {
    let linked = std::fs::read(linked).with_context(|| linked.display().to_string())?;
    let mut references = References::read(&linked).context("what the linker knew of references")?;
    let whole = std::fs::read(files.whole).with_context(|| files.whole.display().to_string())?;
    references.rename(&cut::names(&whole)?)?;
    let parts = cut::cut(&whole, &references)?;
    for (path, bytes) in
        [(files.whole, parts.whole), (files.first, parts.first), (files.rest, parts.rest)]
    {
        std::fs::write(path, bytes).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
