//! Authentication: API keys for backends; tickets, JWTs and session tokens for users.
//!
//! | file | content |
//! |---|---|
//! | `rest_caller.rs` | the caller of the REST API, and what that caller may do |
//! | `api_key.rs` | backends' keys, stored as hashes, compared in constant time |
//! | `ticket.rs` | one-time tickets: random, stored as hashes, spent by one atomic take |
//! | `session_token.rs` | signed bearer tokens that reconnect a session |
//! | `stored_claims.rs` | rights that are too long for session tokens |
//! | `jwt.rs`, `claims.rs`, `jwks.rs` | users' JWTs and their claims, with configured or fetched keys |
//! | `bearer.rs` | the `Authorization` header |
//! | `cookie.rs` | the session cookie, and when it counts |
//! | `revoked.rs` | credentials that were revoked |
//! | `guesses.rs` | addresses with too many failed credentials |
//! | `secrets.rs` | signing keys in the data folder |

mod api_key;
pub(crate) mod bearer;
mod claims;
pub(crate) mod cookie;
mod guesses;
pub(crate) mod jwks;
mod jwt;
mod rest_caller;
mod revoked;
mod secrets;
mod session_token;
mod stored_claims;
mod ticket;

use std::{
    fmt::{self, Debug, Formatter},
    net::IpAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
};

use http::{HeaderMap, Method};
use tidings_protocol::{ErrorCode, rest::TicketAnswer};
use tidings_server_core::{
    Identity, Limits, Principal, ProofKey, Refused,
    service::{self, Caller, Grant},
    session::Credential,
    store::{Answer, Query, Revocation, Store},
};

use self::{
    bearer::Authorization,
    guesses::Guesses,
    jwt::Jwt,
    revoked::Revoked,
    session_token::{Sealed, SessionKey},
    stored_claims::Remembered,
};
use crate::{
    driver::{
        Authenticate, Clock, RequestContext,
        readers::Readers,
        request_context::{Ambient, Checked},
        retention_clock::RetentionClock,
        writer::Writer,
    },
    refusals::Refusals,
    transport::origin::Origins,
};

pub use api_key::ApiKeys;
#[cfg(test)]
pub(crate) use guesses::MOST as ADDRESSES;
pub use jwt::{JwtKey, KeyError};
pub(crate) use jwt::{Provider, random_id};
pub use rest_caller::RestCaller;
pub(crate) use revoked::by_session;
pub use secrets::{Secret, secret};

/// The keys and rules for checking credentials.
#[derive(Debug)]
pub struct Settings {
    /// Backends' keys.
    pub api_keys: ApiKeys,
    /// The issuers of users' JWTs.
    pub(crate) providers: Vec<Provider>,
    /// The largest accepted difference of an issuer's clock, in milliseconds.
    pub leeway_ms: u64,
    /// Signs session tokens.
    pub session_key: Secret,
    /// Signs users' JWTs in development; `None` elsewhere.
    pub dev_key: Option<Secret>,
    /// Name of the cookie that may hold a JWT or session token. Empty: no cookie.
    pub cookie: String,
    /// Failures of one address in a minute; further ones must wait.
    pub failures_per_minute: u32,
}

/// The largest accepted difference between the clocks of this server's nodes, in milliseconds. They
/// issue tickets and session tokens for each other.
const OWN_LEEWAY_MS: u64 = 300_000;

/// Checks credentials, and issues the server's own ones.
pub struct Auth {
    api_keys: ApiKeys,
    jwt: Jwt,
    sessions: SessionKey,
    proofs: Arc<ProofKey>,
    cookie: String,
    origins: Arc<Origins>,
    revoked: RwLock<Revoked>,
    guesses: Mutex<Guesses>,
    refusals: Arc<Refusals>,
    leeway_ms: u64,
    remembered: Mutex<Remembered>,
    /// Stores rights. Set once there is a writer.
    writer: OnceLock<Writer>,
    readers: Readers,
    limits: Arc<Limits>,
    steady: RetentionClock,
}

