//! `/v1/inbox`: a user's items, and marks on them.

use axum::{
    Json,
    extract::{RawQuery, State},
};
use tidings_protocol::{
    ErrorCode,
    address::{check_text, check_user},
    limits::{self, KIND_BYTES},
    rest::{InboxPage, MarkAnswer, MarkRequest},
};
use tidings_server_core::{
    Principal,
    budget::Cost,
    service,
    store::{Answer, ItemQuery, Query},
};

use super::{Api, Caller, User, body::Body};
use crate::error::ApiError;

pub(super) async fn list(
    State(api): State<Api>,
    Caller(who): Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<InboxPage>, ApiError> {
    let Ask { named, query: mut ask } =
        Ask::parse(query.as_deref().unwrap_or_default(), api.limits().page)?;
    ask.bytes = api.limits().page_bytes;
    ask.user = who.caller().user(named)?;
    api.spend(&who, Cost::READ)?;
    let (inbox_before, system_before) = (ask.inbox_before, ask.system_before);
    // A read writes nothing: without any connection or notification of its user there is no
    // inbox, and the page is empty.
    let answer = api.read(who.principal(), Query::Items(ask)).await?;
    let Answer::Items { items, more, at, counts } = answer else {
        return Err(ApiError::new(ErrorCode::Internal, ""));
    };
    let next = more.then(|| {
        let lowest = |system: bool, before: Option<u64>| {
            let of = |item: &&tidings_protocol::Item| item.channel.is_system() == system;
            items.iter().filter(of).map(|item| item.offset).min().or(before)
        };
        PageCursor { inbox: lowest(false, inbox_before), system: lowest(true, system_before) }
            .encode()
    });
    Ok(Json(InboxPage { items, counts, epoch: at.epoch, offset: at.offset, next }))
}

pub(super) async fn mark(
    State(api): State<Api>,
    User(identity): User,
    Body { value, bytes }: Body<MarkRequest>,
) -> Result<Json<MarkAnswer>, ApiError> {
    api.node.budgets.spend(&identity.user, Cost::message(bytes.len()))?;
    let intent = value.into();
    let write = api.with_ids(|ids| service::mark(&identity.user, intent, None, api.wall(), ids))?;
    let outcome = service::outcome(&api.commit(Principal::user(&identity.user), write).await?)?;
    match (outcome.refs.first(), outcome.counts) {
        (Some(cursor), Some(counts)) => Ok(Json(MarkAnswer { counts, offset: cursor.offset })),
        _ => Err(ApiError::new(ErrorCode::Internal, "")),
    }
}

/// A checked query.
#[derive(Debug)]
struct Ask {
    /// The user, if the query names one.
    named: Option<String>,
    /// The user and the size are filled in later.
    query: ItemQuery,
}

impl Ask {
    /// `user`, `state=inbox|unread|archived|all`, `type` (several times for several), `before`,
    /// `limit`.
    fn parse(query: &str, page: u32) -> Result<Self, ApiError> {
        let bad = |detail: String| Err(ApiError::new(ErrorCode::BadRequest, detail));
        let mut ask = ItemQuery {
            user: String::new(),
            inbox_before: None,
            system_before: None,
            kinds: Vec::new(),
            read: None,
            archived: Some(false),
            limit: limits::PAGE_DEFAULT.min(page),
            bytes: 0,
        };
        let mut named = None;
        let mut given = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if name != "type" {
                if given.contains(&name) {
                    return bad(format!("`{name}` is given twice"));
                }
                given.push(name.clone());
            }
            match (&*name, &*value) {
                ("user", user) => match check_user(user) {
                    Ok(()) => named = Some(user.to_owned()),
                    Err(error) => return bad(format!("`user`: {error}")),
                },
                ("state", "inbox") => {}
                ("state", "unread") => ask.read = Some(false),
                ("state", "archived") => ask.archived = Some(true),
                ("state", "all") => ask.archived = None,
                ("state", _) => return bad("`state` is inbox, unread, archived or all".into()),
                ("type", kind) if check_text(kind, KIND_BYTES).is_err() => {
                    return bad("a `type` has 1 to 64 bytes and no control characters".into());
                }
                ("type", kind) if ask.kinds.len() < KINDS => ask.kinds.push(kind.to_owned()),
                ("type", _) => return bad(format!("at most {KINDS} types")),
                ("before", text) => {
                    let Some(cursor) = PageCursor::decode(text) else {
                        return bad("`before` is what an earlier page gave as `next`".into());
                    };
                    (ask.inbox_before, ask.system_before) = (cursor.inbox, cursor.system);
                }
                ("limit", number) => match number.parse() {
                    Ok(limit) if (1..=page).contains(&limit) => ask.limit = limit,
                    _ => return bad(format!("`limit` is 1 to {page}")),
                },
                (other, _) => return bad(format!("unknown parameter `{other}`")),
            }
        }
        Ok(Self { named, query: ask })
    }
}

/// Most types of one query.
const KINDS: usize = 20;

/// The end of a page as an opaque text such as `i12.s3`, in characters that need no escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PageCursor {
    inbox: Option<u64>,
    system: Option<u64>,
}

impl PageCursor {
    fn encode(self) -> String {
        let part = |name: char, offset: Option<u64>| {
            offset.map_or_else(String::new, |offset| format!("{name}{offset}."))
        };
        format!("{}{}", part('i', self.inbox), part('s', self.system))
    }

    fn decode(text: &str) -> Option<Self> {
        let mut cursor = Self { inbox: None, system: None };
        for part in text.split_terminator('.') {
            let offset =
                |digits: &str| digits.parse().ok().filter(|offset| *offset <= limits::MAX_OFFSET);
            match part.split_at_checked(1)? {
                ("i", digits) => cursor.inbox = Some(offset(digits)?),
                ("s", digits) => cursor.system = Some(offset(digits)?),
                _ => return None,
            }
        }
        Some(cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() {
        for cursor in [(Some(12), Some(3)), (None, Some(0)), (Some(1), None), (None, None)] {
            let cursor = PageCursor { inbox: cursor.0, system: cursor.1 };
            assert_eq!(PageCursor::decode(&cursor.encode()), Some(cursor));
        }
        for text in ["x1.", "i", "i-1.", "i99999999999999999.", "é."] {
            assert_eq!(PageCursor::decode(text), None, "{text}");
        }
    }

    #[test]
    fn a_query_is_checked_by_name() {
        let ask =
            Ask::parse("state=unread&type=a%20b&type=c&limit=5&before=i9.", 100).unwrap().query;
        assert_eq!((ask.read, ask.archived, ask.limit), (Some(false), Some(false), 5));
        assert_eq!(ask.kinds, ["a b", "c"]);
        assert_eq!((ask.inbox_before, ask.system_before), (Some(9), None));
        for query in [
            "state=x",
            "limit=0",
            "limit=101",
            "before=?",
            "page=2",
            "user=",
            "user=%00",
            "type=",
            "type=%00",
        ] {
            let error = Ask::parse(query, 100).unwrap_err().0;
            assert_eq!(error.code, ErrorCode::BadRequest, "{query}");
            assert!(error.detail.contains(query.split('=').next().unwrap()), "{error}");
        }
    }
}
