//! `GET /v1/ws`: from an HTTP request to a served connection.

use std::sync::Arc;

use axum::{
    extract::{
        FromRequestParts, Request, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection,
    },
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use tidings_protocol::{Encode, ErrorCode};
use tidings_server_core::{Refused, service};
use tokio::time::timeout;

use super::{
    Transport,
    door::Door,
    ws::{Sizes, Ws, configure},
};
use crate::driver::connection::{self, Opening, Said};

impl Door {
    /// Answers an upgrade request.
    ///
    /// Only a wrong `Origin` is refused before the upgrade: browsers hide the status of a failed one, and a client that can't see
    /// why it failed would try for ever. All else is told by an `error` and a close code.
    pub async fn open(&self, request: Request) -> Response {
        let (mut parts, _) = request.into_parts();
        if !self.origins.admit(&parts.headers) {
            metrics::counter!("tidings_refused_total", "code" => ErrorCode::OriginRefused.as_str())
                .increment(1);
            return (
                StatusCode::FORBIDDEN,
                "This page's origin is not allowed; add it to `origins` in the server's settings.\n",
            )
                .into_response();
        }
        let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            Ok(upgrade) => upgrade,
            Err(rejection) => return not_a_websocket(rejection),
        };
        let limits = &self.node.settings.limits;
        let largest = limits.connect_bytes.max(limits.message_bytes);
        let sizes = Sizes { message: largest, frame: largest, unwritten: limits.mailbox_bytes };
        let entrance = self.entrance(&parts);
        let said = ticket(parts.uri.query()).map(Said::Ticket);
        let opening = Opening { said, ..Opening::default() };
        let node = Arc::clone(&self.node);
        configure(upgrade, sizes).on_upgrade(move |socket| {
            let transport = Ws::new(socket);
            // On a task of its own: axum's, which is sized for the upgrade too, ends here.
            drop(match node.registry.enter(Ws::NAME) {
                Ok(place) => {
                    tokio::spawn(connection::serve(node, transport, entrance, opening, place))
                }
                // It has no place: a peer that does not agree to the close may not hold it open.
                Err(refused) => tokio::spawn(async move {
                    let refusal = refuse(transport, &refused);
                    let _late = timeout(node.settings.close_timeout, refusal).await;
                }),
            });
            std::future::ready(())
        })
    }
}

fn not_a_websocket(rejection: WebSocketUpgradeRejection) -> Response {
    let mut response = rejection.into_response();
    // What follows on this connection may be anything.
    response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    response
}

/// Tells why before it closes.
async fn refuse(mut transport: impl Transport, refused: &Refused) {
    let code = refused.code.close().unwrap_or(tidings_protocol::CloseCode::TRY_LATER);
    let error = Encode::to_json(&service::error(refused));
    if transport.feed(error.into()).await.is_ok() {
        transport.close(code, refused.code.as_str()).await;
    }
}

/// The query's ticket, for plain clients that can't send a first message.
fn ticket(query: Option<&str>) -> Option<String> {
    query?
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == "ticket")
        .map(|(_, value)| value.to_owned())
}
