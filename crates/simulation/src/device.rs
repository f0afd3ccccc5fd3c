//! A device: drives the client core as a browser or an app would, and keeps what its app saw.

use std::collections::BTreeMap;

use tidings_client_core::{
    Client, Command, Config, Credential, Error, Event, FailedIntent, Filter, InboxView, ItemKey,
    Kinds, Now, Show, Status, Stored, User,
};
use tidings_protocol::{Channel, Epoch, server::GapReason};

use crate::env::{Conn, Due, Env, Way};

/// What storage holds for a user.
#[derive(Clone, Debug)]
pub struct Saved {
    /// (epoch, offset) of the inbox and of `system:all`.
    pub cursors: [(Epoch, u64); 2],
    /// The saved text.
    pub text: String,
}

/// What the app was told.
#[derive(Debug, Default)]
pub struct Seen {
    /// Every notification that arrived, in order.
    pub arrived: Vec<ItemKey>,
    /// Every gap.
    pub gaps: Vec<(Channel, u64, u64, GapReason)>,
    /// Answers to intents.
    pub settled: BTreeMap<u64, Result<Option<Stored>, Error>>,
    /// Refused intents.
    pub failed: Vec<FailedIntent>,
    /// What could not be answered to anybody.
    pub reports: Vec<Error>,
    /// How often the ticket function was called.
    pub tickets: u32,
    /// How often a transport was opened.
    pub dials: u32,
    /// How often it subscribed again because records were missing.
    pub repairs: u32,
}

/// One device of a user.
#[derive(Debug)]
pub struct Device {
    /// Index in the world.
    pub index: usize,
    /// Whose.
    pub user: String,
    client: Client,
    /// The transport that is open or opening.
    pub transport: Option<u64>,
    /// Storage, which survives a reload.
    pub storage: BTreeMap<String, Saved>,
    /// What the app was told.
    pub seen: Seen,
    intents: u64,
    /// A save to be checked against the model.
    pub unchecked: Option<Saved>,
}

impl Device {
    /// A device that has done nothing yet.
    #[must_use]
    pub fn new(index: usize, user: &str, seed: u64) -> Self {
        Self {
            index,
            user: user.to_owned(),
            client: client(index, seed),
            transport: None,
            storage: BTreeMap::new(),
            seen: Seen::default(),
            intents: 0,
            unchecked: None,
        }
    }

    /// The app starts: it knows its user and wants a connection.
    pub fn start(&mut self, env: &mut Env) {
        let user = User::Named(self.user.clone());
        self.feed(env, Event::UserChanged(user));
        self.feed(env, Event::ConnectRequested);
    }

    /// The page is loaded again: memory is gone, storage stays.
    pub fn reload(&mut self, env: &mut Env) {
        if let Some(conn) = self.conn() {
            env.close(conn, Way::Up, 1001);
        }
        self.transport = None;
        self.client = client(self.index, env.rng.bits());
        self.seen = Seen::default();
        self.start(env);
    }

    /// The app marks items; answers the intent's number.
    pub fn mark(
        &mut self,
        env: &mut Env,
        targets: tidings_client_core::MarkTargets,
        set: tidings_protocol::MarkSet,
    ) -> u64 {
        self.intents += 1;
        let intent = self.intents;
        self.feed(env, Event::MarkRequested { intent, targets, set });
        intent
    }

    /// The connection it holds, if any.
    #[must_use]
    pub fn conn(&self) -> Option<Conn> {
        self.transport.map(|transport| Conn { device: self.index, transport })
    }

    /// The whole list as the app sees it.
    pub fn view(&mut self) -> InboxView {
        self.client.inbox(&Filter { show: Show::All, kinds: Kinds::default() })
    }

    /// Whether it is connected.
    #[must_use]
    pub fn status(&self) -> Status {
        self.client.connection().status
    }

