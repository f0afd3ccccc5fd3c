//! Texts in JSON that cross, each of a declared shape.

use std::marker::PhantomData;

/// A text in JSON of the shape `T`.
#[derive(Debug)]
pub struct JsonText<T> {
    text: String,
    shape: PhantomData<T>,
}

impl<T> JsonText<T> {
    pub(crate) fn new(text: String) -> Self {
        Self { text, shape: PhantomData }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

/// A text that crosses, with its type on either side.
pub trait Crossing {
    /// The type in TypeScript.
    fn typescript() -> String;

    /// The text itself.
    fn into_text(self) -> String;
}

/// No text.
impl Crossing for () {
    fn typescript() -> String {
        String::from("''")
    }

    fn into_text(self) -> String {
        String::new()
    }
}

impl Crossing for String {
    fn typescript() -> String {
        Self::from("string")
    }

    fn into_text(self) -> String {
        self
    }
}

/// A shape of JSON.
pub trait Shape {
    /// Its name.
    const NAME: &'static str;
}

impl<T: Shape> Crossing for JsonText<T> {
    fn typescript() -> String {
        ["JsonText<", T::NAME, ">"].concat()
    }

    fn into_text(self) -> String {
        self.text
    }
}

/// Nothing, or a text.
impl<T: Shape> Crossing for Option<JsonText<T>> {
    fn typescript() -> String {
        ["JsonText<", T::NAME, "> | ''"].concat()
    }

    fn into_text(self) -> String {
        self.map_or_else(String::new, Crossing::into_text)
    }
}

/// A declaration in TypeScript.
#[derive(Clone, Copy, Debug)]
pub struct Declaration {
    /// Its name.
    pub name: &'static str,
    /// Its documentation, a line each.
    pub docs: &'static [&'static str],
    /// What stands behind the `=`.
    pub body: &'static str,
}

macro_rules! shapes {
    ($($(#[doc = $docs:literal])* $name:ident = $body:literal;)*) => {
        $(
            $(#[doc = $docs])*
            #[derive(Debug)]
            pub enum $name {}

            impl Shape for $name {
                const NAME: &'static str = stringify!($name);
            }
        )*

        /// All shapes.
        pub const SHAPES: &[Declaration] = &[$(Declaration {
            name: stringify!($name),
            docs: &[$($docs),*],
            body: $body,
        }),*];
    };
}

shapes! {
    /// Something went wrong.
    RawError = "{ code: string, fault: Fault, retry: boolean, message: string }";
    /// The connection.
    RawConnection = "\
        { status: Connection['status'], user: string | null, error: RawError | null, \
        attempt: number, retryAt: number | null, lost: boolean, transport: \
        Connection['transport'], durable: boolean }";
    /// An item the first time it crosses, and its number from then on; flags are read 1, seen 2,
    /// archived 4, pending 8. A payload crosses once.
    RawItem = "\
        [number: number, flags: number] | [number: number, flags: number, id: string, type: \
        string, at: number, body: unknown]";
    /// A view of the inbox; `gone`: numbers of items that are in no view any more.
    RawInbox = "\
        { status: InboxSnapshot['status'], items: RawItem[], unread: number, unseen: number, \
        count: number | null, hasMore: boolean, loadingMore: boolean, error: RawError | \
        null, gone: number[] }";
    /// An intent that was refused for good.
    RawFailedIntent = "\
        { id: number, kind: FailedIntent['kind'], channel: string, at: number, error: \
        RawError }";
    /// Intents without an answer, and refused ones.
    RawOutbox = "{ pending: number, failed: RawFailedIntent[] }";
    /// Server time in milliseconds since 1970, once it is known.
    RawTime = "number | null";
    /// A message, or its key where it is known; flags are pending 1, own 2.
    RawMessage = "\
        [key: number] | [key: number, flags: number, id: string, offset: number | null, at: \
        number, from: { user: string, info: Json } | null, data: Json, failed: RawError | \
        null]";
    /// A channel.
    RawChannel = "\
        { status: ChannelSnapshot<Json>['status'], messages: RawMessage[], gap: { from: \
        number, to: number, why: Gap['why'] } | null, hasMore: boolean, loadingMore: \
        boolean, error: RawError | null }";
    /// A message that came.
    RawArrival = "{ channel: string, message: RawMessage }";
    /// Records that are missing for good.
    RawGap = "{ channel: string, from: number, to: number, why: Gap['why'] }";
    /// Where the server keeps an intent's record.
    RawStored = "{ channel: string, epoch: string, offset: number, id: string }";
    /// A cache to write. `cursors`: what it is true at; `over`: epochs that may be written over.
    RawCache = "\
        { user: string, text: string, cursors: [epoch: string, offset: number][], over: \
        string[] }";
    /// Rows to write, and without a text to drop, in one transaction.
    OutboxChanges = "\
        { user: string, changes: ([lane: string, seq: number, text: string] | [lane: string, \
        seq: number])[] }";
    /// Rows of lanes, those of a lane together, by ascending `seq`.
    LaneRows = "[lane: string, seq: string, text: string][]";
    /// An HTTP request: the path behind `/v1/`, the bearer if there is one, and the body.
    RawRequest = "{ path: string, bearer: string | null, body: string }";
}
