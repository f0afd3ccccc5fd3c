//! Files and folders of the server's own user: what is in them is nobody else's to read, whatever the umask.

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
/// What a group and everybody else may.
const OTHERS: u32 = 0o077;
/// Of a folder that several users share, such as `/tmp`.
const STICKY: u32 = 0o1000;

/// Makes a folder when it is missing; its parents are made as the umask says.
///
/// # Errors
/// It can't be made.
pub(crate) fn folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(FOLDER).create(path) {
        // Made by somebody else meanwhile.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        result => result,
    }
}

/// How to open a file for writing, which is made when it is missing.
pub(crate) fn options() -> OpenOptions {
    let mut options = File::options();
    options.write(true).create(true).mode(FILE);
    options
}

/// A file that an administrator's command made belongs to whose folder it is in: the server must be able to read it.
pub(crate) fn hand_over(file: &File, folder: &Path) -> io::Result<()> {
    let (own, its) = (file.metadata()?, fs::metadata(folder)?);
    if own.uid() != its.uid() {
        std::os::unix::fs::fchown(file, Some(its.uid()), Some(its.gid()))?;
    }
    Ok(())
}

/// Something of the data folder that others may read or write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenToOthers {
    /// The folder or a file in it.
    pub path: PathBuf,
    /// Its mode.
    pub mode: u32,
}

impl Display for OpenToOthers {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} (mode {:04o})", self.path.display(), self.mode)
    }
}

/// What others may read of a data folder. A folder that holds other things too is looked at for its files alone, because it may be open
/// on purpose.
///
/// # Errors
/// It can't be read.
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
        // Not what a link points to: that is elsewhere.
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

/// Takes from others what they may read of a data folder.
///
/// # Errors
/// The folder can't be read. What can't be changed is told in the log.
pub(crate) fn tighten(folder: &Path) -> io::Result<()> {
    for one in open_to_others(folder)? {
        let mode = if one.path == folder { FOLDER } else { FILE };
        match fs::set_permissions(&one.path, fs::Permissions::from_mode(mode)) {
            Ok(()) => tracing::warn!(%one, "others could read this; it is the server's own now"),
            Err(error) => tracing::warn!(%one, %error, "others can read this: change its mode"),
        }
    }
    Ok(())
}

fn is_our_name(name: &str) -> bool {
    let name = name.strip_suffix(".new").unwrap_or(name);
    matches!(name, "tidings.db" | "tidings.db-wal" | "tidings.db-shm" | "lock" | "commits")
        || name.ends_with(".key")
}
