//! One WebSocket, from the wish to open it to its end. What it does is told by the host, which listens to it.

use web_sys::WebSocket;

/// "Normal closure".
const NORMAL: u16 = 1000;

/// A WebSocket that stays open no longer than it is held.
pub(crate) struct Socket {
    id: u64,
    raw: WebSocket,
}

impl Socket {
    /// Starts to open it; nothing where the address is malformed or a policy forbids it.
    pub(crate) fn open(id: u64, url: &str) -> Option<Self> {
        Some(Self { id, raw: WebSocket::new(url).ok()? })
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn raw(&self) -> &WebSocket {
        &self.raw
    }

    /// Sends a message. A socket that can't will tell by its end.
    pub(crate) fn send(&self, text: &str) {
        drop(self.raw.send_with_str(text));
    }

    /// Closes it with a code of the app's range.
    pub(crate) fn close(self, code: u16) {
        drop(self.raw.close_with_code(code));
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Does nothing to one that is closing already.
        drop(self.raw.close_with_code(NORMAL));
    }
}
