//! Caches: one file each, which is replaced as a whole.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use tidings_protocol::Epoch;

use super::{Cursors, names::file_name, private};

/// File name of the inbox. A channel can't have it, because a file name escapes the channel's `:`.
const INBOX: &str = "inbox";

pub(super) struct Caches {
    folder: PathBuf,
    /// Most channels stored per user; the channel that was written longest ago is dropped.
    channels_max: usize,
    /// Locked while a cache is compared and replaced.
    lock: File,
}

impl Caches {
    pub(super) fn open(folder: &Path, channels_max: usize) -> io::Result<Self> {
        let caches = folder.join("caches");
        private::folder(&caches)?;
        let lock =
            File::options().create(true).truncate(false).write(true).open(folder.join("lock"))?;
        Ok(Self { folder: caches, channels_max, lock })
    }

    pub(super) fn load(&self, key: &str) -> io::Result<Option<String>> {
        Ok(self.read(key)?.map(|(_, text)| text))
    }

    /// Writes a cache over no file, over lower offsets of the same epochs, or over an epoch in
    /// `over`.
    pub(super) fn save(
        &self,
        key: &str,
        cursors: Cursors,
        over: &[Epoch],
        text: &str,
    ) -> io::Result<()> {
        self.lock.lock()?;
        let saved = self.replace(key, cursors, over, text);
        self.lock.unlock()?;
        saved
    }

    /// Deletes all caches of a user.
    pub(super) fn wipe(&self, user: &str) -> io::Result<()> {
        match fs::remove_dir_all(self.folder.join(file_name(user))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn replace(&self, key: &str, cursors: Cursors, over: &[Epoch], text: &str) -> io::Result<()> {
        let old = self.read(key)?;
        if old.is_some_and(|(old, _)| !may_replace(old, cursors, over)) {
            return Ok(());
        }
        let path = self.path(key);
        if let Some(folder) = path.parent()
            && !path.exists()
        {
            private::folder(folder)?;
            if path.file_name() != Some(INBOX.as_ref()) {
                make_room(folder, self.channels_max)?;
            }
        }
        // Synced before it replaces the old file: a crash leaves one or the other.
        let new = path.with_extension("new");
        let mut file = File::create(&new)?;
        let [(inbox, at), (system, system_at)] = cursors;
        file.write_all(format!("{inbox} {at} {system} {system_at}\n{text}").as_bytes())?;
        file.sync_all()?;
        fs::rename(new, path)
    }

    /// Reads a cache. A broken file counts as missing: the server's data rebuilds it.
    fn read(&self, key: &str) -> io::Result<Option<(Cursors, String)>> {
        let saved = match fs::read(self.path(key)) {
            Ok(saved) => saved,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(String::from_utf8(saved).ok().and_then(|saved| parse(&saved)))
    }

    /// The file of a key, which is a user, or a user, a tab and a channel.
    fn path(&self, key: &str) -> PathBuf {
        let (user, channel) = key.split_once('\t').unwrap_or((key, INBOX));
        self.folder.join(file_name(user)).join(file_name(channel))
    }
}

/// Makes room for one more channel.
fn make_room(folder: &Path, channels_max: usize) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() == INBOX {
            continue;
        }
        let written = entry.metadata()?.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        files.push((written, entry.path()));
    }
    files.sort();
    let over = (files.len() + 1).saturating_sub(channels_max);
    for (_, path) in files.into_iter().take(over) {
        fs::remove_file(path)?;
    }
    Ok(())
}

fn parse(saved: &str) -> Option<(Cursors, String)> {
    let (first, text) = saved.split_once('\n')?;
    let mut words = first.split(' ');
    let mut cursor = || Some((Epoch::parse(words.next()?).ok()?, words.next()?.parse().ok()?));
    Some(([cursor()?, cursor()?], text.to_owned()))
}

fn may_replace(old: Cursors, new: Cursors, over: &[Epoch]) -> bool {
    old.iter()
        .zip(&new)
        .all(|((was, from), (is, to))| over.contains(was) || (was == is && from <= to))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::state::outbox::tests::Folder;

    fn at(epoch: u64, offset: u64) -> Cursors {
        [(Epoch::from_bits(epoch), offset); 2]
    }

    #[test]
    fn a_cache_is_replaced_by_newer_ones_only() {
        let folder = Folder::new();
        let caches = Caches::open(folder.path(), 256).unwrap();
        assert_eq!(caches.load("u1").unwrap(), None);
        let steps = [
            (at(1, 5), &[][..], "five\nlines", "five\nlines"),
            (at(1, 4), &[], "four", "five\nlines"),
            (at(1, 6), &[], "six", "six"),
            (at(2, 1), &[], "other", "six"),
            (at(2, 1), &[Epoch::from_bits(1)], "other", "other"),
        ];
        for (cursors, over, text, then) in steps {
            caches.save("u1", cursors, over, text).unwrap();
            assert_eq!(caches.load("u1").unwrap().as_deref(), Some(then));
        }
    }

    #[test]
    fn a_user_is_wiped_with_their_channels_and_nobody_else() {
        let folder = Folder::new();
        let caches = Caches::open(folder.path(), 256).unwrap();
        for key in ["u1", "u1\troom:1", "u12", "u12\troom:1"] {
            caches.save(key, at(1, 1), &[], key).unwrap();
        }
        caches.wipe("u1").unwrap();
        let left = ["u1", "u1\troom:1", "u12", "u12\troom:1"].map(|key| caches.load(key).unwrap());
        assert_eq!(left.map(|one| one.is_some()), [false, false, true, true]);
    }

    #[test]
    fn what_is_broken_counts_as_nothing() {
        let folder = Folder::new();
        let caches = Caches::open(folder.path(), 256).unwrap();
        caches.save("u1", at(1, 1), &[], "text").unwrap();
        fs::write(caches.path("u1"), "torn").unwrap();
        assert_eq!(caches.load("u1").unwrap(), None);
        caches.save("u1", at(1, 1), &[], "again").unwrap();
        assert_eq!(caches.load("u1").unwrap().as_deref(), Some("again"));
    }

    #[test]
    fn the_channel_that_was_written_longest_ago_goes_and_the_inbox_never() {
        let folder = Folder::new();
        let caches = Caches::open(folder.path(), 3).unwrap();
        let written = |key: &str, at: u64| {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(at);
            File::options().write(true).open(caches.path(key)).unwrap().set_modified(time).unwrap();
        };
        let save = |key: &str, number: u64| {
            caches.save(key, at(1, number), &[], "x").unwrap();
            written(key, number);
        };
        save("u", 1);
        for number in 2..=4 {
            save(&format!("u\troom:{number}"), number);
        }
        save("u\troom:2", 5);
        save("u\troom:6", 6);
        let keys = ["u", "u\troom:2", "u\troom:3", "u\troom:4", "u\troom:6"];
        let left = keys.map(|key| caches.load(key).unwrap().is_some());
        assert_eq!(left, [true, true, false, true, true]);
    }
}
