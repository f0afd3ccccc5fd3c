/** The numbers that cross the border to the core; crates/client-wasm/src/words.rs says what goes with each. */

// What is told, in `Core.tell`.
export const CONNECT = 0
export const DISCONNECT = 1
export const RETRY = 2
export const CLOSE = 3
export const USER = 4
export const SIGN_OUT = 5
export const MARK = 6
export const MORE = 7
export const RETRY_FAILED = 8
export const DISCARD_FAILED = 9
export const TICKETED = 10
export const LOADED = 11
export const STORAGE_FAILED = 12
export const OPENED = 13
export const RECEIVED = 14
export const CLOSED = 15
export const ONLINE = 16
export const OFFLINE = 17
export const HIDDEN = 18
export const WOKE = 19
export const REST_THERE = 20

// What a mark sets.
export const SEEN = 0
export const READ = 1
export const UNREAD = 2
export const ARCHIVED = 3
export const UNARCHIVED = 4

// What is read, in `Core.read`; the first three also change.
export const CONNECTION = 0
export const INBOX = 1
export const OUTBOX = 2
export const TIME = 3
export const WHY = 4

// What is said, in `Host.say`.
export const TICKET = 0
export const ABORT = 1
export const LOAD = 2
export const SAVE = 3
export const WIPE = 4
export const CHANGED = 5
export const ARRIVED = 6
export const GAP = 7
export const FAILED = 8
export const ERROR = 9
export const DONE = 10
export const REFUSED = 11
export const SIGNED_OUT = 12
export const REST = 13
