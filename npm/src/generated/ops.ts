// Generated from crates/client-wasm/src/ops by `cargo xtask types`. Don't edit: change the Rust table.

import type { Fault } from '../error.js'
import type { ChannelSnapshot, Connection, FailedIntent, Gap, InboxSnapshot, Json } from '../types.js'

/** A text in JSON, of this shape. */
export type JsonText<T> = string & { readonly '~json'?: T }

/** Something went wrong. */
export type RawError = { code: string, fault: Fault, retry: boolean, message: string }

/** The connection. */
export type RawConnection = { status: Connection['status'], user: string | null, error: RawError | null, attempt: number, retryAt: number | null, lost: boolean, transport: Connection['transport'], durable: boolean }

/** An item the first time it crosses, and its number from then on; flags are read 1, seen 2, archived 4, pending 8. A payload crosses once. */
export type RawItem = [number: number, flags: number] | [number: number, flags: number, id: string, type: string, at: number, body: unknown]

/** A view of the inbox; `gone`: numbers of items that are in no view any more. */
export type RawInbox = { status: InboxSnapshot['status'], items: RawItem[], unread: number, unseen: number, count: number | null, hasMore: boolean, loadingMore: boolean, error: RawError | null, gone: number[] }

/** An intent that was refused for good. */
export type RawFailedIntent = { id: number, kind: FailedIntent['kind'], channel: string, at: number, error: RawError }

/** Intents without an answer, and refused ones. */
export type RawOutbox = { pending: number, failed: RawFailedIntent[] }

/** Server time in milliseconds since 1970, once it is known. */
export type RawTime = number | null

/** A message, or its key where it is known; flags are pending 1, own 2. */
export type RawMessage = [key: number] | [key: number, flags: number, id: string, offset: number | null, at: number, from: { user: string, info: Json } | null, data: Json, failed: RawError | null]

/** A channel. */
export type RawChannel = { status: ChannelSnapshot<Json>['status'], messages: RawMessage[], gap: { from: number, to: number, why: Gap['why'] } | null, hasMore: boolean, loadingMore: boolean, error: RawError | null }

/** A message that came. */
export type RawArrival = { channel: string, message: RawMessage }

/** Records that are missing for good. */
export type RawGap = { channel: string, from: number, to: number, why: Gap['why'] }

/** Where the server keeps an intent's record. */
export type RawStored = { channel: string, epoch: string, offset: number, id: string }

/** A cache to write. `cursors`: what it is true at; `over`: epochs that may be written over. */
export type RawCache = { user: string, text: string, cursors: [epoch: string, offset: number][], over: string[] }

/** Rows to write, and without a text to drop, in one transaction. */
export type OutboxChanges = { user: string, changes: ([lane: string, seq: number, text: string] | [lane: string, seq: number])[] }

/** Rows of lanes, those of a lane together, by ascending `seq`. */
export type LaneRows = [lane: string, seq: string, text: string][]

/** An HTTP request: the path behind `/v1/`, the bearer if there is one, and the body. */
export type RawRequest = { path: string, bearer: string | null, body: string }

/** How views are filtered by state, each by its place. */
export const SHOWS = ['inbox', 'unread', 'archived', 'all'] as const

/** Ways to the server, the best first, each by its place counted from 1. */
export const TRANSPORTS = ['ws', 'sse', 'poll'] as const

/** What a mark sets. */
export type Mark = 'seen' | 'read' | 'unread' | 'archived' | 'unarchived'

// What a ticket function gave.
/** A one-time ticket. */
export const TICKET = 0
/** A JWT. */
export const TOKEN = 1
/** Nothing: no user is signed in. */
export const NOBODY = 2
/** It failed; the text says why. */
export const FAILURE = 3
export type Given = 0 | 1 | 2 | 3

/** From here on, only the deferred part of the module understands what it is told. */
export const DEFERRED = 64
/** Of what a host is asked: for the app, or for code that a page loads with the deferred part. */
export const TO_APP = 32
export const TO_WORLD = 64

