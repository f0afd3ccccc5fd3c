//! Who is calling: API keys for backends; tickets, JWTs and session tokens for users.
//!
//! | file | what |
//! |---|---|
//! | `who.rs` | who calls the REST surface, and what that one may do |
//! | `api_key.rs` | backends' keys, kept as hashes, compared in constant time |
//! | `ticket.rs` | one-time tickets: random, kept as hashes, spent by one atomic take |
//! | `session_token.rs` | signed bearers that re-enter a session |
//! | `kept.rs` | rights that are too long for them |
//! | `jwt.rs`, `jwks.rs` | users' JWTs, by configured keys or a key set that is fetched |
//! | `cookie.rs` | the session cookie, and when it may speak |
//! | `revoked.rs` | credentials that were ended before their time |
//! | `guesses.rs` | who fails too often waits |
//! | `secrets.rs` | signing keys in the data folder |

mod api_key;
pub(crate) mod cookie;
mod guesses;
mod jwks;
mod jwt;
mod kept;
mod revoked;
mod secrets;
mod session_token;
mod ticket;
mod who;

use std::{
    fmt::{self, Debug, Formatter},
    net::IpAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
};

use http::{HeaderMap, Method, header};
use tidings_protocol::{ErrorCode, rest::TicketAnswer};
use tidings_server_core::{
    Identity, Limits, Refused,
    service::Grant,
    session::Credential,
    store::{Answer, Query, Revocation, Store},
};

use self::{
    guesses::Guesses,
    jwt::Jwt,
    kept::Remembered,
    revoked::Revoked,
    session_token::{Sealed, SessionKey},
};
use crate::{
    driver::{
        Authenticate, Clock, Entrance,
        entrance::{Ambient, Checked},
        readers::Readers,
        writer::Writer,
    },
    transport::origin::Origins,
};

pub use api_key::ApiKeys;
pub use jwt::{JwtKey, KeyError};
pub use secrets::{Secret, secret};
pub use who::Who;

/// What is checked, and with which keys.
#[derive(Debug)]
pub struct Settings {
    /// Backends' keys.
    pub api_keys: ApiKeys,
    /// Keys that verify users' JWTs.
    pub jwt_keys: Vec<JwtKey>,
    /// Where more of them are, as a JSON Web Key Set; empty: nowhere.
    pub jwks_url: String,
    /// Issuers that are accepted; empty: any, and none is needed.
    pub issuer: Vec<String>,
    /// Audiences that are accepted; empty: any, and none is needed.
    pub audience: Vec<String>,
    /// Signs session tokens.
    pub session_key: Secret,
    /// Signs users' JWTs in development; `None` elsewhere.
    pub dev_key: Option<Secret>,
    /// Name of the cookie that may hold a JWT or session token; empty: none.
    pub cookie: String,
    /// Failures of one address within a minute before it has to wait.
    pub failures_per_minute: u32,
}

/// Checks credentials and issues those of the server's own.
pub struct Auth {
    api_keys: ApiKeys,
    jwt: Jwt,
    sessions: SessionKey,
    cookie: String,
    origins: Arc<Origins>,
    revoked: RwLock<Revoked>,
    guesses: Mutex<Guesses>,
    remembered: Mutex<Remembered>,
    /// Keeps rights; set once there is a writer.
    writer: OnceLock<Writer>,
    readers: Readers,
    limits: Arc<Limits>,
}

impl Debug for Auth {
    /// Keys stay out of logs.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("api_keys", &self.api_keys).finish_non_exhaustive()
    }
}

