//! Tests with a store that can't be read for a while.

use super::*;
use crate::driver::failing_store::{Asked, FailingStore};

#[test]
fn after_a_read_that_failed_it_reads_once_more_and_rests() {
    let (asks, asked) = mpsc::channel();
    let store = Arc::new(FailingStore::new(asks));
    store.reads.store(0, Ordering::SeqCst);
    let (events, waiting) = mpsc::sync_channel(WAITING);
    let parts = Parts {
        store: Arc::clone(&store) as _,
        shards: Arc::new(Shards::new(1)),
        clock: Clock::start(),
        polling: Polling::Never,
        revoked: 0,
        heed: Box::new(|_| {}),
    };
    let mut thread = Thread::new(parts, Arc::default());
    events.send(Event::HintsLost).unwrap();
    assert!(thread.turn(&waiting));
    assert_eq!(asked.try_recv(), Ok(Asked::Failed));
    store.reads.store(usize::MAX, Ordering::SeqCst);
    let mut turns = 0;
    while thread.deadline.is_some() {
        assert!(thread.turn(&waiting));
        turns += 1;
        assert!(turns < 10, "it turns without an end at {:?}", thread.deadline);
    }
    assert_eq!(asked.try_iter().collect::<Vec<_>>(), [Asked::Read]);
    // There is nothing to wait for but events, and all handles are gone.
    drop(events);
    assert!(!thread.turn(&waiting));
}
