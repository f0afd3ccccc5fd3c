//! One call of the app's ticket function at a time.

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
    /// A task of its own: the app's function may panic, and the client must not.
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

    /// Calls the function; an earlier call is aborted. For how long it is waited for is the core's to say.
    pub(crate) fn begin(&mut self, attempt: u64, user: Option<String>) {
        let provider = self.provider.clone();
        let task = tokio::spawn(async move { provider(CredentialRequest { user, attempt }).await });
        self.call = Some(Call { attempt, task });
    }

    pub(crate) fn abort(&mut self, attempt: u64) {
        self.call.take_if(|call| call.attempt == attempt);
    }

    /// The answer, once there is one. Dropping this future loses nothing.
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