impl Auth {
    /// Reads what was revoked before.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(
        settings: Settings,
        store: &dyn Store,
        readers: Readers,
        limits: Arc<Limits>,
        origins: Arc<Origins>,
    ) -> Result<(Self, u64), StartError> {
        let Settings { api_keys, session_key, cookie, failures_per_minute, .. } = settings;
        let rules = jwt::Rules { issuer: settings.issuer, audience: settings.audience };
        let jwt = Jwt::new(settings.jwt_keys, settings.dev_key, &settings.jwks_url, rules)?;
        let (revoked, number) = load_revoked(store)?;
        let auth = Self {
            api_keys,
            jwt,
            sessions: SessionKey::new(session_key),
            cookie,
            origins,
            revoked: RwLock::new(revoked),
            guesses: Mutex::new(Guesses::new(failures_per_minute)),
            remembered: Mutex::default(),
            writer: OnceLock::new(),
            readers,
            limits,
        };
        Ok((auth, number))
    }

    /// Who sends this request.
    ///
    /// # Errors
    /// `unauthorized`, `expired`, `revoked`, `origin_refused`; `flood` for an address that failed too often.
    pub async fn who(
        &self,
        method: &Method,
        headers: &HeaderMap,
        address: Option<IpAddr>,
    ) -> Result<Who, Refused> {
        self.patience(address)?;
        let result = self.identify(method, headers).await;
        self.judged(address, &result);
        result
    }

    async fn identify(&self, method: &Method, headers: &HeaderMap) -> Result<Who, Refused> {
        let bearer = match headers.get(header::AUTHORIZATION) {
            Some(value) => {
                let bearer = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
                let Some(bearer) = bearer.map(str::trim) else {
                    return Err(Refused::new(
                        ErrorCode::Unauthorized,
                        "`Authorization` must be `Bearer` and a credential",
                    ));
                };
                if let Some(name) = self.api_keys.name_of(bearer) {
                    return Ok(Who::Backend(name));
                }
                bearer
            }
            None => {
                let cookie = cookie::find(headers, &self.cookie).ok_or_else(|| {
                    Refused::new(ErrorCode::Unauthorized, "there is no `Authorization` header")
                })?;
                cookie::may_speak(method, headers, &self.origins)?;
                cookie
            }
        };
        let identity = Box::new(self.bearer(bearer).await?);
        Ok(match session_token::is_one(bearer) {
            true => Who::Session(identity),
            false => Who::User(identity),
        })
    }

    async fn ticket(&self, ticket: String, entrance: &Entrance) -> Result<Identity, Refused> {
        let page = entrance.page.clone();
        let spend = self.readers.run(move |store| ticket::spend(store, &ticket, &page));
        let grant = spend.await?;
        self.not_revoked(grant.identity(String::new()))
    }

    /// A user's JWT or session token.
    async fn bearer(&self, text: &str) -> Result<Identity, Refused> {
        let identity = match session_token::is_one(text) {
            true => self.session(text).await?,
            false => self.token(text).await?,
        };
        self.not_revoked(identity)
    }

    async fn token(&self, text: &str) -> Result<Identity, Refused> {
        let mut identity = self.jwt.verify(text).await?;
        let longest = Clock::wall().saturating_add(self.limits.credential_ms);
        identity.expires_at = identity.expires_at.map(|end| end.min(longest));
        Ok(identity)
    }

    fn not_revoked(&self, identity: Identity) -> Result<Identity, Refused> {
        match self.is_revoked(&identity.user, &identity.session, identity.issued_at) {
            true => Err(ErrorCode::Revoked.into()),
            false => Ok(identity),
        }
    }

    async fn check(
        &self,
        credential: Credential,
        entrance: &Entrance,
    ) -> Result<Identity, Refused> {
        let identity = match credential {
            Credential::Ticket(ticket) => self.ticket(ticket, entrance).await?,
            Credential::Token(token) => {
                let identity = self.token(&token).await?;
                self.not_revoked(identity)?
            }
            Credential::SessionToken(token) => {
                let identity = self.session(&token).await?;
                self.not_revoked(identity)?
            }
            Credential::Ambient => match &entrance.ambient {
                Some(Ambient::Header(bearer)) if ticket::is_one(bearer) => {
                    self.ticket(bearer.to_string(), entrance).await?
                }
                Some(Ambient::Header(bearer)) => self.bearer(bearer).await?,
                Some(Ambient::Cookie(value)) => self.bearer(value).await?,
                Some(Ambient::MuteCookie) => {
                    return Err(Refused::new(
                        ErrorCode::Unauthorized,
                        "a cookie speaks only for pages of allowed origins",
                    ));
                }
                None => {
                    return Err(Refused::new(
                        ErrorCode::Unauthorized,
                        "`connect` offers no credential",
                    ));
                }
            },
        };
        let Sealed { token, keep } = self.sessions.seal(&identity, Clock::wall(), &self.limits);
        let session_token = match keep {
            Some(keep) if !self.keep(&keep).await => String::new(),
            _ => token,
        };
        Ok(Identity { session_token, ..identity })
    }

    /// Issues a ticket for what was granted.
    ///
    /// # Errors
    /// `storage_unavailable` when too many tickets wait.
    pub async fn issue_ticket(&self, grant: Grant) -> Result<TicketAnswer, Refused> {
        let limits = Arc::clone(&self.limits);
        self.readers.run(move |store| ticket::issue(store, &grant, Clock::wall(), &limits)).await
    }

    /// A JWT of the development key; `None` on other servers.
    ///
    /// # Errors
    /// `bad_request` when it is no user id.
    pub fn dev_token(&self, user: &str) -> Option<Result<String, Refused>> {
        self.jwt.dev_token(user, Clock::wall())
    }

    fn patience(&self, address: Option<IpAddr>) -> Result<(), Refused> {
        let Some(address) = address else { return Ok(()) };
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        match guesses.wait(address, Clock::wall()) {
            None => Ok(()),
            Some(wait) => Err(Refused { retry_after_ms: Some(wait), ..ErrorCode::Flood.into() }),
        }
    }

    fn judged<T>(&self, address: Option<IpAddr>, result: &Result<T, Refused>) {
        let Err(refused) = result else { return };
        let code = refused.code;
        metrics::counter!("tidings_auth_failures_total", "code" => code.as_str()).increment(1);
        // Ended credentials are no guesses.
        if let (Some(address), ErrorCode::Unauthorized | ErrorCode::TicketInvalid) = (address, code)
        {
            let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
            guesses.failed(address, Clock::wall());
        }
    }
}

