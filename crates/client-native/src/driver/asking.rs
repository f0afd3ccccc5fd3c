//! Calls the app's ticket function, one call at a time.

use std::future::pending;

use tidings_client_core::Event;
use tokio::task::JoinHandle;

use crate::credential::{Answer, CredentialRequest, Provider};

pub(crate) struct Asking {
    provider: Provider,
    call: Option<Call>,
}

struct Call {
    attempt: u64,
    /// A separate task: if the app's function panics, the client goes on.
    task: JoinHandle<Answer>,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Asking {
    pub(crate) fn new(provider: Provider) -> Self {
        Self { provider, call: None }
    }

    /// Calls the function; an earlier call is aborted. The core decides how long to wait.
    pub(crate) fn begin(&mut self, attempt: u64, user: Option<String>) {
        let provider = self.provider.clone();
        let task = tokio::spawn(async move { provider(CredentialRequest { user, attempt }).await });
        self.call = Some(Call { attempt, task });
    }

    pub(crate) fn abort(&mut self, attempt: u64) {
        self.call.take_if(|call| call.attempt == attempt);
    }

    /// Returns the answer. Dropping this future loses nothing.
    pub(crate) async fn next(&mut self) -> Event {
        let Some(call) = &mut self.call else { return pending().await };
        let result = (&mut call.task).await.unwrap_or_else(|error| {
            let what = if error.is_panic() { "panicked" } else { "was cancelled" };
            Err(format!("the ticket function {what}"))
        });
        let attempt = call.attempt;
        self.call = None;
        Event::CredentialFetched { attempt, result }
    }
}
