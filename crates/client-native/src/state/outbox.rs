//! The outbox: each lane is a file, whose lock one process holds.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use tidings_client_core::{Change, Lane};

use super::{
    lane::{self, Entry, LaneFile},
    names::file_name,
    private,
};

pub(super) struct Outbox {
    folder: PathBuf,
    held: BTreeMap<String, LaneFile>,
}

impl Outbox {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let folder = folder.join("outbox");
        private::folder(&folder)?;
        Ok(Self { folder, held: BTreeMap::new() })
    }

    /// Applies all changes. After a crash, no row is lost and none is in two lanes.
    pub(super) fn persist(&mut self, user: &str, changes: &[Change]) -> io::Result<()> {
        let mut lanes: BTreeMap<&str, Vec<Entry>> = BTreeMap::new();
        let mut gaining = BTreeSet::new();
        for change in changes {
            let (lane, entry) = match change {
                Change::Put { lane, seq, text } => {
                    gaining.insert(&**lane);
                    (lane, Entry::Put(*seq, text.clone()))
                }
                Change::Drop { lane, seq } => (lane, Entry::Drop(*seq)),
            };
            lanes.entry(lane).or_default().push(entry);
        }
        // Rows move from a losing lane to a gaining one: the gaining lane is written first.
        for lane in &gaining {
            let mut entries = Vec::new();
            for (from, lost) in &lanes {
                for entry in lost {
                    if from != lane
                        && let Entry::Drop(seq) = entry
                    {
                        entries.push(Entry::Moved(String::from(*from), *seq));
                    }
                }
            }
            entries.append(lanes.get_mut(lane).unwrap_or(&mut Vec::new()));
            self.hold(user, lane)?.write(&entries)?;
        }
        for (lane, entries) in lanes {
            if !entries.is_empty()
                && let Some(file) = self.held.get_mut(lane)
            {
                file.write(&entries)?;
            }
        }
        Ok(())
    }

    /// Locks the lanes with rows that no running process holds, and returns them.
    pub(super) fn claim(&mut self, user: &str) -> io::Result<Vec<Lane>> {
        let folder = self.folder_of(user)?;
        let mut paths = Vec::new();
        for entry in fs::read_dir(&folder)? {
            paths.push(entry?.path());
        }
        paths.sort();
        let mut moved = BTreeSet::new();
        for path in &paths {
            match lane::moved(path) {
                Ok(mut more) => moved.append(&mut more),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let mut lanes = Vec::new();
        for path in paths {
            let Some(name) = path.file_stem().and_then(|name| name.to_str()).map(String::from)
            else {
                continue;
            };
            if self.held.contains_key(&name) {
                continue;
            }
            let Some(mut file) = LaneFile::take(path)? else { continue };
            let gone: Vec<_> = file
                .rows
                .keys()
                .filter(|seq| moved.contains(&(name.clone(), **seq)))
                .map(|seq| Entry::Drop(*seq))
                .collect();
            if !gone.is_empty() {
                file.write(&gone)?;
            }
            if file.rows.is_empty() {
                file.release()?;
                continue;
            }
            let rows = file.rows.iter().map(|(seq, text)| (*seq, text.clone())).collect();
            lanes.push(Lane { name: name.clone(), rows });
            self.held.insert(name, file);
        }
        Ok(lanes)
    }

    pub(super) fn release(&mut self, lane: &str) {
        if let Some(file) = self.held.remove(lane) {
            // At worst an empty file stays, which the next claim deletes.
            let _ = file.release();
        }
    }

    /// Deletes every row of a user, even in lanes that other processes hold.
    pub(super) fn wipe(&mut self, user: &str) -> io::Result<()> {
        let folder = self.folder_of(user)?;
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if let Some(name) = path.file_stem().and_then(|name| name.to_str()) {
                self.held.remove(name);
            }
            fs::remove_file(path)?;
        }
        Ok(())
    }

    fn hold(&mut self, user: &str, lane: &str) -> io::Result<&mut LaneFile> {
        if !self.held.contains_key(lane) {
            let folder = self.folder_of(user)?;
            // The core names lanes: hexadecimal digits, `-` and a number.
            let path = folder.join(format!("{lane}.log"));
            let file = LaneFile::take(path)?
                .ok_or_else(|| io::Error::other("another process holds a lane of this name"))?;
            // The file's name is on disk before its first row.
            sync_folder(&folder)?;
            self.held.insert(lane.to_owned(), file);
        }
        self.held.get_mut(lane).ok_or_else(|| io::Error::other("a lane was lost"))
    }

    fn folder_of(&self, user: &str) -> io::Result<PathBuf> {
        let folder = self.folder.join(file_name(user));
        if !folder.exists() {
            private::folder(&folder)?;
            sync_folder(&self.folder)?;
        }
        Ok(folder)
    }
}

