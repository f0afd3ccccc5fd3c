//! The client's user: changing users and signing out.

use tidings_protocol::{Channel, ErrorCode};

use crate::{Command, Error, User, context::Context, outbox::Intents, timers::Timer};

/// Most users whose unsent intents are kept in memory for their return.
const AWAY_MAX: usize = 8;
/// Milliseconds that signing out waits for unsent intents.
const FAREWELL: u64 = 5_000;

/// The current user, and the intents of users who are away.
#[derive(Debug, Default)]
pub(crate) struct Account {
    named: User,
    /// The user that the server named.
    confirmed: Option<String>,
    /// Intents of users who are away, the longest absence first.
    away: Vec<(String, Intents)>,
    /// Whether signing out waits for unsent intents.
    leaving: bool,
}

impl Account {
    /// The user, if known.
    pub(crate) fn user(&self) -> Option<&str> {
        match &self.named {
            User::Named(user) => Some(user),
            User::Nobody => None,
            User::Unknown => self.confirmed.as_deref(),
        }
    }

    pub(crate) fn is_nobody(&self) -> bool {
        matches!(self.named, User::Nobody)
    }

    /// Whether neither the app nor the server has named the user yet.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self.named, User::Unknown) && self.confirmed.is_none()
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Takes the intents that the current user left earlier.
    fn take_away(&mut self) -> Option<Intents> {
        let user = self.user()?;
        let index = self.away.iter().position(|(away, _)| away == user)?;
        Some(self.away.remove(index).1)
    }
}

impl Context {
    /// Takes the user that the server named. `false`: it is not the user that the app named.
    pub(crate) fn confirm(&mut self, user: &str) -> bool {
        if let User::Named(named) = &self.account.named {
            return named == user;
        }
        if self.account.confirmed.as_deref() == Some(user) {
            return true;
        }
        if self.account.confirmed.is_some() {
            self.put_away();
        }
        self.meet(user);
        self.bring_back();
        self.claim();
        true
    }

    /// Takes the user that the server names first, on the startup path. `false`: another user was
    /// known, which the startup path can't handle.
    pub(crate) fn meets(&mut self, user: &str) -> bool {
        if self.account.is_unknown() {
            self.meet(user);
        }
        self.account.user() == Some(user)
    }

    fn meet(&mut self, user: &str) {
        self.account.confirmed = Some(String::from(user));
        // The cache comes too late to be shown, but its epochs tell which ones a save may replace.
        self.load(false);
    }

    /// The app names the user for the first time.
    pub(crate) fn name(&mut self, user: String) {
        self.account.named = User::Named(user);
        self.load(true);
    }

    /// Replaces everything with another user's data. `false`: it is the same user.
    pub(crate) fn change_user(&mut self, to: User) -> bool {
        let same = match &to {
            User::Named(user) => self.account.user() == Some(user),
            User::Nobody | User::Unknown => self.account.named == to,
        };
        if same {
            self.account.named = to;
            return false;
        }
        // Intents that were made before the user was named belong to the first user that is named.
        let first = self.account.is_unknown() && matches!(to, User::Named(_));
        let early = first.then(|| self.take_outbox()).filter(|early| !early.is_empty());
        self.put_away();
        self.account.named = to;
        if let Some(early) = early {
            self.outbox = early;
        } else {
            self.bring_back();
        }
        self.load(true);
        self.claim();
        self.ask_refused_again();
        true
    }

    /// Removes all data and requests of the current user; unsent intents wait for the user's
    /// return.
    fn put_away(&mut self) {
        self.save();
        self.persist();
        let error = Error::new(ErrorCode::SignedOut, "");
        self.end_loads(&error);
        self.clear_channels(&error);
        self.reset_persistence();
        let mut intents = self.take_outbox();
        if let Some(user) = self.account.user()
            && !intents.is_empty()
        {
            intents.forget_asking();
            self.account.away.push((String::from(user), intents));
        } else {
            self.refuse_all(&intents, ErrorCode::SignedOut);
            self.release(&mut intents);
        }
        if self.account.away.len() > AWAY_MAX {
            // Intents in storage stay there.
            let (_, mut forgotten) = self.account.away.remove(0);
            self.refuse_all(&forgotten, ErrorCode::SignedOut);
            self.release(&mut forgotten);
        }
        self.inbox.clear();
        self.store.reset();
        self.account.confirmed = None;
        self.trouble = None;
        for timer in [Timer::Load, Timer::More, Timer::Save] {
            self.timers.cancel(timer);
        }
    }

