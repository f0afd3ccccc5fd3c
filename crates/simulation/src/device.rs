//! A device: drives the client core as a browser or an app would, and keeps what its app saw.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use tidings_client_core::{
    Client, Command, Config, Credential, Error, Event, FailedIntent, Filter, InboxView, ItemKey,
    Kinds, MarkTargets, Now, Readable, Show, Status, Stored, User,
};
use tidings_protocol::{Channel, MarkSet, server::GapReason};

use crate::{
    clock::Clock,
    env::{Conn, Due, Env, Way},
    sight::{Page, Sight},
    storage::{Save, Saved, Storage},
    tally::Count,
};

/// What the app was told, since the page began.
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

/// One tab or app of a user.
#[derive(Debug)]
pub struct Device {
    /// Whose.
    pub user: String,
    /// Its page, which is another one after each reload.
    pub page: Page,
    client: Client,
    config: Config,
    /// The transport that is open or opening.
    pub transport: Option<u64>,
    /// Storage, which survives a reload. Tabs of one profile share it.
    pub storage: Rc<RefCell<Storage>>,
    /// Its clocks.
    pub clock: Clock,
    /// What the app was told.
    pub seen: Seen,
    /// Until then nothing runs in it: a tab the browser has frozen, a lid that is closed.
    pub frozen_until: u64,
    intents: u64,
    dropped: u64,
}

impl Device {
    /// A device that has done nothing yet.
    #[must_use]
    pub fn new(index: usize, user: &str, storage: Rc<RefCell<Storage>>, seed: u64) -> Self {
        let page = Page { device: index, life: 0 };
        let config = config(page, seed);
        Self {
            user: user.to_owned(),
            page,
            client: Client::new(config.clone()),
            config,
            transport: None,
            storage,
            clock: Clock::TRUE,
            seen: Seen::default(),
            frozen_until: 0,
            intents: 0,
            dropped: 0,
        }
    }

    /// Keeps fewer items than usual, in memory and in storage.
    pub fn keep(&mut self, items: u32) {
        self.config.keep = items;
        self.client = Client::new(self.config.clone());
    }

    /// Comes in two parts, as in a browser.
    pub fn come_in_parts(&mut self) {
        self.config.whole = false;
        self.client = Client::new(self.config.clone());
    }

    /// The app starts: it knows its user and wants a connection.
    pub fn start(&mut self, env: &mut Env) {
        env.saw(Sight::Began { page: self.page, user: self.user.clone() });
        let user = User::Named(self.user.clone());
        self.feed(env, Event::UserChanged(user));
        self.feed(env, Event::ConnectRequested);
    }

    /// The page is loaded again: memory is gone, storage stays.
    pub fn reload(&mut self, env: &mut Env) {
        env.tally.count(Count::Reload);
        self.feed(env, Event::Hidden);
        if let Some(conn) = self.conn() {
            env.close(conn, Way::Up, 1001);
        }
        self.begin_anew(env);
    }

    /// The tab crashes: nothing is said to anybody. A new one takes its place.
    pub fn crash(&mut self, env: &mut Env) {
        env.tally.count(Count::TabCrash);
        if let Some(conn) = self.conn() {
            env.cut(conn);
        }
        self.begin_anew(env);
    }

    fn begin_anew(&mut self, env: &mut Env) {
        self.transport = None;
        self.page.life += 1;
        let Config { keep, whole, .. } = self.config;
        self.config = Config { keep, whole, ..config(self.page, env.rng.bits()) };
        self.client = Client::new(self.config.clone());
        self.seen = Seen::default();
        self.dropped = 0;
        self.intents = 0;
        self.frozen_until = 0;
        self.start(env);
    }

    /// The app marks items; answers the intent's number.
    pub fn mark(&mut self, env: &mut Env, targets: MarkTargets, set: MarkSet) -> u64 {
        let intent = self.intend(env);
        let page = self.page;
        env.saw(Sight::Intended { page, intent, targets: targets.clone(), set });
        self.feed(env, Event::MarkRequested { intent, targets, set });
        intent
    }

