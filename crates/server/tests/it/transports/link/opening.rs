//! How a client connects, and sends the next poll.

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::{Carrier, Link, ended};
use crate::{
    harness::{Socket, text, text_of, within},
    transports::connect_request::{Ended, Kind, Offer},
};

impl Link {
    pub(super) async fn open_socket(&mut self, offer: &Offer) {
        let request = format!("ws://{}/v1/ws", self.at).into_client_request().unwrap();
        let mut socket = Socket::open(self.at, request).await.unwrap();
        socket.say(self.connect(offer)).await;
        for channel in &self.request.channels {
            if !self.resume.cursors.contains_key(channel) {
                socket.say(json!({ "type": "subscribe", "channel": channel })).await;
            }
        }
        self.carrier = Carrier::Socket(Box::new(socket));
    }

    pub(super) async fn open_by_address(&mut self, path: &str, offer: &Offer) {
        let mut query: Vec<(&str, &str)> = Vec::new();
        let mut id = None;
        let mut bearer = None;
        match offer {
            Offer::Ticket(ticket) => query.push(("ticket", ticket)),
            // Like a browser: the address stays the same, spent ticket included.
            Offer::Resume(resume) if self.kind == Kind::EventSource => {
                query.push(("ticket", &resume.ticket));
                id = Some(resume.place.clone());
            }
            Offer::Resume(resume) => {
                query.push(("cursor", &resume.place));
                // The first poll of a returning client greets it again.
                query.push(("wait", "0"));
                bearer = Some(resume.token.clone());
            }
            Offer::Again(resume, ticket) => {
                query.push(("ticket", ticket));
                query.push(("cursor", resume.place.split('~').next().unwrap_or_default()));
                query.push(("wait", "0"));
            }
        }
        let query: Vec<_> =
            query.into_iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let mut request = self.http.get(self.address(path, &query.join("&")));
        if let Some(id) = id {
            request = request.header("last-event-id", id);
        }
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        self.opened(within("an answer", request.send()).await.unwrap()).await;
    }

    pub(super) async fn open_by_connect(&mut self, path: &str, offer: &Offer) {
        let address = self.address(path, "");
        // The SDK sends this on every transport; here it has no effect.
        let mut connect = self.connect(offer);
        connect["batch"] = json!(true);
        let request = self.http.post(address).json(&connect);
        self.opened(within("an answer", request.send()).await.unwrap()).await;
    }

    /// The address with its channels: as a list if no name holds a comma, else one by one.
    fn address(&self, path: &str, more: &str) -> String {
        let names = &self.request.channels;
        let mut query: Vec<String> = if names.iter().any(|name| name.contains(',')) {
            names.iter().map(|name| format!("channel={}", escaped(name))).collect()
        } else {
            vec![format!("channels={}", escaped(&names.join(",")))]
        };
        query.extend(self.request.instance.iter().map(|name| format!("instance={name}")));
        query.push(more.to_owned());
        format!("http://{}/v1/{path}?{}", self.at, query.join("&"))
    }

    fn connect(&self, offer: &Offer) -> Value {
        let mut connect = json!({ "type": "connect", "version": 1 });
        match offer {
            Offer::Ticket(ticket) => connect["ticket"] = json!(ticket),
            Offer::Resume(resume) => {
                connect["session_token"] = json!(resume.token);
                connect["cursors"] = json!(resume.cursors);
            }
            Offer::Again(resume, ticket) => {
                connect["ticket"] = json!(ticket);
                connect["cursors"] = json!(resume.cursors);
            }
        }
        if let Some(instance) = &self.request.instance {
            connect["instance"] = json!(instance);
        }
        connect
    }

    pub(super) async fn opened(&mut self, response: Response) {
        match self.kind {
            Kind::EventSource | Kind::FetchedStream if response.status() == StatusCode::OK => {
                assert_eq!(text_of(&response, "content-type").unwrap(), "text/event-stream");
                assert_eq!(text_of(&response, "x-accel-buffering").unwrap(), "no");
                let cache = text_of(&response, "cache-control").unwrap();
                assert!(cache.contains("no-store") && cache.contains("no-transform"), "{cache}");
                let (bytes, heartbeats, retry_ms) = (Vec::new(), 0, None);
                self.carrier = Carrier::Stream { response, bytes, heartbeats, retry_ms };
            }
            Kind::AddressedPoll | Kind::FetchedPoll if response.status() == StatusCode::OK => {
                self.take_answer(response).await;
            }
            _ => self.refused(response).await,
        }
    }

    async fn refused(&mut self, response: Response) {
        let status = response.status();
        let ended = match (self.kind, status.as_u16()) {
            (Kind::EventSource, 204) => Ended { retry: "never", code: None },
            (_, status) => {
                assert!(status >= 400, "{status}");
                assert_eq!(text_of(&response, "content-type").unwrap(), "application/json");
                let error: Value = response.json().await.unwrap();
                assert_eq!(error["type"], "error");
                if status == 401 {
                    assert_eq!(error["retry"], "ticket");
                }
                ended(&error)
            }
        };
        self.ended = Some(ended);
    }

    /// Takes a poll's answer and sends the next call.
    async fn take_answer(&mut self, response: Response) {
        let body = response.text().await.unwrap();
        let mut lines = body.lines();
        let head: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        self.resume.token = text(&head["session_token"]);
        self.resume.session = text(&head["session"]);
        let next = match self.kind {
            Kind::AddressedPoll => {
                self.resume.place = text(&head["cursor"]);
                let place = format!("cursor={}", escaped(&self.resume.place));
                self.http.get(self.address("poll", &place)).bearer_auth(&self.resume.token)
            }
            _ => {
                let cursors = head["cursors"].as_object().unwrap().clone();
                self.resume.cursors = cursors.into_iter().collect();
                let resume = Offer::Resume(self.resume.clone());
                self.http.post(self.address("poll", "wait=20000")).json(&self.connect(&resume))
            }
        };
        self.received.extend(lines.map(|line| serde_json::from_str::<Value>(line).unwrap()));
        self.carrier =
            Carrier::Poll(tokio::spawn(async move { next.send().await.expect("an answer") }));
    }
}

fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
