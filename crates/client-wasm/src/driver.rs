//! The event loop: what happens goes into a queue, what the core wants done is done in order.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use tidings_client_core::{Client, Command, Event, Filter, Now, Readable, Show};
use wasm_bindgen::prelude::*;
use web_sys::{AbortSignal, Document, EventTarget};

use crate::{
    host::Host,
    json::{self, Items},
    lifecycle::Lifecycle,
    socket::Socket,
    timer::Timer,
};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
}

/// Both clocks.
pub(crate) fn now() -> Now {
    Now { mono: performance_now() as u64, wall: js_sys::Date::now() as u64 }
}

/// One client with everything it holds in the page.
pub(crate) struct Driver {
    host: Host,
    /// Borrowed only while the core works, and the core calls nobody: callbacks always find it free.
    client: RefCell<Client>,
    /// The oldest first. A plain list: it is short, and a ring costs more code than it saves moves.
    queue: RefCell<Vec<Event>>,
    running: Cell<bool>,
    socket: RefCell<Option<Socket>>,
    timer: Timer,
    items: RefCell<Items>,
    lifecycle: RefCell<Option<Lifecycle>>,
}

impl Driver {
    pub(crate) fn new(host: Host, client: Client) -> Rc<Self> {
        Rc::new(Self {
            host,
            client: RefCell::new(client),
            queue: RefCell::default(),
            running: Cell::new(false),
            socket: RefCell::default(),
            timer: Timer::default(),
            items: RefCell::default(),
            lifecycle: RefCell::default(),
        })
    }

    /// Listens to the page, as far as there is one.
    pub(crate) fn listen(
        self: &Rc<Self>,
        page: Option<EventTarget>,
        document: Option<Document>,
        signal: &AbortSignal,
    ) {
        *self.lifecycle.borrow_mut() = Some(Lifecycle::new(self, page, document, signal));
    }

    /// Something happened. Handled at once, or after what is being handled.
    pub(crate) fn push(&self, event: Event) {
        self.queue.borrow_mut().push(event);
        self.turn();
    }

    /// Has the queue (and a due timer) handled, unless that is under way.
    pub(crate) fn turn(&self) {
        if !self.running.get() {
            self.host.turn();
        }
    }

    /// The browser's timer went off, perhaps too early: `run` looks at the clock.
    pub(crate) fn woken(&self) {
        self.timer.went_off();
        self.turn();
    }

    /// Handles the queue until it is empty. A trap leaves `running` set, so a broken client stays silent.
    pub(crate) fn run(self: &Rc<Self>) {
        if self.running.replace(true) {
            return;
        }
        // Background tabs throttle timers, but not sockets: whatever wakes the page looks at the clock.
        if self.timer.take_due(now().mono) {
            self.queue.borrow_mut().insert(0, Event::TimerFired);
        }
        let mut commands = Vec::new();
        loop {
            // A statement of its own: in a `while let` the queue would stay borrowed while commands are executed.
            let next = self.next();
            let Some(event) = next else { break };
            self.client.borrow_mut().handle(now(), event, &mut commands);
            for command in std::mem::take(&mut commands) {
                self.execute(command);
            }
        }
        self.timer.arm(now().mono, self);
        self.running.set(false);
    }

    fn next(&self) -> Option<Event> {
        let mut queue = self.queue.borrow_mut();
        if queue.is_empty() { None } else { Some(queue.remove(0)) }
    }

    /// Reads from the client.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Client) -> T) -> T {
        read(&self.client.borrow())
    }

    /// A view of the inbox, as JSON.
    pub(crate) fn inbox(&self, filter: &Filter) -> String {
        let mut client = self.client.borrow_mut();
        let view = client.inbox(filter);
        let mut items = self.items.borrow_mut();
        let gone = if items.len() > view.items.len() {
            let all = client.inbox(&Filter { show: Show::All, kinds: Vec::new() });
            items.forget_all_but(&all.items)
        } else {
            Vec::new()
        };
        items.view(&view, &gone)
    }

    /// The socket ended by itself.
    pub(crate) fn socket_ended(&self, id: u64, code: u16, reason: String) {
        let current = self.socket.borrow().as_ref().is_some_and(|socket| socket.id() == id);
        if current {
            self.socket.take();
            self.push(Event::TransportClosed { transport: id, code, reason });
        }
    }

    /// Lets go of the page. Events still in the queue are handled first.
    pub(crate) fn close(&self) {
        self.lifecycle.take();
        self.timer.set(None);
        self.socket.take();
    }

    fn execute(self: &Rc<Self>, command: Command) {
        match command {
            Command::OpenTransport { transport, .. } => self.open(transport),
            Command::Send { transport, text } => {
                if let Some(socket) = &*self.socket.borrow()
                    && socket.id() == transport
                {
                    socket.send(&text);
                }
            }
            Command::CloseTransport { transport, code } => {
                let socket = self.socket.take();
                match socket {
                    Some(socket) if socket.id() == transport => socket.close(code),
                    other => *self.socket.borrow_mut() = other,
                }
            }
            Command::FetchCredential { attempt, user } => self.host.ticket(attempt as f64, user),
            Command::AbortCredential { attempt } => self.host.abort(attempt as f64),
            Command::SetTimer { at } => self.timer.set(at),
            Command::Load { user } => self.host.load(&user),
            Command::Save { user, cursors, over, text } => {
                self.host.save(&user, &json::fence(&cursors, &over), &text);
            }
            Command::Wipe { user } => self.host.wipe(&user),
            Command::Changed(readable) => self.host.changed(match readable {
                Readable::Connection => 0,
                Readable::Inbox => 1,
                Readable::Outbox => 2,
            }),
            Command::Arrived(item) => {
                let text = self.items.borrow_mut().single(&item);
                self.host.tell(0, &text);
            }
            Command::Gap { channel, from, to, why } => {
                self.host.tell(1, &json::gap(&channel, from, to, why))
            }
            Command::Failed(intent) => self.host.tell(2, &json::failed(&intent)),
            Command::Report(error) => self.host.tell(3, &json::error(&error)),
            Command::Settled { intent, result } => {
                let (stored, error) = match &result {
                    Ok(stored) => (stored.as_ref().map(json::stored), None),
                    Err(error) => (None, Some(json::error(error))),
                };
                self.host.settled(intent as f64, stored, error);
            }
            Command::SignedOut { discarded } => self.host.signed_out(discarded),
        }
    }

    fn open(self: &Rc<Self>, transport: u64) {
        let opened = match self.host.url() {
            Some(url) => Socket::open(self, transport, &url),
            None => Err(String::from("the app's `url` gave no address")),
        };
        match opened {
            Ok(socket) => {
                self.host.opened(socket.raw());
                // The core closes a transport before it opens the next; an older one would end here.
                *self.socket.borrow_mut() = Some(socket);
            }
            Err(reason) => self.push(Event::TransportClosed { transport, code: 1006, reason }),
        }
    }
}
