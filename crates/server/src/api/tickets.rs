//! `POST /v1/tickets`: a one-time ticket, for a backend's user or for the calling user.

use axum::{extract::State, response::Response};
use tidings_protocol::rest::TicketRequest;
use tidings_server_core::{budget::Cost, service};

use super::{Api, Caller, body::Body, notifications::created};
use crate::{
    auth::{self, Asker},
    error::ApiError,
};

pub(super) async fn issue(
    State(api): State<Api>,
    Caller(who): Caller,
    Body { value, .. }: Body<TicketRequest>,
) -> Result<Response, ApiError> {
    who.opens()?;
    api.spend(&who, Cost::TICKET)?;
    let own = auth::random_id("s-")?;
    let grant = service::grant(who.caller(), value, own, api.wall(), api.limits())?;
    let asker =
        Asker { whose: who.principal(), caller: who.caller(), credential: who.credential() };
    Ok(created(&api.auth.issue_ticket(asker, grant).await?, false))
}
