//! A plain client over any transport: a scenario sends and receives the same on all of them.

mod opening;

use std::{collections::VecDeque, net::SocketAddr};

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

use super::connect_request::{ConnectRequest, Ended, Kind, Offer, Resume};
use crate::harness::{Server, Socket, http, text, within};

pub(crate) struct Link {
    kind: Kind,
    at: SocketAddr,
    /// Shared, so that requests follow each other on one TCP connection.
    http: reqwest::Client,
    request: ConnectRequest,
    resume: Resume,
    received: VecDeque<Value>,
    carrier: Carrier,
    /// The number of the next message.
    number: u64,
    ended: Option<Ended>,
}

enum Carrier {
    Socket(Box<Socket>),
    Stream {
        response: Response,
        bytes: Vec<u8>,
        /// Heartbeats so far.
        heartbeats: usize,
        retry_ms: Option<u64>,
    },
    /// The next poll, which is already sent.
    Poll(JoinHandle<Response>),
    None,
}

impl Link {
    /// Connects. [`Link::end`] returns a refusal.
    pub(crate) async fn open(
        kind: Kind,
        at: SocketAddr,
        offer: Offer,
        request: ConnectRequest,
    ) -> Self {
        let resume = match &offer {
            Offer::Ticket(ticket) => Resume { ticket: ticket.clone(), ..Resume::default() },
            Offer::Resume(resume) | Offer::Again(resume, _) => resume.clone(),
        };
        let mut link = Self {
            kind,
            at,
            http: http(),
            request,
            resume,
            received: VecDeque::new(),
            carrier: Carrier::None,
            number: 0,
            ended: None,
        };
        match kind {
            Kind::WebSocket => link.open_socket(&offer).await,
            Kind::EventSource => link.open_by_address("sse", &offer).await,
            Kind::AddressedPoll => link.open_by_address("poll", &offer).await,
            Kind::FetchedStream => link.open_by_connect("sse", &offer).await,
            Kind::FetchedPoll => link.open_by_connect("poll", &offer).await,
        }
        link
    }

    /// The next message. `None` at the end.
    pub(crate) async fn maybe(&mut self) -> Option<Value> {
        loop {
            // An event's id precedes it.
            while let Some(id) = self.received.front().and_then(id_of) {
                self.resume.place = id;
                self.received.pop_front();
            }
            if let Some(message) = self.received.pop_front() {
                self.note(&message);
                return Some(message);
            }
            if self.ended.is_some() {
                return None;
            }
            match &mut self.carrier {
                Carrier::Socket(socket) => match socket.frame().await {
                    Some(Message::Text(text)) => {
                        let message = serde_json::from_str(&text).unwrap();
                        self.received.push_back(message);
                    }
                    Some(Message::Close(_)) | None => return None,
                    Some(_) => {}
                },
                Carrier::Stream { response, bytes, heartbeats, retry_ms } => {
                    // A cut connection counts as an end.
                    let Ok(Some(chunk)) = within("a chunk", response.chunk()).await else {
                        return None;
                    };
                    bytes.extend_from_slice(&chunk);
                    while let Some(end) = bytes.windows(2).position(|two| two == b"\n\n") {
                        let event: Vec<u8> = bytes.drain(..end + 2).collect();
                        let event = String::from_utf8(event).unwrap();
                        for line in event.lines() {
                            if let Some(id) = line.strip_prefix("id: ") {
                                assert!(id.len() <= 2_048, "{} bytes of id", id.len());
                                self.received.push_back(json!({ "id of the next": id }));
                            } else if let Some(data) = line.strip_prefix("data: ") {
                                self.received.push_back(serde_json::from_str(data).unwrap());
                            } else if let Some(ms) = line.strip_prefix("retry: ") {
                                *retry_ms = Some(ms.parse().unwrap());
                            } else if line == ":" {
                                *heartbeats += 1;
                            } else {
                                assert!(line.is_empty(), "{line}");
                            }
                        }
                    }
                }
                Carrier::Poll(call) => {
                    let response = within("an answer", call).await.unwrap();
                    self.carrier = Carrier::None;
                    self.opened(response).await;
                }
                Carrier::None => return None,
            }
        }
    }

