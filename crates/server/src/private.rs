//! Files and folders that only the server's user may read, whatever the umask.

use std::{
    fmt::{self, Display, Formatter},
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
    path::{Path, PathBuf},
};

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;
/// The permissions of the group and all other users.
const OTHERS: u32 = 0o077;
/// The mode bit of a folder that several users share, such as `/tmp`.
const STICKY: u32 = 0o1000;

/// Makes a folder if it is missing. Missing parents get the umask's permissions.
///
/// # Errors
/// The folder can't be made.
pub(crate) fn folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(FOLDER).create(path) {
        // Another process made it meanwhile.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        result => result,
    }
}

/// Options for opening a file for writing, which is made if it is missing.
pub(crate) fn options() -> OpenOptions {
    let mut options = File::options();
    options.write(true).create(true).mode(FILE);
    options
}

/// Gives a file that an administrator's command made to the folder's owner: the server must be able
/// to read it.
pub(crate) fn hand_over(file: &File, folder: &Path) -> io::Result<()> {
    let (own, its) = (file.metadata()?, fs::metadata(folder)?);
    if own.uid() != its.uid() {
        std::os::unix::fs::fchown(file, Some(its.uid()), Some(its.gid()))?;
    }
    Ok(())
}

/// A file or folder that other users may read or write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenToOthers {
    /// The data folder, or a file in it.
    pub path: PathBuf,
    /// Its mode.
    pub mode: u32,
}

impl Display for OpenToOthers {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} (mode {:04o})", self.path.display(), self.mode)
    }
}

/// The files of a data folder that other users may access. The folder itself counts only if it
/// holds nothing else, because otherwise it may be open on purpose.
///
/// # Errors
/// The folder can't be read.
pub fn open_to_others(folder: &Path) -> io::Result<Vec<OpenToOthers>> {
    let mut found = Vec::new();
    let mut is_ours = true;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == "lost+found" {
            continue;
        }
        if !name.to_str().is_some_and(is_our_name) {
            is_ours = false;
            continue;
        }
        // A link's own mode counts, not that of its target, which is elsewhere.
        let about = entry.metadata()?;
        if about.is_file() && about.mode() & OTHERS != 0 {
            found.push(OpenToOthers { path: entry.path(), mode: about.mode() & 0o7777 });
        }
    }
    let mode = fs::metadata(folder)?.mode() & 0o7777;
    if is_ours && mode & OTHERS != 0 && mode & STICKY == 0 {
        found.push(OpenToOthers { path: folder.to_owned(), mode });
    }
    Ok(found)
}

/// Removes other users' access to a data folder.
///
/// # Errors
/// The folder can't be read. A mode that can't be changed is logged.
pub(crate) fn tighten(folder: &Path) -> io::Result<()> {
    for one in open_to_others(folder)? {
        let mode = if one.path == folder { FOLDER } else { FILE };
        match fs::set_permissions(&one.path, fs::Permissions::from_mode(mode)) {
            Ok(()) => tracing::warn!(%one, "other users could read this: closed to them now"),
            Err(error) => {
                tracing::warn!(%one, %error, "other users can read this: run chmod as its owner")
            }
        }
    }
    Ok(())
}

fn is_our_name(name: &str) -> bool {
    let name = name.strip_suffix(".new").unwrap_or(name);
    matches!(name, "tidings.db" | "tidings.db-wal" | "tidings.db-shm" | "lock" | "commits")
        || name.ends_with(".key")
}