    /// Empties the outbox. New intents get a lane of their own.
    fn take_outbox(&mut self) -> Intents {
        let lane =
            if self.outbox.is_unused() { self.outbox.lane().to_owned() } else { self.next_lane() };
        core::mem::replace(&mut self.outbox, Intents::new(lane))
    }

    fn bring_back(&mut self) {
        if let Some(mut intents) = self.account.take_away() {
            intents.recall();
            self.outbox = intents;
        }
    }

    /// Starts to sign out: waits a while for unsent intents.
    pub(crate) fn begin_sign_out(&mut self) {
        if !self.account.leaving {
            self.account.leaving = true;
            self.set(Timer::SignOut, self.round_trip.patience(FAREWELL));
        }
    }

    /// Forgets the current user, here, in storage, and in other clients of that storage.
    pub(crate) fn sign_out(&mut self) {
        let user = self.account.user().map(String::from);
        self.leave_signed_out();
        if let Some(user) = user {
            self.ask(Command::Wipe { user, all: true });
        }
    }

    /// Forgets the current user in this client.
    pub(crate) fn leave_signed_out(&mut self) {
        self.account.leaving = false;
        self.timers.cancel(Timer::SignOut);
        let discarded = self.forget();
        self.account.named = User::Nobody;
        self.emit(Command::SignedOut { discarded });
    }

    /// The ticket function said that no user is signed in: the session ended or was revoked. All
    /// data of the user is deleted, here and in storage, unless
    /// [`Config::keep_signed_out`](crate::Config::keep_signed_out) is set. Other clients of that
    /// storage ask for tickets themselves.
    pub(crate) fn signed_out_elsewhere(&mut self) {
        if self.config.keep_signed_out || self.account.leaving {
            return;
        }
        let user = self.account.user().map(String::from);
        let discarded = self.forget();
        if let Some(user) = user {
            self.ask(Command::Wipe { user, all: false });
        }
        if discarded > 0 {
            let detail = "the ticket function named no user: unsent changes were discarded";
            self.report(Error::new(ErrorCode::SignedOut, detail));
        }
    }

    /// Removes all data of the current user from memory; returns the number of intents without an
    /// answer.
    fn forget(&mut self) -> u32 {
        let mut intents = self.take_outbox();
        let discarded = u32::try_from(intents.unanswered()).unwrap_or(u32::MAX);
        self.refuse_all(&intents, ErrorCode::SignedOut);
        self.release(&mut intents);
        if self.account.user().is_some() {
            self.store.reset();
            if let Some(mut away) = self.account.take_away() {
                self.release(&mut away);
            }
            self.put_away();
        }
        discarded
    }

    /// Whether no user is signed in, or the user is signing out.
    pub(crate) fn is_signed_out(&self) -> bool {
        self.account.is_nobody() || self.account.leaving
    }

    /// The current user's inbox; while the user is unknown, a placeholder.
    pub(crate) fn inbox_channel(&self) -> Channel {
        let inbox = self.account.user().and_then(|user| Channel::inbox(user).ok());
        inbox.unwrap_or_else(Channel::system)
    }

    /// The client ends: every waiting call gets an error.
    pub(crate) fn close_calls(&mut self) {
        self.save();
        let error = Error::new(ErrorCode::ClosedByApp, "");
        self.end_loads(&error);
        self.end_all_older(&error);
        self.persist();
        let intents = self.take_outbox();
        self.refuse_all(&intents, ErrorCode::ClosedByApp);
        while let Some((_, intents)) = self.account.away.pop() {
            self.refuse_all(&intents, ErrorCode::ClosedByApp);
        }
    }

    /// Ends every `loadMore` with an error.
    pub(crate) fn end_loads(&mut self, error: &Error) {
        self.timers.cancel(Timer::More);
        if !self.inbox.pager.is_idle() {
            for call in self.inbox.pager.fail(error) {
                self.refuse_with(call, error.clone());
            }
        }
    }

    fn refuse_all(&mut self, intents: &Intents, code: ErrorCode) {
        for number in intents.numbers() {
            self.refuse(number, code, "");
        }
    }
}
