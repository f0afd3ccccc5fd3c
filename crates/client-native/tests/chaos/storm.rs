//! State that publishers and the killer share: the number of publishes in flight, and whether the
//! server is up.

use tokio::sync::watch;

/// One value behind one lock, so that counts don't change during a kill.
#[derive(Default)]
pub(crate) struct State {
    /// Whether the server is up.
    pub(crate) open: bool,
    /// No new publishes; those under way are repeated until they are acknowledged.
    pub(crate) finishing: bool,
    /// Requests without an answer.
    pub(crate) in_flight: usize,
    /// Acknowledged publishes.
    pub(crate) acknowledged: u64,
    /// Publishes whose first answer was lost, acknowledged by a repeat.
    pub(crate) replayed: u64,
}

pub(crate) struct Storm(watch::Sender<State>);

impl Storm {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(State::default()))
    }

    /// Counts a request as in flight as soon as the server is up. `false`: the storm is finishing,
    /// and this would be a new publish.
    pub(crate) async fn begin(&self, repeat: bool) -> bool {
        loop {
            let mut begun = None;
            self.0.send_if_modified(|state| {
                if state.finishing && !repeat {
                    begun = Some(false);
                    return false;
                }
                if !state.open {
                    return false;
                }
                state.in_flight += 1;
                begun = Some(true);
                true
            });
            if let Some(begun) = begun {
                return begun;
            }
            self.until(|state| state.open || state.finishing && !repeat).await;
        }
    }

    /// A request was answered, or never will be.
    pub(crate) fn end(&self, acknowledged: bool, replayed: bool) {
        self.0.send_modify(|state| {
            state.in_flight -= 1;
            state.acknowledged += u64::from(acknowledged);
            state.replayed += u64::from(replayed);
        });
    }

    pub(crate) fn open(&self) {
        self.0.send_modify(|state| state.open = true);
    }

    pub(crate) fn finish(&self) {
        self.0.send_modify(|state| state.finishing = true);
    }

    /// Kills while at least `least` publishes are in flight and no count changes. Returns their
    /// number.
    pub(crate) async fn kill(&self, least: usize, kill: impl FnOnce()) -> usize {
        let mut kill = Some(kill);
        loop {
            self.until(|state| state.in_flight >= least).await;
            let mut killed = None;
            self.0.send_if_modified(|state| {
                // Between the wait and this lock, answers may have come.
                if state.in_flight < least {
                    return false;
                }
                if let Some(kill) = kill.take() {
                    kill();
                }
                state.open = false;
                killed = Some(state.in_flight);
                true
            });
            if let Some(in_flight) = killed {
                return in_flight;
            }
        }
    }

    /// Strikes while at least `least` publishes are in flight and no count changes. Publishers go
    /// on.
    pub(crate) async fn strike(&self, least: usize, strike: impl FnOnce()) -> usize {
        let in_flight = self.kill(least, strike).await;
        self.open();
        in_flight
    }

    pub(crate) async fn until(&self, holds: impl FnMut(&State) -> bool) {
        // The sender is `self`, so it exists.
        drop(self.0.subscribe().wait_for(holds).await.unwrap());
    }

    pub(crate) fn read<T>(&self, of: impl FnOnce(&State) -> T) -> T {
        of(&self.0.borrow())
    }
}
