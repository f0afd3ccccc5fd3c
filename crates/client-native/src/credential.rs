//! The app's ticket function.

use std::{fmt::Display, future::Future, sync::Arc};

use futures_util::{FutureExt as _, future::BoxFuture};
use tidings_client_core::Credential;

/// The request to the ticket function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialRequest {
    /// The user the ticket is for, if the app named one.
    pub user: Option<String>,
    /// Number of the attempt.
    pub attempt: u64,
}

/// The types that a ticket function may return.
///
/// A `String` is a ticket and [`Credential::Token`] a JWT. `None` says that no user is signed in
/// (the client stops asking), an `Err` that it failed this time (the client tries again later).
pub trait IntoCredential {
    /// Converts the value for the core; an error becomes its text.
    ///
    /// # Errors
    /// The ticket function's own error.
    fn into_credential(self) -> Result<Credential, String>;
}

impl IntoCredential for Credential {
    fn into_credential(self) -> Result<Credential, String> {
        Ok(self)
    }
}

impl IntoCredential for String {
    fn into_credential(self) -> Result<Credential, String> {
        Ok(Credential::Ticket(self))
    }
}

impl<C: IntoCredential> IntoCredential for Option<C> {
    fn into_credential(self) -> Result<Credential, String> {
        self.map_or(Ok(Credential::SignedOut), IntoCredential::into_credential)
    }
}

impl<C: IntoCredential, E: Display> IntoCredential for Result<C, E> {
    fn into_credential(self) -> Result<Credential, String> {
        self.map_err(|error| error.to_string())?.into_credential()
    }
}

pub(crate) type Answer = Result<Credential, String>;

/// The ticket function as a trait object.
pub(crate) type Provider =
    Arc<dyn Fn(CredentialRequest) -> BoxFuture<'static, Answer> + Send + Sync>;

pub(crate) fn provider<F, Fut>(function: F) -> Provider
where
    F: Fn(CredentialRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: IntoCredential> + Send + 'static,
{
    Arc::new(move |request| function(request).map(IntoCredential::into_credential).boxed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_whatever_a_ticket_function_naturally_returns() {
        let ticket = || String::from("t");
        assert_eq!(ticket().into_credential(), Ok(Credential::Ticket(ticket())));
        assert_eq!(Some(ticket()).into_credential(), Ok(Credential::Ticket(ticket())));
        assert_eq!(None::<String>.into_credential(), Ok(Credential::SignedOut));
        assert_eq!(Ok::<_, String>(None::<String>).into_credential(), Ok(Credential::SignedOut));
        let token = || Credential::Token(ticket());
        assert_eq!(Ok::<_, String>(token()).into_credential(), Ok(token()));
        assert_eq!(Err::<String, _>("503").into_credential(), Err(String::from("503")));
    }
}
