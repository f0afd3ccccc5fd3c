//! One-time tickets.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use sha2::{Digest as _, Sha256};
use tidings_protocol::{
    ErrorCode,
    rest::{TicketAnswer, rfc3339},
};
use tidings_server_core::{
    Limits, Refused,
    service::Grant,
    store::{Share, Store, Ticket},
};

use crate::{driver::Clock, transport::origin::Page};

const PREFIX: &str = "tk_";

/// Whether a bearer token looks like a ticket.
pub(super) fn is_one(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Makes a ticket of 256 random bits. The store keeps only its hash.
pub(super) fn issue(
    store: &dyn Store,
    grant: &Grant,
    share: Share,
    wall: u64,
    limits: &Limits,
) -> Result<TicketAnswer, Refused> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| Refused::new(ErrorCode::Internal, error.to_string()))?;
    let ticket = format!("{PREFIX}{}", BASE64.encode(secret));
    let expires_at = wall.saturating_add(limits.ticket_ms);
    let (hash, ttl_ms) = (hash(&ticket), limits.ticket_ms);
    store.put_ticket(wall, &Ticket { hash, ttl_ms, grant: grant.encode()?, share })?;
    Ok(TicketAnswer { ticket, expires_at: rfc3339(expires_at) })
}

/// Spends a ticket. Unknown, spent and expired tickets get the same answer, in about the same time.
/// A ticket for another origin is spent too; so its answer may say more.
pub(super) fn spend(store: &dyn Store, ticket: &str, page: &Page) -> Result<Grant, Refused> {
    let invalid = || Refused::from(ErrorCode::TicketInvalid);
    let bytes = store.take_ticket(Clock::wall(), hash(ticket))?.ok_or_else(invalid)?;
    let grant = Grant::decode(&bytes)?;
    if grant.origin.as_ref().is_some_and(|origin| !page.is_of(origin)) {
        let detail = "the ticket is for pages of another origin, and spent now: ask for one with the `origin` of this page, or with none.";
        return Err(Refused::new(ErrorCode::TicketInvalid, detail));
    }
    Ok(grant)
}

fn hash(ticket: &str) -> [u8; 32] {
    Sha256::digest(ticket.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use tidings_server_core::{MemoryStore, memory::Syncing};

    use super::*;

    fn grant(origin: Option<&str>) -> Grant {
        Grant {
            user: "u1".into(),
            info: None,
            rights: Default::default(),
            session: "s".into(),
            origin: origin.map(str::to_owned),
            issued_at: 0,
            expires_at: u64::MAX,
        }
    }

    fn share() -> Share {
        Share { of: "key:a".into(), most: 10, user: None }
    }

    #[test]
    fn a_ticket_opens_once() {
        let store = MemoryStore::new(1, Syncing::BeforeTheAnswer);
        let wall = Clock::wall();
        let ticket = issue(&store, &grant(None), share(), wall, &Limits::default()).unwrap().ticket;
        assert_eq!(ticket.len(), 3 + 43);
        assert_eq!(spend(&store, &ticket, &Page::Unknown).unwrap().user, "u1");
        assert_eq!(
            spend(&store, &ticket, &Page::Unknown).unwrap_err().code,
            ErrorCode::TicketInvalid
        );
    }

    #[test]
    fn a_ticket_for_one_page_opens_nowhere_else() {
        let store = MemoryStore::new(1, Syncing::BeforeTheAnswer);
        let own = "https://app.example";
        for (from, opens) in [
            (Page::Named(own.into()), true),
            (Page::Named("https://evil.example".into()), false),
            (Page::Own("app.example".into()), true),
            (Page::Own("evil.example".into()), false),
            (Page::Unknown, false),
        ] {
            let wall = Clock::wall();
            let made = issue(&store, &grant(Some(own)), share(), wall, &Limits::default()).unwrap();
            assert_eq!(spend(&store, &made.ticket, &from).is_ok(), opens, "{from:?}");
        }
    }
}
