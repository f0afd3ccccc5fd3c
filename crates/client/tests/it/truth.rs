//! The expected state: the fold of the logs, computed the slow and obvious way, from the first
//! record each time.

use std::collections::BTreeMap;

use tidings_protocol::{Channel, Counts, Epoch, Item, Json, MarkSet, SystemCounts, Tally};

#[derive(Clone)]
pub(crate) enum Record {
    Note { id: String, at: u64 },
    Mark { covers: Covers, set: MarkSet, lane: Option<(String, u64)> },
}

#[derive(Clone)]
pub(crate) enum Covers {
    Offsets([Vec<u64>; 2]),
    UpTo([u64; 2]),
}

impl Covers {
    fn has(&self, log: usize, offset: u64) -> bool {
        match self {
            Self::Offsets(offsets) => offsets[log].contains(&offset),
            Self::UpTo(up_to) => offset <= up_to[log],
        }
    }
}

/// One epoch of a user's inbox log.
#[derive(Clone)]
pub(crate) struct Life {
    pub(crate) epoch: Epoch,
    /// Each record, with the top of `system:all` when it was made.
    pub(crate) records: Vec<(Record, u64)>,
    pub(crate) first: u64,
}

/// An id with its states seen, read, archived.
pub(crate) type Listed = (String, bool, bool, bool);

impl Life {
    /// Items with their states, as of `offset` and `system` messages to everyone.
    pub(crate) fn flags(
        &self,
        offset: u64,
        system: u64,
    ) -> BTreeMap<(usize, u64), (bool, bool, bool)> {
        let mut flags = BTreeMap::new();
        for index in 1..=system {
            flags.insert((1, index), (false, false, false));
        }
        for (index, (record, _)) in (1..=offset).zip(&self.records) {
            match record {
                Record::Note { .. } => drop(flags.insert((0, index), (false, false, false))),
                Record::Mark { covers, set, .. } => {
                    for ((log, index), flags) in &mut flags {
                        if covers.has(*log, *index) {
                            set.apply(&mut flags.0, &mut flags.1, &mut flags.2);
                        }
                    }
                }
            }
        }
        flags
    }

    fn tally(&self, offset: u64, system: u64, of: usize) -> Tally {
        let mut tally = Tally::default();
        for ((log, _), (seen, read, archived)) in self.flags(offset, system) {
            if log == of && !archived {
                tally.unread += u64::from(!read);
                tally.unseen += u64::from(!seen);
            }
        }
        tally
    }

    /// The counts in the record that made the log `offset` long.
    pub(crate) fn counts(&self, offset: u64, at: u64) -> Counts {
        let system = self.tally(offset, at, 1);
        Counts {
            inbox: self.tally(offset, at, 0),
            system: SystemCounts { unread: system.unread, unseen: system.unseen, at },
        }
    }
}

/// Both logs, with the inbox's earlier epochs.
pub(crate) struct Truth {
    /// The last one is the current epoch; earlier ones are kept only for checks.
    pub(crate) lives: Vec<Life>,
    /// Ids and times of messages to everyone.
    pub(crate) system: Vec<(String, u64)>,
}

impl Truth {
    pub(crate) fn life(&self) -> &Life {
        self.lives.last().unwrap()
    }

    pub(crate) fn top(&self) -> u64 {
        self.life().records.len() as u64
    }

    /// Newest first: the expected list at these offsets.
    pub(crate) fn listed(&self, life: &Life, offset: u64, system: u64) -> Vec<Listed> {
        self.items(life, offset, system)
            .into_iter()
            .map(|item| (item.id, item.seen, item.read, item.archived))
            .collect()
    }

    pub(crate) fn items(&self, life: &Life, offset: u64, system: u64) -> Vec<Item> {
        let mut items: Vec<Item> = life
            .flags(offset, system)
            .into_iter()
            .map(|((log, index), (seen, read, archived))| {
                let (id, at) = if log == 1 {
                    self.system[index as usize - 1].clone()
                } else {
                    match &life.records[index as usize - 1].0 {
                        Record::Note { id, at } => (id.clone(), *at),
                        Record::Mark { .. } => unreachable!("marks are no items"),
                    }
                };
                Item {
                    channel: channel(log),
                    offset: index,
                    id,
                    kind: "note".into(),
                    at,
                    seen,
                    read,
                    archived,
                    data: Json::null(),
                }
            })
            .collect();
        items.sort_by_key(|item| std::cmp::Reverse((item.at, item.channel.clone(), item.offset)));
        items
    }
}

pub(crate) fn channel(log: usize) -> Channel {
    if log == 1 { Channel::system() } else { Channel::inbox("u1").unwrap() }
}