impl Debug for Auth {
    /// Leaves the keys out.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("api_keys", &self.api_keys).finish_non_exhaustive()
    }
}

impl Auth {
    /// Loads the stored revocations.
    ///
    /// # Errors
    /// [`StartError`].
    pub(crate) fn start(
        settings: Settings,
        store: &dyn Store,
        readers: Readers,
        limits: Arc<Limits>,
        origins: Arc<Origins>,
        refusals: Arc<Refusals>,
        steady: RetentionClock,
    ) -> Result<(Self, u64), StartError> {
        let Settings { api_keys, session_key, cookie, failures_per_minute, leeway_ms, .. } =
            settings;
        let jwt = Jwt::new(settings.providers, settings.dev_key, leeway_ms)?;
        let (revoked, number) = load_revoked(store, &steady)?;
        let auth = Self {
            api_keys,
            jwt,
            proofs: Arc::new(ProofKey::new(*session_key.bytes())),
            sessions: SessionKey::new(session_key),
            cookie,
            origins,
            revoked: RwLock::new(revoked),
            guesses: Mutex::new(Guesses::new(failures_per_minute)),
            refusals,
            leeway_ms,
            remembered: Mutex::default(),
            writer: OnceLock::new(),
            readers,
            limits,
            steady,
        };
        Ok((auth, number))
    }

    /// The caller of a request.
    ///
    /// # Errors
    /// `unauthorized`, `expired`, `revoked`, `origin_refused`; `flood` for a wrong credential from
    /// an address that sent too many.
    pub async fn who(
        &self,
        method: &Method,
        headers: &HeaderMap,
        address: Option<IpAddr>,
    ) -> Result<RestCaller, Refused> {
        let offered = match (Authorization::of(headers), cookie::find(headers, &self.cookie)) {
            (Authorization::Bearer(bearer), _) => Offered::of(bearer),
            (_, Some(cookie)) => Offered::of(cookie),
            _ => Offered::Nothing,
        };
        self.judged(address, offered, self.identify(method, headers).await)
    }

    async fn identify(&self, method: &Method, headers: &HeaderMap) -> Result<RestCaller, Refused> {
        let bearer = match Authorization::of(headers) {
            Authorization::Bearer(bearer) => {
                if let Some(name) = self.api_keys.name_of(bearer) {
                    return Ok(RestCaller::Backend(name));
                }
                bearer
            }
            other => {
                let cookie = cookie::find(headers, &self.cookie).ok_or_else(|| other.refused())?;
                cookie::may_speak(method, headers, &self.origins)?;
                cookie
            }
        };
        if ticket::is_one(bearer) {
            return Err(Refused::new(
                ErrorCode::Unauthorized,
                "a ticket opens sockets, streams and polls, not this: send a JWT or session token.",
            ));
        }
        let identity = Box::new(self.bearer(bearer).await?);
        Ok(match session_token::is_one(bearer) {
            true => RestCaller::Session(identity),
            false => RestCaller::User(identity),
        })
    }

    async fn ticket(&self, ticket: String, context: &RequestContext) -> Result<Identity, Refused> {
        let page = context.page.clone();
        let whose = context.whose.clone();
        let spend = self.readers.run(whose, move |store| ticket::spend(store, &ticket, &page));
        let grant = spend.await?;
        self.alive(grant.identity(String::new()), OWN_LEEWAY_MS)
    }

    /// The user of a JWT or session token.
    async fn bearer(&self, text: &str) -> Result<Identity, Refused> {
        match session_token::is_one(text) {
            true => self.alive(self.session(text).await?, OWN_LEEWAY_MS),
            false => self.token(text).await,
        }
    }

    async fn token(&self, text: &str) -> Result<Identity, Refused> {
        let identity = self.jwt.verify(text, Clock::wall()).await?;
        self.alive(identity, self.leeway_ms)
    }

    /// Refuses a credential that has ended, that is revoked, or that a revocation could not reach
    /// for its whole life.
    fn alive(&self, identity: Identity, leeway_ms: u64) -> Result<Identity, Refused> {
        identity.check_life(Clock::wall(), leeway_ms, &self.limits)?;
        match self.is_revoked(&identity.user, &identity.session, identity.issued_at) {
            true => Err(ErrorCode::Revoked.into()),
            false => Ok(identity),
        }
    }

