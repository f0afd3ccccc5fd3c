/** The numbers that cross the border to the core; crates/client-wasm/src/words.rs says what goes with each. */

/** Tells a core something; what is left out does not matter to it. */
export type Tell = (what: number, text?: string, number?: number, other?: number) => void

// What is told, in `Core.tell`; up to REST_THERE by what the first part of the core understands.
export const CONNECT = 0
export const USER = 1
export const TICKETED = 2
export const LOADED = 3
export const OPENED = 4
export const RECEIVED = 5
export const WOKE = 6
export const REST_THERE = 7
export const DISCONNECT = 8
export const RETRY = 9
export const CLOSE = 10
export const SIGN_OUT = 11
export const MARK = 12
export const MORE = 13
export const RETRY_FAILED = 14
export const DISCARD_FAILED = 15
export const STORAGE_FAILED = 16
export const CLOSED = 17
export const ONLINE = 18
export const OFFLINE = 19
export const HIDDEN = 20
export const FOLLOW = 21
export const UNFOLLOW = 22
export const PUBLISH = 23
export const OLDER = 24
export const KEPT = 25
export const LANES = 26
export const LANES_FAILED = 27
export const ANSWERED = 28
export const PIECE = 29
export const ENDED = 30
export const SIGNED_OUT_ELSEWHERE = 31

// What a mark sets.
export const SEEN = 0
export const READ = 1
export const UNREAD = 2
export const ARCHIVED = 3
export const UNARCHIVED = 4

// What is read, in `Core.read`; the first three and channels also change.
export const CONNECTION = 0
export const INBOX = 1
export const OUTBOX = 2
export const TIME = 3
export const WHY = 4
export const CHANNEL = 5

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
export const MESSAGE = 14
export const KEEP = 15
export const CLAIM = 16
export const RELEASE = 17
export const REQUEST = 18
export const ABORT_REQUEST = 19
export const OPEN = 20
export const SEND = 21
export const SHUT = 22
export const TIMER = 23