// What a page tells its core.
/** `connect()`, or somebody looks. */
export const CONNECT = 0
/** Names the user; where there is no name, nobody, or whoever the ticket names. */
export const SET_USER = 1
/** Answers `FETCH_CREDENTIAL`: a ticket, a token, nothing, or a failure in words. */
export const CREDENTIAL = 2
/** Answers `LOAD_CACHE`: what was saved, empty where nothing was. */
export const CACHE_LOADED = 3
/** The socket is open. */
export const TRANSPORT_OPENED = 4
/** The socket brought a frame. */
export const TRANSPORT_RECEIVED = 5
/** The page is back: shown, focused, restored or resumed. */
export const WOKE = 6
/** Answers `LOAD_DEFERRED`. */
export const DEFERRED_LOADED = 7
/** `disconnect()`. */
export const DISCONNECT = 64
/** `retryNow()`. */
export const RETRY = 65
/** `close()`: final. */
export const CLOSE = 66
/** `signOut()`; ends with `SIGNED_OUT`. */
export const SIGN_OUT = 67
/** `outbox.discard()` of a failed intent. */
export const DISCARD_FAILED = 68
/** Storage failed, loading or saving. */
export const STORAGE_FAILED = 69
/** The socket ended by itself. */
export const TRANSPORT_CLOSED = 70
/** The browser says there is a network. */
export const ONLINE = 71
/** The browser says there is none. */
export const OFFLINE = 72
/** The page was hidden. */
export const HIDDEN = 73
/** The channel is read. */
export const SUBSCRIBE = 74
/** It is read no more. */
export const UNSUBSCRIBE = 75
/** Everything up to this `PERSIST_OUTBOX` is on disk. */
export const OUTBOX_PERSISTED = 76
/** Answers `CLAIM_LANES`, and comes unasked where the page that held a lane is dead. */
export const LANES_CLAIMED = 77
/** Intents can't be kept. */
export const LANES_FAILED = 78
/** Another page signed the user out. */
export const SIGNED_OUT_ELSEWHERE = 79
/** A request has its answer's head; `retry_after`: milliseconds until the server wants to be asked again, if it says so. */
export const RESPONSE_STARTED = 80
/** A piece of the answer. */
export const RESPONSE_CHUNK = 81
/** There is no more of the answer; `reason`: why it is not complete, empty where it is. */
export const RESPONSE_ENDED = 82
/** Marks items. On disk by this number, of pages that ended before their core was there: no other operation gets it. */
export const MARK = 96
/** Publishes a message. On disk by this number, as `MARK` is. */
export const PUBLISH = 97
/** `loadMore()` of a view of the inbox. */
export const LOAD_OLDER_ITEMS = 98
/** `loadMore()` of a channel. */
export const LOAD_OLDER_MESSAGES = 99
/** `outbox.retry()` of a failed intent. */
export const RETRY_FAILED = 100

// What a page reads.
/** The connection. */
export const READ_CONNECTION = 0
/** A view of the inbox. */
export const READ_INBOX = 1
/** The outbox. */
export const READ_OUTBOX = 64
/** The server's time. */
export const READ_TIME = 65
/** In words: why it is not connected, and what happens next. */
export const READ_EXPLANATION = 66
/** A channel; with `whole` every message in full. */
export const READ_CHANNEL = 67