    /// The app wants older items.
    pub fn more(&mut self, env: &mut Env) -> u64 {
        env.tally.count(Count::Loads);
        let intent = self.intend(env);
        self.feed(env, Event::MoreRequested { filter: everything(), intent });
        intent
    }

    fn intend(&mut self, env: &mut Env) -> u64 {
        env.tally.count(Count::Marks);
        self.intents += 1;
        self.intents
    }

    /// The connection it holds, if any.
    #[must_use]
    pub fn conn(&self) -> Option<Conn> {
        self.transport.map(|transport| self.conn_of(transport))
    }

    /// The whole list as the app sees it.
    pub fn view(&mut self) -> InboxView {
        self.client.inbox(&everything())
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
        let tidings_server_core::Now { mono, wall } = self.clock.read(env.now);
        self.client.handle(Now { mono, wall }, event, &mut out);
        for command in out {
            self.execute(env, command);
        }
        let dropped = self.client.duplicates();
        env.tally.more(Count::Duplicates, dropped - self.dropped);
        self.dropped = dropped;
    }

    const fn conn_of(&self, transport: u64) -> Conn {
        Conn { page: self.page, transport }
    }

    fn execute(&mut self, env: &mut Env, command: Command) {
        let page = self.page;
        match command {
            Command::OpenTransport { transport, .. } => {
                assert_eq!(self.transport, None, "{page:?} opens a second transport");
                self.transport = Some(transport);
                self.seen.dials += 1;
                let wait = env.delay();
                env.after(wait, Due::Dial(self.conn_of(transport)));
            }
            Command::Send { transport, text } if self.transport == Some(transport) => {
                // On a dead link it may ask whatever it likes.
                let conn = self.conn_of(transport);
                if text.starts_with("{\"type\":\"subscribe\"") && !env.is_dead(conn, Way::Down) {
                    self.seen.repairs += 1;
                    env.tally.count(Count::Repairs);
                }
                env.send(conn, Way::Up, text);
            }
            Command::CloseTransport { transport, code } if self.transport == Some(transport) => {
                self.transport = None;
                env.close(self.conn_of(transport), Way::Up, code);
            }
            Command::FetchCredential { attempt, .. } => {
                self.seen.tickets += 1;
                let wait = env.delay();
                env.after(wait, Due::Credential { page, attempt });
            }
            Command::SetTimer { at: Some(at) } => {
                let wait = self.clock.until(env.now, at);
                env.timer(wait, Due::Timer { page, at });
            }
            Command::LoadRest => {
                let wait = env.rng.between(1, 3_000);
                env.after(wait, Due::RestLoaded { page });
            }
            Command::Load { user } => {
                let wait = env.rng.between(1, 5);
                env.after(wait, Due::Loaded { page, user });
            }
            Command::Save { user, cursors, over, text } => {
                let save = Box::new(Save { user, saved: Saved { cursors, text }, over });
                env.after(1, Due::Saves { page, save });
            }
            Command::Wipe { user } => self.storage.borrow_mut().wipe(&user),
            Command::Changed(Readable::Inbox | Readable::Outbox) => self.show(env),
            command => self.hear(env, command),
        }
    }

    /// The app reads what changed.
    fn show(&mut self, env: &mut Env) {
        let items = self.view().items.len();
        env.saw(Sight::Held {
            page: self.page,
            intents: self.client.outbox().pending as usize,
            intents_max: self.config.outbox_max as usize,
            items,
            items_max: self.config.items_max as usize,
        });
    }

