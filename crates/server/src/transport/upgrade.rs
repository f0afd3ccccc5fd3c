//! `GET /v1/ws`: from an HTTP request to a served connection.

use std::sync::Arc;

use axum::{
    extract::{
        FromRequestParts, Request, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection,
    },
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header, request::Parts};
use hyper::upgrade::OnUpgrade;
use tidings_protocol::{Encode, ErrorCode};
use tidings_server_core::{Refused, service};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{
    Transport, address,
    request_policy::RequestPolicy,
    ws::{Sizes, Ws},
};
use crate::{
    driver::connection::{self, FirstMessage, Opening},
    metrics,
};

impl RequestPolicy {
    /// Answers an upgrade request.
    ///
    /// Only a wrong `Host` or `Origin` is refused before the upgrade: browsers hide the status of a
    /// failed one, and a client that can't see the reason would try for ever. All other refusals
    /// are sent as an `error` and a close code.
    pub async fn open(&self, request: Request) -> Response {
        let (parts, _) = request.into_parts();
        if let Err(refused) = self.is_asked(&parts) {
            metrics::refused(Ws::NAME, refused.code);
            let status = StatusCode::from_u16(refused.code.http()).unwrap_or(StatusCode::FORBIDDEN);
            return (status, format!("{}\n", refused.detail)).into_response();
        }
        if !self.admits(&parts) {
            metrics::refused(Ws::NAME, ErrorCode::OriginRefused);
            return (
                StatusCode::FORBIDDEN,
                "This page's origin is not allowed; add it to `origins` in the server's settings.\n",
            )
                .into_response();
        }
        let (response, upgraded) = match accept(parts.clone()).await {
            Ok(accepted) => accepted,
            Err(refusal) => return refusal,
        };
        let limits = &self.node.settings.limits;
        let largest = limits.connect_bytes.max(limits.message_bytes);
        let sizes =
            Sizes { message: largest, frame: largest, fragments: self.node.settings.fragments };
        let context = self.context(&parts);
        let ticket = address::ticket(parts.uri.query().unwrap_or_default());
        let node = Arc::clone(&self.node);
        // In its own task, which ends here, because its size includes the upgrade.
        tokio::spawn(async move {
            let Ok(upgraded) = upgraded.await else { return };
            let transport = Ws::new(upgraded, sizes).await;
            let entered = ticket.and_then(|ticket| {
                let permit = node.registry.enter(Ws::NAME, context.address)?;
                Ok((
                    Opening {
                        first_message: ticket.map(FirstMessage::Ticket),
                        ..Opening::default()
                    },
                    permit,
                ))
            });
            drop(match entered {
                Ok((opening, permit)) => {
                    tokio::spawn(connection::serve(node, transport, context, opening, permit))
                }
                // The connection is not registered. A client that does not agree to the close must
                // not keep it open.
                Err(refused) => tokio::spawn(async move {
                    metrics::refused(Ws::NAME, refused.code);
                    let refusal = refuse(transport, &refused);
                    let _late = timeout(node.settings.close_timeout, refusal).await;
                }),
            });
        });
        response
    }
}

/// The handshake. Returns the answer, and the upgraded connection for later.
///
/// # Errors
/// The answer to a request that is no handshake.
pub async fn accept(mut parts: Parts) -> Result<(Response, OnUpgrade), Response> {
    // axum's extractor takes it out of the parts, to make its own socket.
    let upgraded = parts.extensions.get::<OnUpgrade>().cloned();
    let key = parts.headers.get(header::SEC_WEBSOCKET_KEY).cloned();
    if let Err(rejection) = WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        return Err(not_a_websocket(rejection));
    }
    let Some(upgraded) = upgraded else { return Err(StatusCode::UPGRADE_REQUIRED.into_response()) };
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    match key {
        Some(key) => {
            let headers = response.headers_mut();
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
                headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
            }
        }
        // Extended CONNECT of HTTP/2 (RFC 8441), in apps that serve it.
        None => *response.status_mut() = StatusCode::OK,
    }
    Ok((response, upgraded))
}

fn not_a_websocket(rejection: WebSocketUpgradeRejection) -> Response {
    let mut response = rejection.into_response();
    // Unknown bytes may follow on this connection.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Sends the reason, then closes.
async fn refuse(mut transport: impl Transport, refused: &Refused) {
    let code = refused.code.close().unwrap_or(tidings_protocol::CloseCode::TRY_LATER);
    let error = Encode::to_json(&service::error(refused));
    if transport.feed(error.into()).await.is_ok() {
        transport.close(code, refused.code.as_str()).await;
    }
}
