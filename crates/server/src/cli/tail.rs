//! `tidings tail`: a plain client without this project's client library.

use std::{borrow::Cow, io::Write as _};

use futures_util::{SinkExt as _, StreamExt as _};
use tidings_protocol::{
    Channel, Encode as _, ServerMessage, VERSION,
    client::{Connect, Ping, Subscribe},
    rest::{TicketAnswer, TicketRequest},
    rights::{Grant, Pattern, Right, Rights},
    server::Connected,
};
use tokio_tungstenite::{connect_async, tungstenite::Message};

use super::{Failure, Server, call::answer};

/// The default of `connected`.
const HEARTBEAT: std::time::Duration = std::time::Duration::from_secs(25);

pub(super) async fn tail(
    user: String,
    channels: Vec<String>,
    server: Server,
) -> Result<(), Failure> {
    let channels: Vec<Channel> = channels
        .iter()
        .map(|name| Channel::parse(name))
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::Refused(format!("--channel: {error}")))?;
    let grants = channels.iter().filter_map(|channel| {
        let allow = [Right::Subscribe, Right::History].into_iter().collect();
        Some(Grant { pattern: Pattern::parse(channel.as_str()).ok()?, allow })
    });
    let rights = Some(Rights::new(grants.collect()));
    let wanted = TicketRequest { user: Some(user), channels: rights, ..TicketRequest::default() };
    let TicketAnswer { ticket, .. } = answer(server.post("/v1/tickets").json(&wanted)).await?;

    let url = format!("{}/v1/ws", server.server.trim_end_matches('/')).replacen("http", "ws", 1);
    let (mut socket, _) = connect_async(url).await?;
    let connect = Connect {
        id: None,
        version: VERSION,
        ticket: Some(ticket),
        token: None,
        session_token: None,
        instance: None,
        batch: None,
        client: None,
        cursors: None,
    };
    socket.send(Message::text(connect.to_json())).await?;
    for channel in channels {
        let subscribe = Subscribe { id: None, channel, since: None };
        socket.send(Message::text(subscribe.to_json())).await?;
    }
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    heartbeat.tick().await;
    loop {
        tokio::select! {
            _ = heartbeat.tick() => socket.send(Message::text(Ping { id: None }.to_json())).await?,
            message = socket.next() => match message.transpose()? {
                Some(Message::Text(text)) => {
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "{}", masked(text.as_str())).and_then(|()| out.flush())?;
                }
                Some(Message::Close(Some(frame))) => {
                    return Err(Failure::Refused(format!("closed: {} {}", frame.code, frame.reason)));
                }
                Some(_) => {}
                None => return Ok(()),
            },
        }
    }
}

/// Hides the secret in a message, because terminals keep their output.
fn masked(text: &str) -> Cow<'_, str> {
    match ServerMessage::decode(text) {
        Ok(ServerMessage::Connected(connected)) => {
            Connected { session_token: MASK.to_owned(), ..connected }.to_json().into()
        }
        _ => text.into(),
    }
}

const MASK: &str = "(not shown)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_tokens_are_not_shown() {
        let connected = include_str!("../../../../fixtures/protocol/server/connected.json");
        assert!(connected.contains("st_u1"), "the fixture has a secret");
        let shown = masked(connected.trim());
        assert!(shown.contains(MASK) && !shown.contains("st_u1"), "{shown}");
        assert_eq!(masked("{\"type\":\"later\"}"), "{\"type\":\"later\"}");
    }
}
