//! What publishers and the killer share: how many publishes are in flight, and whether there is a
//! server to ask.

use tokio::sync::watch;

/// One value behind one lock, so that nothing is counted while the kill happens.
#[derive(Default)]
pub(crate) struct State {
    /// A server is there.
    pub(crate) open: bool,
    /// No new publishes; those under way are repeated until they are acknowledged.
    pub(crate) finishing: bool,
    /// Requests sent and not answered.
    pub(crate) in_flight: usize,
    /// Publishes acknowledged.
    pub(crate) acknowledged: u64,
    /// Acknowledged by the answer of an earlier request that had been stored and not answered.
    pub(crate) replayed: u64,
}

pub(crate) struct Storm(watch::Sender<State>);

impl Storm {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(State::default()))
    }

    /// Counts a request as in flight, once there is a server. `false`: finishing, and this would be
    /// a new publish.
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

    /// A request was answered, or will never be.
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

    /// Kills when at least `least` publishes are in flight, with nothing counted meanwhile. Answers
    /// how many were.
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

    /// Does something when at least `least` publishes are in flight, with nothing counted meanwhile. Publishers go on.
    pub(crate) async fn strike(&self, least: usize, strike: impl FnOnce()) -> usize {
        let in_flight = self.kill(least, strike).await;
        self.open();
        in_flight
    }

    pub(crate) async fn until(&self, holds: impl FnMut(&State) -> bool) {
        // The sender is `self`: it can't be gone.
        drop(self.0.subscribe().wait_for(holds).await.unwrap());
    }

    pub(crate) fn read<T>(&self, of: impl FnOnce(&State) -> T) -> T {
        of(&self.0.borrow())
    }
}