    /// The app is told something.
    fn hear(&mut self, env: &mut Env, command: Command) {
        let page = self.page;
        match command {
            Command::Arrived(item) => {
                env.tally.count(Count::Arrivals);
                env.saw(Sight::Arrived { page, key: item.key.clone() });
                self.seen.arrived.push(item.key);
            }
            Command::Gap { channel, from, to, why } => {
                env.tally.count(Count::Gaps);
                self.seen.gaps.push((channel, from, to, why));
            }
            Command::Settled { intent, result } => {
                env.tally.count(if result.is_ok() { Count::Stored } else { Count::Refusals });
                env.saw(Sight::Answered { page, intent, result: result.clone() });
                self.seen.settled.insert(intent, result);
            }
            Command::Failed(failed) => self.seen.failed.push(failed),
            Command::Report(error) => self.seen.reports.push(error),
            _ => {}
        }
    }

    /// A transport was closed by the network or the server.
    pub fn closed(&mut self, env: &mut Env, transport: u64, code: u16) {
        if self.transport == Some(transport) {
            self.transport = None;
            self.feed(env, Event::TransportClosed { transport, code, reason: String::new() });
        }
    }

    /// The app's ticket function answers.
    pub fn ticket(&mut self, env: &mut Env, attempt: u64, result: Result<Credential, String>) {
        self.feed(env, Event::CredentialFetched { attempt, result });
    }

    /// The rest of the client is there, or could not be loaded and is tried again.
    pub fn rest(&mut self, env: &mut Env) {
        if env.strikes(env.faults.load, Count::RestFailed) {
            return env.after(1_000, Due::RestLoaded { page: self.page });
        }
        env.tally.count(Count::Rest);
        self.feed(env, Event::RestLoaded);
    }

    /// Storage answers a load, or fails to.
    pub fn loaded(&mut self, env: &mut Env, user: String) {
        if env.rng.hits(env.faults.load) {
            if env.rng.hits(5_000) {
                env.tally.count(Count::LoadHung);
                return;
            }
            env.tally.count(Count::LoadFailed);
            let reason = "UnknownError".to_owned();
            return self.feed(env, Event::StorageFailed { reason });
        }
        let mut saved = self.storage.borrow().load(&user).cloned();
        if let Some(saved) = &mut saved
            && env.strikes(env.faults.corrupt, Count::Corrupt)
        {
            let cut = env.rng.index(saved.text.len());
            saved.text = saved.text.chars().take(cut).collect();
            self.storage.borrow_mut().wipe(&user);
            return self.feed(env, Event::StorageLoaded { user, saved: Some(saved.text.clone()) });
        }
        env.tally.more(Count::Cached, u64::from(saved.is_some()));
        env.saw(Sight::Loaded { page: self.page, saved: saved.clone() });
        self.feed(env, Event::StorageLoaded { user, saved: saved.map(|saved| saved.text) });
    }

    /// Storage commits a save, or does not.
    pub fn saves(&mut self, env: &mut Env, page: Page, save: Box<Save>) {
        if page != self.page && env.rng.hits(5_000) {
            // The tab died with the transaction open.
            return;
        }
        let quota = env.rng.hits(5_000);
        let what = if quota { Count::Quota } else { Count::SaveAborted };
        if env.strikes(env.faults.save, what) {
            let reason = if quota { "QuotaExceededError" } else { "AbortError" }.to_owned();
            if page == self.page {
                self.feed(env, Event::StorageFailed { reason });
            }
        } else if self.storage.borrow_mut().save(&save) {
            env.tally.count(Count::Saves);
            let Save { user, saved, .. } = *save;
            env.saw(Sight::Saved { page, user, saved });
        }
    }
}

fn everything() -> Filter {
    Filter { show: Show::All, kinds: Kinds::default() }
}

fn config(page: Page, seed: u64) -> Config {
    let Page { device, life } = page;
    let mut config = Config::new(
        seed,
        format!("page-{device}-{life}-{seed}"),
        format!("lane-{device}-{life}-{seed}"),
    );
    config.storage = true;
    config
}