    async fn check(
        &self,
        credential: Credential,
        context: &RequestContext,
    ) -> Result<Identity, Refused> {
        let identity = match credential {
            Credential::Ticket(ticket) => self.ticket(ticket, context).await?,
            Credential::Token(token) => self.token(&token).await?,
            Credential::SessionToken(token) => {
                self.alive(self.session(&token).await?, OWN_LEEWAY_MS)?
            }
            Credential::Ambient => match &context.ambient {
                Some(Ambient::Header(bearer)) if ticket::is_one(bearer) => {
                    self.ticket(bearer.to_string(), context).await?
                }
                Some(Ambient::Header(bearer)) => self.bearer(bearer).await?,
                Some(Ambient::Cookie(value)) => self.bearer(value).await?,
                Some(Ambient::MuteCookie) => {
                    return Err(Refused::new(
                        ErrorCode::Unauthorized,
                        "a cookie is taken only from pages of allowed origins: add the page's to `origins`, or offer a credential in `connect`.",
                    ));
                }
                None => {
                    return Err(Refused::new(
                        ErrorCode::Unauthorized,
                        "`connect` has no `ticket`, `token` or `session_token`, and the request no `Authorization`",
                    ));
                }
            },
        };
        let Sealed { token, to_store } = self.sessions.seal(&identity, Clock::wall(), &self.limits);
        let session_token = match to_store {
            Some(to_store) if !self.store(&identity.user, &to_store).await => String::new(),
            _ => token,
        };
        Ok(Identity { session_token, ..identity })
    }

    /// Issues a ticket with this grant to the caller.
    ///
    /// # Errors
    /// `full` if too many tickets are unspent: of this key, of this user, or of all users.
    pub async fn issue_ticket(
        &self,
        asker: Asker<'_>,
        grant: Grant,
    ) -> Result<TicketAnswer, Refused> {
        let Asker { whose, caller, credential } = asker;
        let limits = Arc::clone(&self.limits);
        let share = service::share(caller, credential.clone(), self.api_keys.len(), &limits);
        let issue =
            move |store: &dyn Store| ticket::issue(store, &grant, share, Clock::wall(), &limits);
        let issued = self.readers.run(whose, issue).await;
        if let Err(refused) = &issued
            && refused.code == ErrorCode::Full
        {
            metrics::counter!("tidings_budget_refusals_total", "kind" => "tickets_waiting")
                .increment(1);
            let cause = format!("{}: {credential:?}", refused.detail);
            self.refusals.record(refused.code, &cause, None, Clock::wall());
        }
        issued
    }

    /// A JWT signed with the development key. `None` on other servers.
    ///
    /// # Errors
    /// `bad_request` if this is no user id.
    pub fn dev_token(&self, user: &str) -> Option<Result<String, Refused>> {
        self.jwt.dev_token(user, Clock::wall())
    }

    /// Counts and logs a refusal. Only a wrong credential may be slowed down; a valid one is
    /// accepted, whatever other clients at its address do.
    fn judged<T>(
        &self,
        address: Option<IpAddr>,
        offered: Offered,
        result: Result<T, Refused>,
    ) -> Result<T, Refused> {
        let refused = match result {
            Ok(good) => return Ok(good),
            Err(refused) => refused,
        };
        let (code, wall) = (refused.code, Clock::wall());
        metrics::counter!("tidings_auth_failures_total", "code" => code.as_str()).increment(1);
        self.refusals.record(code, &refused.detail, address, wall);
        // An ended credential is no guess, and a credential that could not be checked is no
        // failure.
        let is_guess = matches!(code, ErrorCode::Unauthorized | ErrorCode::TicketInvalid)
            && offered != Offered::Nothing;
        let Some(address) = address.filter(|_| is_guess) else { return Err(refused) };
        let slowed = {
            let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
            guesses.failed(address, wall)
        };
        let Some(slowed) = slowed else { return Err(refused) };
        let why = "too many wrong credentials came from this address: further wrong ones are told to wait, good ones are taken";
        if slowed.is_first {
            self.refusals.record(ErrorCode::Flood, why, Some(address), wall);
        }
        match offered {
            // These can't be guessed: it is an old one, and its client requests a new one after
            // this refusal.
            Offered::Own | Offered::Nothing => Err(refused),
            Offered::Foreign => Err(Refused {
                retry_after_ms: Some(slowed.wait_ms),
                ..Refused::new(ErrorCode::Flood, format!("{}; {why}", refused.detail))
            }),
        }
    }
}

