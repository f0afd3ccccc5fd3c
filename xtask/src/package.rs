//! `cargo xtask package`: npm/ with the wasm module, and the examples that use it.

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::fingerprint::{Fingerprint, Stamp};
use crate::node;
use crate::repo;
use crate::steps::{Outcome, Step};
use crate::wasm;

/// Builds npm/dist, unless it is up to date. Needs the wasm module.
pub(crate) fn build(step: &mut Step) -> Result<Outcome, Failure> {
    let _alone = repo::lock(step)?;
    let npm = repo::root().join("npm");
    let inputs = Fingerprint::new("package").tree(&npm, &["wasm"])?.tree(&wasm::folder(), &[])?;
    npm_build(&npm, inputs, step)
}

/// The same app in each framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Example {
    /// examples/react
    React,
    /// examples/svelte
    Svelte,
}

impl Example {
    /// All of them.
    pub(crate) const ALL: [Self; 2] = [Self::React, Self::Svelte];

    /// The framework's name.
    pub(crate) fn framework(self) -> &'static str {
        match self {
            Self::React => "React",
            Self::Svelte => "Svelte",
        }
    }

    /// Its folder.
    pub(crate) fn folder(self) -> PathBuf {
        repo::root().join("examples").join(self.framework().to_lowercase())
    }
}

/// Builds an example's dist, unless it is up to date. Needs npm/dist.
pub(crate) fn build_example(example: Example, step: &mut Step) -> Result<Outcome, Failure> {
    let _alone = repo::lock(step)?;
    let folder = example.folder();
    let dist = repo::root().join("npm/dist");
    let inputs = Fingerprint::new("example").tree(&folder, &[])?.tree(&dist, &[])?;
    npm_build(&folder, inputs, step)
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