/// Windows can't open folders, and needs no such sync.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
pub(super) mod tests {
    use std::env;

    use super::*;

    /// A temporary folder that is deleted when it is dropped.
    pub(in crate::state) struct Folder(PathBuf);

    impl Folder {
        pub(in crate::state) fn new() -> Self {
            let name = format!("tidings-state-{:016x}", getrandom::u64().unwrap());
            let path = env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        pub(in crate::state) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            // A failure leaves it among other temporary files.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn put(lane: &str, seq: u64, text: &str) -> Change {
        Change::Put { lane: lane.into(), seq, text: text.into() }
    }

    fn gone(lane: &str, seq: u64) -> Change {
        Change::Drop { lane: lane.into(), seq }
    }

    fn rows(lanes: &[Lane]) -> Vec<String> {
        let row = |lane: &Lane, (seq, text): &(u64, String)| format!("{}/{seq} {text}", lane.name);
        lanes.iter().flat_map(|lane| lane.rows.iter().map(move |one| row(lane, one))).collect()
    }

    #[test]
    fn rows_are_claimed_when_their_holder_is_gone_and_not_before() {
        let folder = Folder::new();
        let mut one = Outbox::open(folder.path()).unwrap();
        one.persist("u1", &[put("a-1", 1, "x\ny"), put("a-1", 2, "z")]).unwrap();
        one.persist("u1", &[gone("a-1", 1), put("a-1", 3, "w")]).unwrap();
        let mut two = Outbox::open(folder.path()).unwrap();
        assert_eq!(two.claim("u1").unwrap(), [], "its holder lives");
        assert_eq!(two.claim("u2").unwrap(), [], "another user's are another matter");
        drop(one);
        assert_eq!(rows(&two.claim("u1").unwrap()), ["a-1/2 z", "a-1/3 w"]);
        assert_eq!(two.claim("u1").unwrap(), [], "it holds them already");
        two.persist("u1", &[gone("a-1", 2), gone("a-1", 3)]).unwrap();
        two.release("a-1");
        assert_eq!(fs::read_dir(folder.path().join("outbox/u1")).unwrap().count(), 0);
    }

    #[test]
    fn a_torn_line_is_passed_over_and_swallows_nothing() {
        let folder = Folder::new();
        let mut one = Outbox::open(folder.path()).unwrap();
        one.persist("u1", &[put("a-1", 1, "x"), put("a-1", 2, "y")]).unwrap();
        drop(one);
        let path = folder.path().join("outbox/u1/a-1.log");
        let whole = fs::read(&path).unwrap();
        for end in 0..whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            let mut two = Outbox::open(folder.path()).unwrap();
            let left = rows(&two.claim("u1").unwrap());
            assert!(
                ["a-1/1 x", "a-1/2 y"]
                    .starts_with(&left.iter().map(|one| &**one).collect::<Vec<_>>())
            );
            two.persist("u1", &[put("a-1", 3, "z")]).unwrap();
            drop(two);
            let mut three = Outbox::open(folder.path()).unwrap();
            assert_eq!(rows(&three.claim("u1").unwrap()).last().map(|row| &**row), Some("a-1/3 z"));
        }
    }

    #[test]
    fn a_move_that_was_cut_off_leaves_each_row_in_one_lane() {
        let folder = Folder::new();
        let mut one = Outbox::open(folder.path()).unwrap();
        one.persist("u1", &[put("a-1", 1, "x"), put("a-1", 2, "y")]).unwrap();
        let before = fs::read(folder.path().join("outbox/u1/a-1.log")).unwrap();
        one.persist("u1", &[put("a-2", 1, "y"), gone("a-1", 2)]).unwrap();
        drop(one);
        // The process crashed between the two files.
        fs::write(folder.path().join("outbox/u1/a-1.log"), before).unwrap();
        let mut two = Outbox::open(folder.path()).unwrap();
        assert_eq!(rows(&two.claim("u1").unwrap()), ["a-1/1 x", "a-2/1 y"]);
    }

    #[test]
    fn wiping_leaves_nothing_of_this_user() {
        let folder = Folder::new();
        let mut one = Outbox::open(folder.path()).unwrap();
        one.persist("u1", &[put("a-1", 1, "x")]).unwrap();
        one.persist("u2", &[put("b-1", 1, "x")]).unwrap();
        one.wipe("u1").unwrap();
        drop(one);
        let mut two = Outbox::open(folder.path()).unwrap();
        assert_eq!(two.claim("u1").unwrap(), []);
        assert_eq!(rows(&two.claim("u2").unwrap()), ["b-1/1 x"]);
    }
}