/// The caller that requests a ticket.
#[derive(Debug)]
pub struct Asker<'a> {
    /// The caller's share among those that wait for the store.
    pub whose: Principal,
    /// The caller, for the core's service.
    pub caller: Caller<'a>,
    /// A stable name of the credential.
    pub credential: String,
}

/// The kind of an offered credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offered {
    /// No credential.
    Nothing,
    /// A ticket or session token, which look like this server's own.
    Own,
    /// An API key, a JWT or another text.
    Foreign,
}

impl Offered {
    fn of(text: &str) -> Self {
        match ticket::is_one(text) || session_token::is_one(text) {
            true => Self::Own,
            false => Self::Foreign,
        }
    }

    fn by(credential: &Credential, context: &RequestContext) -> Self {
        match (credential, &context.ambient) {
            (Credential::Ticket(_) | Credential::SessionToken(_), _) => Self::Own,
            (Credential::Token(token), _) => Self::of(token),
            (Credential::Ambient, Some(Ambient::Header(text) | Ambient::Cookie(text))) => {
                Self::of(text)
            }
            (Credential::Ambient, Some(Ambient::MuteCookie) | None) => Self::Nothing,
        }
    }
}

impl Authenticate for Auth {
    fn authenticate<'a>(
        &'a self,
        credential: Credential,
        context: &'a RequestContext,
    ) -> Checked<'a> {
        Box::pin(async move {
            let offered = Offered::by(&credential, context);
            let result = self.check(credential, context).await;
            self.judged(context.address, offered, result)
        })
    }

    fn heed(&self, revocation: &Revocation) -> Revocation {
        let revocation = by_session(revocation);
        let mut revoked = self.revoked.write().unwrap_or_else(PoisonError::into_inner);
        revoked.add(&revocation, self.steady.moment().over());
        revocation
    }

    fn is_revoked(&self, user: &str, session: &str, issued_at: u64) -> bool {
        let revoked = self.revoked.read().unwrap_or_else(PoisonError::into_inner);
        revoked.hits(user, session, issued_at)
    }

    fn proofs(&self) -> Arc<ProofKey> {
        Arc::clone(&self.proofs)
    }
}

/// A user's JWT for development servers with this key.
///
/// # Errors
/// This is no user id.
pub fn dev_token(key: &Secret, user: &str) -> Result<String, Refused> {
    jwt::dev_token(key, user, Clock::wall())
}

/// Loads all stored revocations. Returns them with the number of the last one.
fn load_revoked(store: &dyn Store, steady: &RetentionClock) -> Result<(Revoked, u64), StartError> {
    const PAGE: u32 = 1_000;
    let mut revoked = Revoked::default();
    let mut after = 0;
    loop {
        let query = Query::Revocations { after, limit: PAGE };
        let answer = store.read(&[query])?.into_iter().next();
        let Some(Ok(Answer::Revocations(page))) = answer else {
            return Err(StartError::Unread);
        };
        for (number, revocation) in &page {
            after = *number;
            revoked.add(&by_session(revocation), steady.moment().over());
        }
        if page.len() < PAGE as usize {
            return Ok((revoked, after));
        }
    }
}

/// Authentication can't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A key is unusable.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store can't be read.
    #[error("revocations can't be read: {0}")]
    Store(#[from] tidings_server_core::store::StoreError),
    /// The store's answer has the wrong type.
    #[error("revocations can't be read")]
    Unread,
}