    /// Stores the state that a client keeps.
    fn note(&mut self, message: &Value) {
        let channel = message["channel"].as_str().unwrap_or_default().to_owned();
        let cursors = &mut self.resume.cursors;
        match message["type"].as_str().unwrap() {
            "connected" => {
                self.resume.session = text(&message["session"]);
                self.resume.token = text(&message["session_token"]);
            }
            "subscribed"
                if message["recovered"] == true
                    || !channel.starts_with("inbox") && channel != "system:all" =>
            {
                let mut cursor = json!({ "epoch": message["epoch"], "offset": message["offset"] });
                if let Some(proof) = message.get("proof") {
                    cursor["proof"] = proof.clone();
                }
                cursors.insert(channel, cursor);
            }
            "snapshot" => {
                let cursor = json!({ "epoch": message["epoch"], "offset": message["offset"] });
                cursors.insert(channel, cursor);
                cursors.insert("system:all".to_owned(), message["system"].clone());
            }
            "notification" | "message" | "marked" => {
                if let Some(cursor) = cursors.get_mut(&channel) {
                    cursor["offset"] = message["offset"].clone();
                }
            }
            "error" if message["id"].is_null() && message["channel"].is_null() => {
                self.ended = Some(ended(message));
            }
            _ => {}
        }
    }

    pub(crate) async fn next(&mut self) -> Value {
        // The deadline is for the whole message, not for each chunk, because heartbeats never end.
        let message = within("a message", self.maybe()).await;
        message.unwrap_or_else(|| panic!("waited for a message; ended with {:?}", self.ended))
    }

    pub(crate) async fn hear(&mut self, kind: &str) -> Value {
        let message = self.next().await;
        assert_eq!(message["type"], kind, "{message}");
        message
    }

    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// Titles of the next notifications. Their offsets must rise by one from `first`.
    pub(crate) async fn titles(&mut self, first: u64, count: usize) -> Vec<String> {
        let mut titles = Vec::new();
        while titles.len() < count {
            let record = self.hear("notification").await;
            assert_eq!(record["offset"], first + titles.len() as u64, "{record}");
            titles.push(text(&record["data"]["title"]));
        }
        titles
    }

    /// Reads to the end.
    pub(crate) async fn end(&mut self) -> Ended {
        while self.maybe().await.is_some() {}
        self.ended.clone().unwrap_or(Ended { retry: "backoff", code: None })
    }

    /// Later requests go to another server. A poll that is already sent is answered by the earlier
    /// one.
    pub(crate) fn turn_to(&mut self, server: &Server) {
        self.at = server.at;
    }

    /// Disconnects. Returns the state for a reconnect, and the received messages that the test has
    /// not read.
    pub(crate) fn leave(mut self) -> (Resume, Vec<Value>) {
        let mut unread = Vec::new();
        while let Some(message) = self.received.pop_front() {
            match id_of(&message) {
                Some(id) => self.resume.place = id,
                None => {
                    self.note(&message);
                    unread.push(message);
                }
            }
        }
        (std::mem::take(&mut self.resume), unread)
    }

    /// Sends a message and returns its answer.
    pub(crate) async fn say(&mut self, mut message: Value) -> Value {
        self.number += 1;
        message["id"] = json!(self.number);
        let Carrier::Socket(socket) = &mut self.carrier else {
            let (status, lines) = self.post(&message.to_string()).await;
            assert_eq!(status, StatusCode::OK, "{lines:?}");
            return lines.into_iter().find(|line| line["id"] == self.number).unwrap();
        };
        socket.say(message).await;
        loop {
            let answer = socket.next().await;
            if answer["id"] == self.number {
                return answer;
            }
            self.received.push_back(answer);
        }
    }

    /// Posts messages.
    pub(crate) async fn post(&self, body: &str) -> (StatusCode, Vec<Value>) {
        let Resume { session, token, .. } = &self.resume;
        let address = format!("http://{}/v1/sessions/{session}/messages", self.at);
        let request = self.http.post(address).bearer_auth(token);
        let request = request.header("content-type", "application/json").body(body.to_owned());
        let answer = within("an answer", request.send()).await.unwrap();
        let status = answer.status();
        let body = answer.text().await.unwrap();
        (status, body.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// Heartbeats so far, and the reconnect time of an `EventSource`.
    pub(crate) fn stream(&self) -> (usize, Option<u64>) {
        match &self.carrier {
            Carrier::Stream { heartbeats, retry_ms, .. } => (*heartbeats, *retry_ms),
            _ => (0, None),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Carrier::Poll(call) = &self.carrier {
            call.abort();
        }
    }
}

fn id_of(entry: &Value) -> Option<String> {
    entry["id of the next"].as_str().map(str::to_owned)
}

fn ended(error: &Value) -> Ended {
    let retry = match error["retry"].as_str().unwrap() {
        "ticket" => "ticket",
        "never" => "never",
        _ => "backoff",
    };
    Ended { retry, code: Some(text(&error["code"])) }
}
