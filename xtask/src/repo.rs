//! Paths of the repository, and the few file operations that all commands share.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::steps::Step;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Cargo's target folder, chosen as cargo does.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// xtask's own folder: stamps, logs, scratch files.
pub(crate) fn scratch() -> PathBuf {
    target().join("xtask")
}

/// Waits until no other xtask builds in this clone, and holds others back until the lock is
/// dropped: all share the results (npm/wasm, npm/dist), whatever target folder they use.
pub(crate) fn lock(step: &mut Step) -> Result<File, Failure> {
    let path = root().join("target/xtask/lock");
    make_parent(&path)?;
    let file = File::create(&path).map_err(Failure::io("open", &path))?;
    if file.try_lock().is_err() {
        step.retitle("waiting for another xtask");
    }
    file.lock().map_err(Failure::io("lock", &path))?;
    Ok(file)
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(Failure::io("read", path))
}

/// Writes a file, and creates the folders above it.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    make_parent(path)?;
    fs::write(path, content).map_err(Failure::io("write", path))
}

/// Creates the folder that will hold `path`.
pub(crate) fn make_parent(path: &Path) -> Result<(), Failure> {
    match path.parent() {
        Some(parent) => fs::create_dir_all(parent).map_err(Failure::io("create", parent)),
        None => Ok(()),
    }
}

/// A path for messages: relative to the root if it is inside.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
