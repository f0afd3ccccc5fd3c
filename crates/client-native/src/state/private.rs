//! Folders with access only for their owner: they hold the user's messages.

use std::{fs::DirBuilder, io, path::Path};

/// Creates a folder and its parents; takes other users' access to an existing one away.
pub(super) fn folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};

        builder.mode(0o700);
        builder.create(path)?;
        let mut permissions = path.metadata()?.permissions();
        if permissions.mode() & 0o077 != 0 {
            permissions.set_mode(0o700);
            // The file system has no modes, or the folder belongs to another user, who set it up on
            // purpose.
            let _ = std::fs::set_permissions(path, permissions);
        }
        Ok(())
    }
    #[cfg(not(unix))]
    builder.create(path)
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::super::{Caches, Outbox, outbox::tests::Folder};

    #[test]
    fn what_is_kept_of_a_user_is_nobody_elses_to_read() {
        let outer = Folder::new();
        let state = outer.path().join("app").join("state");
        // As earlier versions created it.
        fs::create_dir_all(state.join("outbox")).unwrap();
        fs::set_permissions(state.join("outbox"), fs::Permissions::from_mode(0o755)).unwrap();
        let caches = Caches::open(&state, 9).unwrap();
        let outbox = Outbox::open(&state).unwrap();
        for folder in ["caches", "outbox"] {
            let mode = state.join(folder).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{folder}");
        }
        drop((caches, outbox));
    }
}
