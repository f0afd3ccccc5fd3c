//! Upgrades to a better transport while the current one goes on: the app notices only another
//! transport name.
//!
//! The client opens the better transport beside the current one and sends `connect` on it, with the
//! current session token and all cursors. The connection has an instance name of its own, so that
//! the server does not end the current connection before the new one is known to work.

use tidings_protocol::{Channels, client::Cursor, server};

use crate::{
    TransportKind, connected::Connected, connecting::greeting, context::Context,
    inbound::InboundMessage, machine::Input, timers::Timer,
};

/// Milliseconds until the next try, if the page is hidden.
const HIDDEN: u64 = 60_000;
/// Milliseconds over which clients spread their tries after a network comes back.
const SPREAD: u64 = 1_000;
/// Longest name of an instance.
const INSTANCE_MAX: usize = 64;

/// A transport that is being tried.
#[derive(Debug)]
pub(crate) struct Upgrade {
    transport: u64,
    kind: TransportKind,
    level: u8,
    /// The cursors in its `connect`. The current connection brings more records meanwhile.
    named: Channels<Cursor>,
}

impl Upgrade {
    /// Schedules the next try, if there is a better transport than the current one.
    pub(crate) fn schedule(cx: &mut Context) {
        match cx.fallback.upgrade_in(&cx.config, &mut cx.rng) {
            Some(wait) => cx.set(Timer::Upgrade, wait),
            None => cx.timers.cancel(Timer::Upgrade),
        }
    }

    pub(crate) fn is_of(&self, transport: u64) -> bool {
        self.transport == transport
    }

    fn begin(cx: &mut Context) -> Self {
        let (level, kind) = cx.fallback.higher(&cx.config);
        cx.await_answer(Timer::Upgrade);
        let transport = cx.open_transport(kind);
        Self { transport, kind, level, named: Channels::default() }
    }
}

impl Connected {
    /// It is time to try an upgrade, or the current try took too long.
    pub(crate) fn upgrade_due(&mut self, cx: &mut Context) {
        if self.upgrade.is_some() {
            self.upgrade_failed(cx);
        } else if !cx.world.visible {
            cx.set(Timer::Upgrade, HIDDEN);
        } else {
            self.upgrade = Some(Upgrade::begin(cx));
        }
    }

    /// The network changed and the connection still works: the new network may let more transports
    /// through.
    pub(crate) fn upgrade_soon(&mut self, cx: &mut Context) {
        cx.fallback.set_to(self.kind(), &cx.config);
        if self.upgrade.is_none() && cx.timers.at(Timer::Upgrade).is_some() {
            let wait = cx.rng.up_to(SPREAD);
            cx.set(Timer::Upgrade, wait);
        }
    }

    /// An event of the transport that is being tried.
    pub(crate) fn upgrading(&mut self, input: Input<'_>, cx: &mut Context) {
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
                if let Some(upgrade) = &mut self.upgrade {
                    upgrade.named = cursors;
                }
                cx.await_answer(Timer::Upgrade);
                cx.send(transport, &connect);
            }
            Input::Message { text, .. } => match InboundMessage::read(text) {
                Ok(Some(InboundMessage::Connected(greeting))) => self.upgraded(&greeting, cx),
                Ok(Some(InboundMessage::Error(_))) => self.upgrade_failed(cx),
                _ => {}
            },
            // The transport is already closed.
            _ => {
                self.upgrade = None;
                cx.fallback.upgrade_failed();
                Upgrade::schedule(cx);
            }
        }
    }

    /// The better transport works: the client moves to it.
    fn upgraded(&mut self, greeting: &server::Connected, cx: &mut Context) {
        let Some(Upgrade { transport, kind, level, named }) = self.upgrade.take() else { return };
        cx.timers.cancel(Timer::Upgrade);
        cx.fallback.upgraded(level);
        self.move_to(transport, kind, greeting, &named, cx);
    }

    /// The better transport does not work.
    fn upgrade_failed(&mut self, cx: &mut Context) {
        self.give_up_upgrade(cx);
        cx.fallback.upgrade_failed();
        Upgrade::schedule(cx);
    }

    /// The connection ends, and so does the upgrade beside it.
    pub(crate) fn give_up_upgrade(&mut self, cx: &mut Context) {
        cx.timers.cancel(Timer::Upgrade);
        if let Some(Upgrade { transport, .. }) = self.upgrade.take() {
            cx.close_transport(transport);
        }
    }
}
