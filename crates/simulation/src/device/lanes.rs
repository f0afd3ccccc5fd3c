//! The outbox's storage: executes the core's commands one after the other, as
//! `npm/src/lazy/lanes.ts` does.

use std::collections::VecDeque;

use tidings_client_core::{Change, Command, Event, Lane};

use super::Device;
use crate::{
    env::{Due, Env},
    observation::Observation,
    tally::Count,
};

/// Commands of a page that are not done.
#[derive(Debug, Default)]
pub(super) struct Desk {
    asked: VecDeque<Command>,
    stage: Stage,
    lockless: bool,
}

/// Progress of the first command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// No command is under way.
    #[default]
    Idle,
    /// The browser works on it.
    Working,
    /// The browser never finishes it.
    Hung,
    /// It is done, but the page has no answer yet.
    Done,
}

impl Desk {
    pub(super) const fn lack_locks(&mut self) {
        self.lockless = true;
    }
}

impl Device {
    /// Takes a `Keep`, `Claim` or `Release`.
    pub(super) fn ask(&mut self, env: &mut Env, command: Command) {
        self.desk.asked.push_back(command);
        self.work(env);
    }

    /// Starts the next command, unless one is under way.
    fn work(&mut self, env: &mut Env) {
        while self.desk.stage == Stage::Idle
            && let Some(next) = self.desk.asked.front()
        {
            if let Command::Release { lane } = next {
                self.storage.borrow_mut().release(self.page, lane);
                self.desk.asked.pop_front();
                continue;
            }
            let mut wait = env.rng.between(1, 5);
            self.desk.stage = Stage::Working;
            if env.strikes(env.faults.hang, Count::LanesHung) {
                if env.rng.hits(2_000) {
                    self.desk.stage = Stage::Hung;
                    return;
                }
                wait = env.rng.between(1_000, 30_000);
            }
            env.after(wait, Due::LaneWorked { page: self.page });
        }
    }

    /// The browser has finished the first command. A frozen page does not stop it.
    pub fn lane_worked(&mut self, env: &mut Env) {
        let Some(command) = self.desk.asked.pop_front() else { return };
        self.desk.stage = Stage::Done;
        let failed = |reason: &str| Event::LanesFailed { reason: reason.to_owned() };
        let event = if self.desk.lockless {
            failed("this page has no Web Locks")
        } else if env.strikes(env.faults.persist, Count::LanesFailed) {
            failed("AbortError")
        } else {
            match command {
                Command::Persist { user, number, changes } => {
                    self.persist(env, user, &changes).unwrap_or(Event::Persisted { number })
                }
                Command::Claim { user } => {
                    let lanes = self.storage.borrow_mut().claim(self.page, &user);
                    let lanes = read_back(env, &user, lanes);
                    Event::LanesClaimed { user, lanes: lanes.into() }
                }
                _ => return,
            }
        };
        env.after(0, Due::LaneTold { page: self.page, event });
    }

    /// The page gets the answer, and the next command starts.
    pub fn lane_told(&mut self, env: &mut Env, event: Event) {
        self.desk.stage = Stage::Idle;
        self.feed(env, event);
        self.work(env);
    }

    fn persist(&self, env: &mut Env, user: String, changes: &[Change]) -> Option<Event> {
        match self.storage.borrow_mut().persist(self.page, &user, changes) {
            Ok(()) => {
                env.tally.more(Count::Persisted, changes.len() as u64);
                for change in changes {
                    env.narrate(format_args!("{} has on its disk: {change:?}", self.page));
                }
                env.observe(Observation::Persisted { user, changes: changes.to_vec() });
                None
            }
            Err(reason) => Some(Event::LanesFailed { reason }),
        }
    }

    /// The page ends. The command under way is done or not; the commands behind it are not.
    pub(crate) fn die(&mut self, env: &mut Env) {
        let lockless = self.desk.lockless;
        let Desk { mut asked, stage, .. } = std::mem::take(&mut self.desk);
        self.desk.lockless = lockless;
        if stage == Stage::Working
            && !lockless
            && let Some(Command::Persist { user, changes, .. }) = asked.pop_front()
            && env.rng.hits(5_000)
        {
            let _unheard = self.persist(env, user, &changes);
        }
        self.storage.borrow_mut().died(self.page);
    }

    /// Whether its outbox is not stored as it should be, so that only a new page can help.
    #[must_use]
    pub fn is_impaired(&self) -> bool {
        let lost = self.desk.stage == Stage::Hung || !self.client.connection().durable;
        self.can_persist() && lost
    }

    /// Whether its browser can store an outbox at all.
    #[must_use]
    pub const fn can_persist(&self) -> bool {
        self.config.storage && self.config.lanes && !self.desk.lockless
    }
}

/// Reads rows; one of them may be damaged.
fn read_back(env: &mut Env, user: &str, mut lanes: Vec<Lane>) -> Vec<Lane> {
    for lane in &mut lanes {
        env.tally.count(Count::Adopted);
        for (seq, text) in &mut lane.rows {
            // No page can read a row whose version is damaged: see the core's `row.rs`.
            if text.len() > 1 && env.strikes(env.faults.corrupt, Count::RowDamaged) {
                let cut = 1 + env.rng.index(text.len() - 1);
                *text = text.chars().take(cut).collect();
                let index = (user.to_owned(), lane.name.clone(), *seq);
                env.observe(Observation::Damaged { key: index });
            }
        }
    }
    lanes
}