impl Authenticate for Auth {
    fn authenticate<'a>(&'a self, credential: Credential, entrance: &'a Entrance) -> Checked<'a> {
        Box::pin(async move {
            self.patience(entrance.address)?;
            let result = self.check(credential, entrance).await;
            self.judged(entrance.address, &result);
            result
        })
    }

    fn heed(&self, revocation: &Revocation) -> Revocation {
        let revocation = revoked::by_session(revocation);
        let mut revoked = self.revoked.write().unwrap_or_else(PoisonError::into_inner);
        revoked.add(&revocation, Clock::wall());
        revocation
    }

    fn is_revoked(&self, user: &str, session: &str, issued_at: u64) -> bool {
        let revoked = self.revoked.read().unwrap_or_else(PoisonError::into_inner);
        revoked.hits(user, session, issued_at)
    }
}

/// A user's JWT for development servers with this key.
///
/// # Errors
/// This is no user id.
pub fn dev_token(key: &Secret, user: &str) -> Result<String, Refused> {
    jwt::dev_token(key, user, Clock::wall())
}

/// All that are kept, and the number of the last.
fn load_revoked(store: &dyn Store) -> Result<(Revoked, u64), StartError> {
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
            revoked.add(&revoked::by_session(revocation), Clock::wall());
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
    /// A key is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store can't be read.
    #[error("revocations can't be read: {0}")]
    Store(#[from] tidings_server_core::store::StoreError),
    /// The store answered something else.
    #[error("revocations can't be read")]
    Unread,
}
