//! Storage of an outbox, as a driver would provide it, and clients that use it. A client ends when
//! it is dropped.

use std::collections::BTreeMap;

use tidings_client_core::{Change, Command, Config, Event, Lane, User};

use crate::{harness::Rig, says};

/// State that outlives clients: rows by lane and `seq`, and the holder of each lane.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) rows: BTreeMap<(String, u64), String>,
    pub(crate) held: Vec<String>,
}

impl Disk {
    /// Executes the commands since the last call; returns the events that answer them.
    pub(crate) fn obey(&mut self, commands: &[Command]) -> Vec<Event> {
        let mut answers = Vec::new();
        for command in commands {
            match command {
                Command::Persist { number, changes, .. } => {
                    for change in changes.iter().cloned() {
                        match change {
                            Change::Put { lane, seq, text } => {
                                if !self.held.contains(&lane) {
                                    self.held.push(lane.clone());
                                }
                                self.rows.insert((lane, seq), text);
                            }
                            Change::Drop { lane, seq } => drop(self.rows.remove(&(lane, seq))),
                        }
                    }
                    answers.push(Event::Persisted { number: *number });
                }
                Command::Claim { user } => {
                    let mut lanes: Vec<Lane> = Vec::new();
                    for ((name, seq), text) in &self.rows {
                        if self.held.contains(name) {
                            continue;
                        }
                        if lanes.last().is_none_or(|lane| lane.name != *name) {
                            lanes.push(Lane { name: name.clone(), rows: Vec::new() });
                        }
                        lanes.last_mut().unwrap().rows.push((*seq, text.clone()));
                    }
                    self.held.extend(lanes.iter().map(|lane| lane.name.clone()));
                    answers.push(Event::LanesClaimed { user: user.clone(), lanes: lanes.into() });
                }
                Command::Release { lane } => self.held.retain(|held| held != lane),
                Command::Wipe { .. } => self.rows.clear(),
                _ => {}
            }
        }
        answers
    }

    /// The holder of all lanes has ended.
    pub(crate) fn died(&mut self) {
        self.held.clear();
    }

    /// A message that an ended client left unanswered.
    pub(crate) fn keeps_message(&mut self, lane: &str, seq: u64) {
        let row = format!("1170\n{{\"type\":\"publish\",\"channel\":\"room:1\",\"data\":{seq}}}");
        self.rows.insert((lane.into(), seq), row);
    }

    pub(crate) fn seqs(&self, lane: &str) -> Vec<u64> {
        self.rows.keys().filter(|(name, _)| name == lane).map(|(_, seq)| *seq).collect()
    }
}

pub(crate) fn lanes(config: &mut Config, client: &str) {
    config.storage = true;
    config.lanes = true;
    config.client_id = client.into();
}

/// Lets the disk answer until no command is left. The commands stay for the test to read.
pub(crate) fn settle(rig: &mut Rig, disk: &mut Disk) {
    while rig.obeyed < rig.commands.len() {
        let asked = rig.commands[rig.obeyed..].to_vec();
        rig.obeyed = rig.commands.len();
        for answer in disk.obey(&asked) {
            rig.event(answer);
        }
    }
}

/// The same, after the client has saved all that it shows.
pub(crate) fn settle_saved(rig: &mut Rig, disk: &mut Disk) {
    rig.advance(250);
    settle(rig, disk);
}

/// A client `name` of `u1` that is connected and has claimed the lanes of others.
pub(crate) fn born(name: &str, disk: &mut Disk) -> Rig {
    let mut rig = Rig::with(|config| lanes(config, name));
    rig.event(Event::UserChanged(User::Named("u1".into())));
    rig.event(Event::StorageLoaded { user: "u1".into(), saved: None });
    settle(&mut rig, disk);
    connect(&mut rig, disk);
    rig
}

pub(crate) fn connect(rig: &mut Rig, disk: &mut Disk) {
    rig.event(Event::ConnectRequested);
    rig.open();
    rig.receive(&says::connected("u1"));
    settle(rig, disk);
    rig.receive(&says::subscribed("inbox:u1", "inboxone", 2, 2, false));
    rig.receive(&says::subscribed("system:all", "system01", 0, 0, false));
    rig.receive(&says::snapshot(&["a", "b"]));
}

pub(crate) fn lane(name: &str, seqs: impl IntoIterator<Item = u64>) -> Vec<(String, u64)> {
    seqs.into_iter().map(|seq| (name.to_owned(), seq)).collect()
}
