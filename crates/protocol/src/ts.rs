//! TypeScript declarations, for `examples/types.rs`. Each message is named by its `type`, as a
//! member of `ClientMessages` or `ServerMessages`: both directions have a `signal`, and the DOM has
//! a `Notification`.

use ts_rs::{Config, TS};

use crate::{
    Channel, ClientMessage, Counts, Epoch, Item, Json, MarkSet, Offsets, Proof, Retry,
    ServerMessage, SystemCounts, Tally, UpTo,
    client::{ClientInfo, Cursor, Epochs, Since},
    server::{GapReason, Member, Posted, SessionLimits},
};

/// One declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// The type's name, or a message's `type`.
    pub name: String,
    /// Its documentation, as a JSDoc comment.
    pub docs: String,
    /// The text after the `=`.
    pub body: String,
}

impl Declaration {
    /// The declaration of a type.
    pub fn of<T: TS>(config: &Config) -> Self {
        let docs = T::docs().unwrap_or_default();
        Self { name: T::name(config), docs, body: T::inline(config) }
    }

    /// The declaration of a message, with its `type` in front.
    pub(crate) fn of_message<T: TS>(config: &Config, tag: &str) -> Self {
        let fields = T::inline(config);
        let fields = fields.strip_prefix('{').unwrap_or(&fields);
        let docs = T::docs().unwrap_or_default();
        Self { name: tag.to_owned(), docs, body: format!("{{ type: \"{tag}\",{fields}") }
    }
}

/// 64-bit integers are plain numbers: none on the wire is above 2^53 − 1.
pub fn config() -> Config {
    Config::default().with_large_int("number")
}

/// Types that the messages use.
pub fn parts() -> Vec<Declaration> {
    let config = &config();
    vec![
        Declaration::of::<Json>(config),
        Declaration::of::<Channel>(config),
        Declaration::of::<Epoch>(config),
        Declaration::of::<Proof>(config),
        Declaration::of::<Retry>(config),
        Declaration::of::<GapReason>(config),
        Declaration::of::<Cursor>(config),
        Declaration::of::<Since>(config),
        Declaration::of::<ClientInfo>(config),
        Declaration::of::<Epochs>(config),
        Declaration::of::<Tally>(config),
        Declaration::of::<SystemCounts>(config),
        Declaration::of::<Counts>(config),
        Declaration::of::<Item>(config),
        Declaration::of::<MarkSet>(config),
        Declaration::of::<Offsets>(config),
        Declaration::of::<UpTo>(config),
        Declaration::of::<SessionLimits>(config),
        Declaration::of::<Member>(config),
        Declaration::of::<Posted>(config),
    ]
}

/// Messages from client to server.
pub fn client_messages() -> Vec<Declaration> {
    ClientMessage::declarations(&config())
}

/// Messages from server to client.
pub fn server_messages() -> Vec<Declaration> {
    ServerMessage::declarations(&config())
}

macro_rules! declared {
    ($($type:ident = $body:literal, $docs:literal;)*) => {
        $(
            impl TS for $type {
                type WithoutGenerics = Self;
                type OptionInnerType = Self;

                fn docs() -> Option<String> {
                    Some(format!("/** {} */\n", $docs))
                }

                fn name(_: &Config) -> String {
                    stringify!($type).to_owned()
                }

                fn inline(_: &Config) -> String {
                    $body.to_owned()
                }
            }
        )*
    };
}

declared! {
    Channel = "`${string}:${string}`", "`namespace:name`.";
    Epoch = "string", "Identity of a channel's log, compared for equality only.";
    GapReason = "\"epoch\" | \"retention\"", "Why a range is missing.";
    Json = "unknown", "Any JSON value; the app decides its form.";
    Proof = "string", "A server's proof of the first offset that a user may read in a channel; opaque.";
    Posted = "ServerMessages[\"message\"] | ServerMessages[\"notification\"]", "A record in a page. Newer servers may list other types: ignore unknown ones.";
    Retry = "\"backoff\" | \"never\" | \"ticket\"", "How a client reacts to an error or a close.";
    Since = "Cursor | \"first\" | \"now\"", "Where a subscription starts.";
}