// What a core asks of its host, and tells the app.
/** Call the app's ticket function for this user (empty: any); answer with `CREDENTIAL`. */
export const FETCH_CREDENTIAL = 0
/** The answer is not wanted any more. */
export const ABORT_CREDENTIAL = 1
/** Read the cache of this user; answer with `CACHE_LOADED` or `STORAGE_FAILED`. */
export const LOAD_CACHE = 2
/** Load the deferred part of the module; answer with `DEFERRED_LOADED`. */
export const LOAD_DEFERRED = 3
/** Open a socket and tell what it does: `TRANSPORT_OPENED`, `TRANSPORT_RECEIVED` and `TRANSPORT_CLOSED`, the last also where it can't even begin to open. */
export const OPEN_TRANSPORT = 4
/** Send this over the socket. One that can't tells by its end. */
export const SEND = 5
/** Close the socket with this code; what it does is not told any more. */
export const CLOSE_TRANSPORT = 6
/** Have a turn once the clock that never goes back shows so many milliseconds, or earlier; none by itself where it is 0. */
export const SET_TIMER = 7
/** Read this again; `channel` names the channel, if it is one. */
export const CHANGED = 32
/** A notification arrived. */
export const ARRIVED = 33
/** A message came. */
export const MESSAGE = 34
/** Records are missing for good. */
export const GAP = 35
/** An intent was refused for good. */
export const INTENT_FAILED = 36
/** Something went wrong that no call can answer. */
export const ERROR = 37
/** The intent was done; nothing is stored where it loaded something. */
export const INTENT_DONE = 38
/** The intent was refused. */
export const INTENT_REFUSED = 39
/** Signing out is done, and so many unsent intents were discarded. */
export const SIGNED_OUT = 40
/** Write a cache. */
export const SAVE_CACHE = 64
/** Delete all caches and all rows of the user; `all` 1: they signed out, in all pages. */
export const WIPE = 65
/** Write and drop rows; answer with `OUTBOX_PERSISTED` or `LANES_FAILED`. */
export const PERSIST_OUTBOX = 66
/** Take the lanes that dead pages of the user left; answer with `LANES_CLAIMED` or `LANES_FAILED`. */
export const CLAIM_LANES = 67
/** Hold the lane no longer. */
export const RELEASE_LANE = 68
/** Make a request; answer with `RESPONSE_STARTED`, `RESPONSE_CHUNK` for each piece, and `RESPONSE_ENDED`. */
export const REQUEST = 69
/** The answer is not wanted any more. */
export const ABORT_REQUEST = 70

/** What a page tells its core: the operation and its fields. */
export type InboundOp =
  | [op: typeof CONNECT]
  | [op: typeof SET_USER, nobody: boolean, user: string]
  | [op: typeof CREDENTIAL, attempt: number, given: Given, text: string]
  | [op: typeof CACHE_LOADED, user: string, saved: string]
  | [op: typeof TRANSPORT_OPENED, transport: number]
  | [op: typeof TRANSPORT_RECEIVED, transport: number, text: string]
  | [op: typeof WOKE]
  | [op: typeof DEFERRED_LOADED]
  | [op: typeof DISCONNECT]
  | [op: typeof RETRY]
  | [op: typeof CLOSE]
  | [op: typeof SIGN_OUT, discard: boolean]
  | [op: typeof DISCARD_FAILED, id: number]
  | [op: typeof STORAGE_FAILED, reason: string]
  | [op: typeof TRANSPORT_CLOSED, transport: number, code: number, reason: string]
  | [op: typeof ONLINE]
  | [op: typeof OFFLINE]
  | [op: typeof HIDDEN]
  | [op: typeof SUBSCRIBE, channel: string]
  | [op: typeof UNSUBSCRIBE, channel: string]
  | [op: typeof OUTBOX_PERSISTED, number: number]
  | [op: typeof LANES_CLAIMED, user: string, rows: JsonText<LaneRows>]
  | [op: typeof LANES_FAILED, reason: string]
  | [op: typeof SIGNED_OUT_ELSEWHERE, user: string]
  | [op: typeof RESPONSE_STARTED, request: number, status: number, retryAfter: `${number}` | '']
  | [op: typeof RESPONSE_CHUNK, request: number, text: string]
  | [op: typeof RESPONSE_ENDED, request: number, reason: string]
  | [op: typeof MARK, intent: number, set: Mark, targets: string]
  | [op: typeof PUBLISH, intent: number, channel: string, data: string]
  | [op: typeof LOAD_OLDER_ITEMS, intent: number, show: number, types: string]
  | [op: typeof LOAD_OLDER_MESSAGES, intent: number, channel: string]
  | [op: typeof RETRY_FAILED, intent: number, id: number]

/** Tells a core. */
export type Tell = (...op: InboundOp) => void

