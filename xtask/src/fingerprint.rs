//! Recognises unchanged inputs: a hash over the inputs of a step, stored beside its results.
//!
//! It hashes contents, not times: a fresh checkout, a branch switched there and back, or a touched
//! file must not cost a minute of compiling. SipHash with its fixed default key does not resist
//! deliberate collisions, but there is no reason to make one here.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::repo;

/// Folders that hold results, not sources.
const NOT_SOURCES: [&str; 6] = ["node_modules", "dist", "target", "results", ".git", ".svelte-kit"];

/// Collects inputs and gives one short text for all of them.
pub(crate) struct Fingerprint(DefaultHasher);

impl Fingerprint {
    /// An empty fingerprint; `purpose` keeps different steps apart.
    pub(crate) fn new(purpose: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        purpose.hash(&mut hasher);
        Self(hasher)
    }

    /// Adds a file or everything in a folder, except the names in `skip` directly in it. A missing
    /// path is hashed as absent, so that its appearance is a change.
    pub(crate) fn tree(mut self, path: &Path, skip: &[&str]) -> Result<Self, Failure> {
        let mut files = BTreeSet::new();
        collect(path, skip, &mut files)?;
        for file in files {
            repo::shown(&file).hash(&mut self.0);
            fs::read(&file).map_err(Failure::io("read", &file))?.hash(&mut self.0);
        }
        Ok(self)
    }

    /// The finished text.
    pub(crate) fn finish(self) -> String {
        format!("{:016x}", self.0.finish())
    }
}

fn collect(path: &Path, skip: &[&str], into: &mut BTreeSet<PathBuf>) -> Result<(), Failure> {
    if path.is_file() {
        into.insert(path.to_path_buf());
        return Ok(());
    }
    if !path.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(Failure::io("list", path))? {
        let entry = entry.map_err(Failure::io("list", path))?;
        let name = entry.file_name();
        let skipped = NOT_SOURCES.iter().chain(skip).any(|skip| name == **skip);
        // Links are left out: a linked package (`file:../npm`) is an input of its own.
        let link = entry.file_type().map_err(Failure::io("stat", path))?.is_symlink();
        if !skipped && !link {
            collect(&entry.path(), &[], into)?;
        }
    }
    Ok(())
}

/// A small file that names the inputs of a result.
pub(crate) struct Stamp(PathBuf);

impl Stamp {
    /// The stamp of the result in `folder`: deleting the result deletes it. `what` tells several
    /// stamps apart.
    pub(crate) fn inside(folder: &Path, what: &str) -> Self {
        Self(folder.join(format!(".xtask-{what}-stamp")))
    }

    /// Whether the result was made from exactly these inputs.
    pub(crate) fn matches(&self, fingerprint: &str) -> bool {
        self.content().is_some_and(|content| content == fingerprint)
    }

    /// The stamp's content, if there is a stamp.
    pub(crate) fn content(&self) -> Option<String> {
        fs::read_to_string(&self.0).ok()
    }

    /// Notes that the result is now made from these inputs.
    pub(crate) fn set(&self, fingerprint: &str) -> Result<(), Failure> {
        repo::write(&self.0, fingerprint.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(folder: &Path) -> String {
        Fingerprint::new("test").tree(folder, &["wasm"]).unwrap().finish()
    }

    #[test]
    fn changes_with_content_and_names_but_not_with_results() {
        let folder = repo::scratch().join(format!("fingerprint-test-{}", std::process::id()));
        repo::write(&folder.join("src/a.rs"), b"a").unwrap();
        let first = of(&folder);

        repo::write(&folder.join("node_modules/x.js"), b"x").unwrap();
        repo::write(&folder.join("wasm/x.wasm"), b"x").unwrap();
        assert_eq!(first, of(&folder), "results are not inputs");

        repo::write(&folder.join("src/wasm/a.rs"), b"a").unwrap();
        assert_ne!(first, of(&folder), "only the folder's own entries are skipped by name");

        repo::write(&folder.join("src/a.rs"), b"b").unwrap();
        let second = of(&folder);
        assert_ne!(first, second, "content counts");

        fs::rename(folder.join("src/a.rs"), folder.join("src/b.rs")).unwrap();
        assert_ne!(second, of(&folder), "names count");
        fs::remove_dir_all(&folder).unwrap();
    }
}
