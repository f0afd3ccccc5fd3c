//! Errors and close codes, and what each asks of a client. One table for Rust and TypeScript.

/// What a client does after an error or a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Back off, then connect or send again.
    Backoff,
    /// Don't.
    Never,
    /// Get a new ticket, then connect again.
    Ticket,
}

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The app's: its code or its backend must change something.
    App,
    /// The browser's: a missing or failing feature.
    Browser,
    /// The network's.
    Network,
    /// The server's.
    Server,
}
