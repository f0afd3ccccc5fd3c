//! The one timer.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use gloo_timers::callback::Timeout;

use crate::driver::Driver;

/// `setTimeout` keeps its delay in 32 signed bits and fires at once beyond them.
const LONGEST: u64 = (1 << 31) - 1;

/// A deadline and the browser's timer that watches it.
///
/// Deadlines move with every message, mostly to later. The browser's timer is left alone then: it fires early, finds
/// nothing due, and is set again.
#[derive(Default)]
pub(crate) struct Timer {
    /// As `Now::mono`.
    deadline: Cell<Option<u64>>,
    armed: RefCell<Option<(u64, Timeout)>>,
}

impl Timer {
    /// Moves the deadline; `arm` makes it so.
    pub(crate) fn set(&self, deadline: Option<u64>) {
        self.deadline.set(deadline);
        if deadline.is_none() {
            self.armed.take();
        }
    }

    /// Whether the deadline has passed; if so there is none any more.
    pub(crate) fn take_due(&self, now: u64) -> bool {
        let due = self.deadline.get().is_some_and(|deadline| deadline <= now);
        if due {
            self.set(None);
        }
        due
    }

    /// Sees to it that the browser wakes us no later than at the deadline, or as late as it can.
    pub(crate) fn arm(&self, now: u64, driver: &Rc<Driver>) {
        let Some(deadline) = self.deadline.get() else { return };
        let at = now + delay(now, deadline);
        let soon_enough =
            self.armed.borrow().as_ref().is_some_and(|(armed, _)| (now..=at).contains(armed));
        if soon_enough {
            return;
        }
        let weak = Rc::downgrade(driver);
        let timeout = Timeout::new(delay(now, deadline) as u32, move || {
            if let Some(driver) = weak.upgrade() {
                driver.woken();
            }
        });
        self.armed.replace(Some((at, timeout)));
    }

    /// The browser's timer went off.
    pub(crate) fn went_off(&self) {
        // Forgotten, not cancelled: it runs right now.
        if let Some((_, timeout)) = self.armed.take() {
            drop(timeout.forget());
        }
    }
}

fn delay(now: u64, deadline: u64) -> u64 {
    deadline.saturating_sub(now).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_stay_within_what_browsers_take() {
        assert_eq!(delay(5, 3), 0);
        assert_eq!(delay(5, 8), 3);
        assert_eq!(delay(0, u64::MAX), 2_147_483_647);
    }

    #[test]
    fn a_deadline_is_due_once() {
        let timer = Timer::default();
        timer.set(Some(10));
        assert!(!timer.take_due(9));
        assert!(timer.take_due(10));
        assert!(!timer.take_due(11));
    }
}
