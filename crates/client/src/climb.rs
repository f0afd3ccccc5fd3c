//! Trying a better transport while the one in use goes on: the app sees nothing of it but another name.
//!
//! The better one is opened and greeted beside the other, with its session token and all cursors, under a name of its own,
//! so that the server does not end the one in use before the other is known to work.

use tidings_protocol::{Channels, CloseCode, client::Cursor, server};

use crate::{
    Command, TransportKind, connected::Connected, connecting::greeting, context::Context,
    heard::Heard, machine::Input, timers::Timer,
};

/// Milliseconds until it is tried again, when the page is hidden at the time.
const HIDDEN: u64 = 60_000;
/// Milliseconds over which the clients of a network that came back try a better one.
const SPREAD: u64 = 1_000;
/// Longest name of an instance.
const INSTANCE_MAX: usize = 64;

/// A transport that is being tried.
#[derive(Debug)]
pub(crate) struct Climb {
    transport: u64,
    kind: TransportKind,
    rung: u8,
    /// Where it was told to go on. The connection in use brings more meanwhile.
    named: Channels<Cursor>,
}

impl Climb {
    /// When the next one begins, if there is anything better than what is in use.
    pub(crate) fn schedule(cx: &mut Context) {
        match cx.ladder.climb_in(&cx.config, &mut cx.rng) {
            Some(wait) => cx.set(Timer::Climb, wait),
            None => cx.timers.cancel(Timer::Climb),
        }
    }

    pub(crate) fn is_of(&self, transport: u64) -> bool {
        self.transport == transport
    }

    fn begin(cx: &mut Context) -> Self {
        let (rung, kind) = cx.ladder.higher(&cx.config);
        let transport = cx.next_transport();
        cx.await_answer(Timer::Climb);
        cx.ask(Command::OpenTransport { transport, kind });
        Self { transport, kind, rung, named: Channels::default() }
    }
}

impl Connected {
    /// Time for a climb, or one took too long.
    pub(crate) fn climb_due(&mut self, cx: &mut Context) {
        if self.climb.is_some() {
            self.slip(cx);
        } else if !cx.world.visible {
            cx.set(Timer::Climb, HIDDEN);
        } else {
            self.climb = Some(Climb::begin(cx));
        }
    }

    /// Another network, and the connection holds: the new one may let more through than the old one did.
    pub(crate) fn climb_soon(&mut self, cx: &mut Context) {
        cx.ladder.stand_on(self.kind(), &cx.config);
        if self.climb.is_none() && cx.timers.at(Timer::Climb).is_some() {
            let wait = cx.rng.up_to(SPREAD);
            cx.set(Timer::Climb, wait);
        }
    }

    /// Something of the transport that is tried.
    pub(crate) fn climbing(&mut self, input: Input<'_>, cx: &mut Context) {
        match input {
            Input::Opened { transport } => {
                let mut instance = cx.config.instance.clone();
                if instance.len() < INSTANCE_MAX {
                    instance.push('~');
                }
                let mut connect = greeting(instance, cx);
                connect.session_token = cx.entry(self.transport);
                let (cursors, _) = cx.followed(true);
                connect.cursors = (!cursors.is_empty()).then(|| cursors.clone());
                if let Some(climb) = &mut self.climb {
                    climb.named = cursors;
                }
                cx.await_answer(Timer::Climb);
                cx.send(transport, &connect);
            }
            Input::Message { text, .. } => match Heard::read(text) {
                Ok(Some(Heard::Connected(greeting))) => self.climbed(&greeting, cx),
                Ok(Some(Heard::Error(_))) => self.slip(cx),
                _ => {}
            },
            // It is gone: nothing is left to close.
            _ => {
                self.climb = None;
                cx.ladder.slipped();
                Climb::schedule(cx);
            }
        }
    }

    /// The better transport works: everything goes on over it.
    fn climbed(&mut self, greeting: &server::Connected, cx: &mut Context) {
        let Some(Climb { transport, kind, rung, named }) = self.climb.take() else { return };
        cx.timers.cancel(Timer::Climb);
        cx.ladder.climbed(rung);
        self.move_to(transport, kind, greeting, &named, cx);
    }

    /// It does not.
    fn slip(&mut self, cx: &mut Context) {
        self.give_up_climb(cx);
        cx.ladder.slipped();
        Climb::schedule(cx);
    }

    /// The connection ends, and with it what was tried beside it.
    pub(crate) fn give_up_climb(&mut self, cx: &mut Context) {
        cx.timers.cancel(Timer::Climb);
        if let Some(Climb { transport, .. }) = self.climb.take() {
            cx.ask(Command::CloseTransport { transport, code: CloseCode::NORMAL.0 });
        }
    }
}
