//! The bus for several nodes in one process, and for a single node.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Bus, BusEvent, BusMessage};

type Listener = Arc<dyn Fn(BusEvent) + Send + Sync>;

/// Connects the nodes of a process.
#[derive(Clone, Default)]
pub struct Exchange(Arc<Mutex<Vec<(u64, Listener)>>>);

/// A node's end of the exchange.
#[derive(Debug)]
pub struct Local {
    exchange: Exchange,
    number: u64,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").finish_non_exhaustive()
    }
}

impl Exchange {
    /// A node joins.
    #[must_use]
    pub fn join(&self) -> Local {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Local { exchange: self.clone(), number }
    }
}

impl Local {
    /// The bus of a single node.
    #[must_use]
    pub fn alone() -> Self {
        Exchange::default().join()
    }
}

impl Bus for Local {
    fn publish(&self, messages: &[BusMessage]) {
        let others: Vec<Listener> = {
            let listeners = self.exchange.0.lock().unwrap_or_else(PoisonError::into_inner);
            let others = listeners.iter().filter(|(number, _)| *number != self.number);
            others.map(|(_, listener)| Arc::clone(listener)).collect()
        };
        for listener in others {
            messages.iter().for_each(|message| listener(BusEvent::Message(message.clone())));
        }
    }

    fn listen(&self, on_event: Box<dyn Fn(BusEvent) + Send + Sync>) {
        let listener: Listener = on_event.into();
        listener(BusEvent::Missed);
        let mut listeners = self.exchange.0.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.push((self.number, listener));
    }

    fn is_up(&self) -> bool {
        true
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let mut listeners = self.exchange.0.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|(number, _)| *number != self.number);
    }
}
