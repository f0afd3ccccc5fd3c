//! Signing keys that a server makes and stores in its data folder, so that a restart invalidates no
//! session.

use std::{
    fmt::{self, Debug, Formatter},
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::Path,
};

use crate::private;

/// 256 random bits. `Debug` does not show them.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl Secret {
    /// A secret from given bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(super) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Debug for Secret {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Reads a secret from a file of the folder, or makes it. The file is readable by its owner only,
/// and is never partly written.
///
/// # Errors
/// The file can't be read or written, or is not 32 bytes long.
pub fn secret(folder: &Path, name: &str) -> io::Result<Secret> {
    let path = folder.join(name);
    let mut bytes = [0; 32];
    match File::open(&path) {
        Ok(mut file) => {
            if file.metadata()?.len() != bytes.len() as u64 {
                let why = format!("{} is not a key of 32 bytes", path.display());
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            file.read_exact(&mut bytes)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            getrandom::fill(&mut bytes).map_err(io::Error::other)?;
            private::folder(folder)?;
            let draft = folder.join(format!("{name}.new"));
            let mut file = private::options().truncate(true).open(&draft)?;
            private::hand_over(&file, folder)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
        }
        Err(error) => return Err(error),
    }
    Ok(Secret(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_stays_the_same_and_is_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let first = secret(folder.path(), "session.key").unwrap();
        assert_eq!(secret(folder.path(), "session.key").unwrap().bytes(), first.bytes());
        assert_ne!(secret(folder.path(), "jwt.key").unwrap().bytes(), first.bytes());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode =
                fs::metadata(folder.path().join("session.key")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_cut_file_is_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("session.key"), b"short").unwrap();
        assert!(secret(folder.path(), "session.key").unwrap_err().to_string().contains("32 bytes"));
    }
}
