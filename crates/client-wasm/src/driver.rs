//! The event loop: events go into a queue, and the core's commands are executed in order.

use std::{
    cell::{Cell, Ref, RefCell},
    mem::{self, ManuallyDrop},
};

use tidings_client_core::{Client, Command, Event, Filter, ItemView, Now, Readable};

use crate::{
    deferred::{self, Seen},
    host::Host,
    json::{self, Items},
    ops::{self, JsonText, OutboundOp, RawConnection, RawInbox, RawItem},
};

/// The close code "normal closure".
const NORMAL: u16 = 1000;

/// One client with everything it holds in the page.
pub(crate) struct Driver {
    host: Host,
    /// Borrowed only while the core works. The core calls no other code, so a callback always finds
    /// it free.
    client: RefCell<ManuallyDrop<Client>>,
    queue: RefCell<ManuallyDrop<Vec<Event>>>,
    /// The core's commands while they are executed.
    commands: RefCell<ManuallyDrop<Vec<Command>>>,
    running: Cell<bool>,
    /// The socket in use, by the number of its transport.
    socket: Cell<Option<u64>>,
    /// When the core wants to be woken, as `Now::mono`.
    deadline: Cell<Option<u64>>,
    items: RefCell<Items>,
    /// The messages that TypeScript has, by channel.
    pub(crate) seen: RefCell<ManuallyDrop<Vec<Seen>>>,
}

impl Driver {
    pub(crate) fn new(host: Host, client: Client) -> Self {
        Self {
            host,
            client: RefCell::new(ManuallyDrop::new(client)),
            queue: RefCell::default(),
            commands: RefCell::default(),
            running: Cell::new(false),
            socket: Cell::default(),
            deadline: Cell::default(),
            items: RefCell::default(),
            seen: RefCell::default(),
        }
    }

    /// Adds an event. It is handled at once, or after the events that are being handled.
    pub(crate) fn push(&self, event: Event) {
        self.queue.borrow_mut().push(event);
        if !self.running.get() {
            self.host.turn();
        }
    }

    /// Handles the queue until it is empty. A trap leaves `running` set, so a broken client does
    /// nothing more.
    pub(crate) fn run(&self, now: Now) {
        if self.running.replace(true) {
            return;
        }
        // Background tabs throttle timers but not sockets, so every event checks the deadline.
        if self.deadline.get().is_some_and(|deadline| deadline <= now.mono) {
            self.deadline.set(None);
            self.queue.borrow_mut().insert(0, Event::TimerFired);
        }
        while let Some(event) = first(&self.queue) {
            self.client.borrow_mut().handle(now, event, &mut self.commands.borrow_mut());
            while let Some(command) = first(&self.commands) {
                self.execute(command);
            }
        }
        // Set each time, because the host's timer may have fired early.
        self.host.say_bare(&ops::SET_TIMER, self.deadline.get().unwrap_or_default());
        self.running.set(false);
    }

    /// The socket ended by itself.
    pub(crate) fn let_go(&self) {
        self.socket.set(None);
    }

    /// The client, for reading.
    pub(crate) fn client(&self) -> Ref<'_, ManuallyDrop<Client>> {
        self.client.borrow()
    }

    /// The connection.
    pub(crate) fn connection(&self) -> JsonText<RawConnection> {
        let client = self.client.borrow();
        match client.deferred() {
            Some(deferred) => deferred::connection(deferred, &client),
            None => json::connection(client.connection(), None),
        }
    }

    /// A view of the inbox.
    pub(crate) fn inbox(&self, filter: &Filter) -> JsonText<RawInbox> {
        let client = self.client.borrow();
        let mut items = self.items.borrow_mut();
        match client.deferred() {
            Some(deferred) => deferred::inbox(deferred, &client, &mut items, filter),
            // Before the deferred part is loaded, no item leaves the inbox and no older ones load.
            None => items.view(&client, filter, &[], false, None),
        }
    }

    /// Releases the page's resources. Events still in the queue are handled first.
    pub(crate) fn close(&self) {
        self.deadline.set(None);
        self.shut(NORMAL);
    }

    /// The transport whose socket is in use. Events of a released socket are ignored.
    pub(crate) fn transport(&self) -> Option<u64> {
        self.socket.get()
    }

    fn execute(&self, command: Command) {
        let op = match command {
            Command::OpenTransport { transport, .. } => {
                self.socket.set(Some(transport));
                ops::OPEN_TRANSPORT.with(transport, ())
            }
            Command::Send { transport, text } => {
                if self.transport() != Some(transport) {
                    return mem::forget(text);
                }
                ops::SEND.with(transport, text)
            }
            Command::SetTimer { at } => return self.deadline.set(at),
            Command::FetchCredential { attempt, user } => {
                ops::FETCH_CREDENTIAL.with(attempt, user.unwrap_or_default())
            }
            Command::Load { user } => ops::LOAD_CACHE.with(0, user),
            Command::LoadDeferred => ops::LOAD_DEFERRED.with(0, ()),
            Command::Changed(Readable::Connection) => {
                ops::CHANGED.with(ops::READ_CONNECTION.into(), String::new())
            }
            Command::Changed(Readable::Inbox) => {
                ops::CHANGED.with(ops::READ_INBOX.into(), String::new())
            }
            command => {
                let deferred = self.client.borrow().deferred();
                return match deferred {
                    Some(deferred) => deferred::execute(deferred, self, command),
                    // No caller asks for these before the deferred part is loaded.
                    None => mem::forget(command),
                };
            }
        };
        self.say(&op);
    }

    /// Gives the host a command or an event.
    pub(crate) fn say(&self, op: &OutboundOp) {
        self.host.say(op);
    }

    /// Closes a socket, if it is the one in use.
    pub(crate) fn close_socket(&self, transport: u64, code: u16) {
        if self.transport() == Some(transport) {
            self.shut(code);
        }
    }

    fn shut(&self, code: u16) {
        if self.socket.take().is_some() {
            self.host.say_bare(&ops::CLOSE_TRANSPORT, code.into());
        }
    }

    /// One item.
    pub(crate) fn entry(&self, item: &ItemView) -> JsonText<RawItem> {
        self.items.borrow_mut().single(item)
    }
}

impl Drop for Driver {
    /// Only the deferred part can free a client. Without it, the client's memory is left to the
    /// page: such a client was short-lived.
    fn drop(&mut self) {
        let client = self.client.get_mut();
        if let Some(deferred) = client.deferred() {
            deferred::discard(deferred, client, self.seen.get_mut(), self.queue.get_mut());
        }
    }
}

/// Takes the first entry of a list. The borrow ends at once, so the receiver may add to the list.
fn first<T>(list: &RefCell<ManuallyDrop<Vec<T>>>) -> Option<T> {
    let mut list = list.borrow_mut();
    (!list.is_empty()).then(|| list.remove(0))
}