    /// Why it is not connected.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        self.client.connection().error.as_ref()
    }

    /// Intents without an answer.
    #[must_use]
    pub fn pending(&self) -> u32 {
        self.client.outbox().pending
    }

    /// Records that came again and were dropped.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.client.duplicates()
    }

    /// Something happened to it.
    pub fn feed(&mut self, env: &mut Env, event: Event) {
        let mut out = Vec::new();
        let now = Now { mono: env.now.mono, wall: env.now.wall };
        self.client.handle(now, event, &mut out);
        for command in out {
            self.execute(env, command);
        }
    }

    fn conn_of(&self, transport: u64) -> Conn {
        Conn { device: self.index, transport }
    }

    fn execute(&mut self, env: &mut Env, command: Command) {
        let device = self.index;
        match command {
            Command::OpenTransport { transport, .. } => {
                assert_eq!(self.transport, None, "device {device} opens a second transport");
                self.transport = Some(transport);
                self.seen.dials += 1;
                let wait = env.delay();
                env.after(wait, Due::Dial(self.conn_of(transport)));
            }
            Command::Send { transport, text } if self.transport == Some(transport) => {
                // On a dead link it may ask whatever it likes.
                let repairs = text.starts_with("{\"type\":\"subscribe\"")
                    && !env.is_cut(self.conn_of(transport));
                self.seen.repairs += u32::from(repairs);
                env.send(self.conn_of(transport), Way::Up, text);
            }
            Command::CloseTransport { transport, code } if self.transport == Some(transport) => {
                self.transport = None;
                env.close(self.conn_of(transport), Way::Up, code);
            }
            Command::FetchCredential { attempt, .. } => {
                self.seen.tickets += 1;
                let wait = env.delay();
                env.after(wait, Due::Credential { device, attempt });
            }
            Command::SetTimer { at: Some(at) } => {
                env.after(at.saturating_sub(env.now.mono), Due::Timer { device, at });
            }
            Command::Load { user } => env.after(1, Due::Loaded { device, user }),
            Command::Save { user, cursors, over, text } => self.save(user, cursors, &over, text),
            Command::Wipe { user } => {
                self.storage.remove(&user);
            }
            Command::Arrived(item) => self.seen.arrived.push(item.key),
            Command::Gap { channel, from, to, why } => {
                self.seen.gaps.push((channel, from, to, why))
            }
            Command::Settled { intent, result } => {
                let first = self.seen.settled.insert(intent, result);
                assert_eq!(first, None, "intent {intent} of device {device} was answered twice");
            }
            Command::Failed(failed) => self.seen.failed.push(failed),
            Command::Report(error) => self.seen.reports.push(error),
            _ => {}
        }
    }

    /// Storage's rule: only over nothing, over a lower offset of the same epoch, or over an epoch that was left.
    fn save(&mut self, user: String, cursors: [(Epoch, u64); 2], over: &[Epoch], text: String) {
        let may = self.storage.get(&user).is_none_or(|held| {
            held.cursors.iter().zip(cursors).all(|((epoch, offset), (new, to))| {
                over.contains(epoch) || (*epoch == new && *offset <= to)
            })
        });
        if may {
            let saved = Saved { cursors, text };
            self.unchecked = Some(saved.clone()).filter(|_| self.client.outbox().pending == 0);
            self.storage.insert(user, saved);
        }
    }

    /// A transport was closed by the network or the server.
    pub fn closed(&mut self, env: &mut Env, transport: u64, code: u16) {
        if self.transport == Some(transport) {
            self.transport = None;
            self.feed(env, Event::TransportClosed { transport, code, reason: String::new() });
        }
    }

    /// The app's backend made a ticket.
    pub fn ticket(&mut self, env: &mut Env, attempt: u64, result: Result<Credential, String>) {
        self.feed(env, Event::CredentialFetched { attempt, result });
    }
}

fn client(index: usize, seed: u64) -> Client {
    let mut config =
        Config::new(seed, format!("page-{index}-{seed}"), format!("lane-{index}-{seed}"));
    config.storage = true;
    Client::new(config)
}