/** What a core asks of its host: the operation, a number and a text. */
export type OutboundOp =
  | [op: typeof FETCH_CREDENTIAL, attempt: number, user: string]
  | [op: typeof ABORT_CREDENTIAL, attempt: number, text: '']
  | [op: typeof LOAD_CACHE, number: number, user: string]
  | [op: typeof LOAD_DEFERRED, number: number, text: '']
  | [op: typeof OPEN_TRANSPORT, transport: number, text: '']
  | [op: typeof SEND, transport: number, text: string]
  | [op: typeof CLOSE_TRANSPORT, code: number, text: '']
  | [op: typeof SET_TIMER, at: number, text: '']
  | [op: typeof CHANGED, readable: number, channel: string]
  | [op: typeof ARRIVED, number: number, item: JsonText<RawItem>]
  | [op: typeof MESSAGE, number: number, arrival: JsonText<RawArrival>]
  | [op: typeof GAP, number: number, gap: JsonText<RawGap>]
  | [op: typeof INTENT_FAILED, number: number, failed: JsonText<RawFailedIntent>]
  | [op: typeof ERROR, number: number, error: JsonText<RawError>]
  | [op: typeof INTENT_DONE, intent: number, stored: JsonText<RawStored> | '']
  | [op: typeof INTENT_REFUSED, intent: number, error: JsonText<RawError>]
  | [op: typeof SIGNED_OUT, discarded: number, text: '']
  | [op: typeof SAVE_CACHE, number: number, cache: JsonText<RawCache>]
  | [op: typeof WIPE, all: number, user: string]
  | [op: typeof PERSIST_OUTBOX, number: number, changes: JsonText<OutboxChanges>]
  | [op: typeof CLAIM_LANES, number: number, user: string]
  | [op: typeof RELEASE_LANE, number: number, lane: string]
  | [op: typeof REQUEST, request: number, facts: JsonText<RawRequest>]
  | [op: typeof ABORT_REQUEST, request: number, text: '']

/** Of these, what the app hears. */
export type AppOp =
  | [op: typeof CHANGED, readable: number, channel: string]
  | [op: typeof ARRIVED, number: number, item: JsonText<RawItem>]
  | [op: typeof MESSAGE, number: number, arrival: JsonText<RawArrival>]
  | [op: typeof GAP, number: number, gap: JsonText<RawGap>]
  | [op: typeof INTENT_FAILED, number: number, failed: JsonText<RawFailedIntent>]
  | [op: typeof ERROR, number: number, error: JsonText<RawError>]
  | [op: typeof INTENT_DONE, intent: number, stored: JsonText<RawStored> | '']
  | [op: typeof INTENT_REFUSED, intent: number, error: JsonText<RawError>]
  | [op: typeof SIGNED_OUT, discarded: number, text: '']

/** Of these, what code does that a page loads with the deferred part. */
export type WorldOp =
  | [op: typeof SAVE_CACHE, number: number, cache: JsonText<RawCache>]
  | [op: typeof WIPE, all: number, user: string]
  | [op: typeof PERSIST_OUTBOX, number: number, changes: JsonText<OutboxChanges>]
  | [op: typeof CLAIM_LANES, number: number, user: string]
  | [op: typeof RELEASE_LANE, number: number, lane: string]
  | [op: typeof REQUEST, request: number, facts: JsonText<RawRequest>]
  | [op: typeof ABORT_REQUEST, request: number, text: '']

/** What a page reads: the operation and its fields. */
export type ReadOp =
  | [op: typeof READ_CONNECTION]
  | [op: typeof READ_INBOX, show: number, types: string]
  | [op: typeof READ_OUTBOX]
  | [op: typeof READ_TIME]
  | [op: typeof READ_EXPLANATION]
  | [op: typeof READ_CHANNEL, whole: boolean, channel: string]

/** The texts that answer. */
export interface Answers {
  [READ_CONNECTION]: JsonText<RawConnection>
  [READ_INBOX]: JsonText<RawInbox>
  [READ_OUTBOX]: JsonText<RawOutbox>
  [READ_TIME]: JsonText<RawTime>
  [READ_EXPLANATION]: string
  [READ_CHANNEL]: JsonText<RawChannel>
}

/** What a core is made with; crates/client-wasm/src/core.rs says what each means. */
export type CoreOptions = [whole: boolean, instance: string, clientId: string, seed: number, base: number, cap: number, maxAttempts: number, heartbeat: number, keep: number, storage: boolean, keepSignedOut: boolean, first: number | undefined, second: number | undefined, third: number | undefined]
