//! `cargo xtask package`: npm/ with the wasm inside, and the example that uses it.

use std::path::Path;

use crate::failure::Failure;
use crate::fingerprint::{Fingerprint, Stamp};
use crate::node;
use crate::repo;
use crate::steps::{Outcome, Step};
use crate::wasm;

/// Builds npm/dist, unless it is made from the same sources already. Wants the wasm to be there.
pub(crate) fn build(step: &mut Step) -> Result<Outcome, Failure> {
    let _alone = repo::lock(step)?;
    let npm = repo::root().join("npm");
    let inputs = Fingerprint::new("package").tree(&npm, &["wasm"])?.tree(&wasm::folder(), &[])?;
    npm_build(&npm, inputs, step)
}

/// Builds examples/react/dist, unless it is made from the same sources already. Wants npm/dist.
pub(crate) fn build_example(step: &mut Step) -> Result<Outcome, Failure> {
    let _alone = repo::lock(step)?;
    let root = repo::root();
    let example = root.join("examples/react");
    let inputs =
        Fingerprint::new("example").tree(&example, &[])?.tree(&root.join("npm/dist"), &[])?;
    npm_build(&example, inputs, step)
}

fn npm_build(folder: &Path, inputs: Fingerprint, step: &mut Step) -> Result<Outcome, Failure> {
    let inputs = inputs.finish();
    // Not in dist, which is packed and served as it is.
    let stamp = Stamp::inside(&folder.join("node_modules"), "build");
    let installed = node::install(folder, step)?;
    if !installed && stamp.matches(&inputs) && folder.join("dist").is_dir() {
        return Ok(Outcome::Unchanged);
    }
    step.run(node::npm(folder).args(["run", "build"]))?;
    stamp.set(&inputs)?;
    Ok(Outcome::Done)
}
