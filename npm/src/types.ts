/**
 * The public types of the package.
 *
 * Times and durations are in milliseconds, times since 1970. Snapshots are frozen and keep their
 * identity as long as their content stays the same, so `===` tells whether something changed.
 */

import type { TidingsError } from './error.js'

/**
 * Filled by the app to type its payloads:
 *
 * ```ts
 * import 'tidings' // without this line the file replaces the package's types
 * declare module 'tidings' {
 *   interface Register {
 *     notifications: { payment: { orderId: string } }
 *     user: { name: string }
 *   }
 * }
 * ```
 */
// oxlint-disable-next-line no-empty-interface -- it exists to be merged with
export interface Register {}

/** Any value that JSON can carry. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json }

/**
 * The type that is read where a `T` was written. Types that JSON changes, such as a `Date`, become
 * `never`: write the form that is sent, such as a string. This is a mapped type, because interfaces
 * have no index signature and so do not match `Json`.
 */
export type JsonOf<T> = unknown extends T
  ? T
  : T extends Json | undefined
    ? T
    : T extends bigint | symbol | ((...args: never[]) => unknown) | { toJSON(): unknown }
      ? never
      : { [K in keyof T]: JsonOf<T[K]> }

type Field<T, K extends PropertyKey, Otherwise> = T extends { [k in K]: infer V } ? V : Otherwise
type Notifications = Field<Register, 'notifications', { [type: string]: Json }>
type Namespaces = Field<Register, 'channels', { [namespace: string]: object }>
/** The type that is read where this was written: JSON has no `undefined`. */
type Read<T> = undefined extends T ? Exclude<T, undefined> | null : T
type NamespaceOf<N extends string> = N extends `${infer P}:${string}` ? P & keyof Namespaces : never

/** Names of the notification types that the app registered; any string if it registered none. */
export type NotificationType = keyof Notifications & string
/**
 * The payload type of a notification. Where the registered type is optional, a missing payload is
 * read as `null`.
 */
export type DataOf<T extends NotificationType> = Read<JsonOf<Notifications[T]>>
/** `namespace:name`. */
export type ChannelName = `${keyof Namespaces & string}:${string}`
/** The payload type of the channel's messages. */
export type MessageOf<N extends string> = JsonOf<Field<Namespaces[NamespaceOf<N>], 'message', Json>>
/** The `info` of a ticket, which other users see. */
export type UserInfo = Field<Register, 'user', Json>

/** A value over time. It is also a Svelte store (`$`). */
export interface Readable<T> {
  /** The current value. */
  get(): T
  /**
   * Calls `fn` at once and after each change. Returns a function that ends this; a second call of
   * it does nothing.
   */
  subscribe(fn: (value: T) => void): () => void
  /**
   * The value for server rendering. It is the same on every machine, so that hydration matches the
   * server's output.
   */
  readonly initial: T
}

/** The server's record of an intent. */
export interface Stored {
  readonly channel: string
  readonly epoch: string
  /** The offset of the record, or the channel's top if the intent changed nothing. */
  readonly offset: number
  /** The id of the record; empty if none was made. */
  readonly id: string
}

interface ItemBase {
  /** Notification id. */
  readonly id: string
  readonly title: string
  readonly message?: string
  /** A link that is safe to follow: http, https or relative. */
  readonly url?: string
  /** When the server stored it. */
  readonly at: number
  readonly read: boolean
  readonly seen: boolean
  readonly archived: boolean
  /** Whether a change to it has no answer yet. */
  readonly pending: boolean
}

/**
 * A notification in an inbox. It is a union over the registered types: `switch (item.type)` narrows
 * `data`. The registered types are the app's promise, and nothing checks them. Keep a `default:`
 * for types of newer backends, and register fields as optional that older backends did not send.
 */
export type InboxItem = {
  [T in NotificationType]: ItemBase & { readonly type: T; readonly data: DataOf<T> }
}[NotificationType]

/** An item or its id. */
export type ItemRef = string | { readonly id: string }

/** The items that a view shows. */
export interface InboxFilter {
  /** By state; `inbox` (the default) is everything not archived. */
  show?: 'inbox' | 'unread' | 'archived' | 'all' | undefined
  /** By notification type; absent or empty: all types. */
  type?: NotificationType | readonly NotificationType[] | undefined
}

/** The inbox, or a view of it, at one moment. */
export interface InboxSnapshot {
  /** `cached`: from storage, or the connection is away; true as of the last contact. */
  readonly status: 'loading' | 'cached' | 'live'
  /** Newest first. */
  readonly items: readonly InboxItem[]
  /** Unread items in the whole inbox, in every view. */
  readonly unread: number
  /** Unseen items in the whole inbox, in every view. */
  readonly unseen: number
  /** The number of items of this view, loaded or not, if known. */
  readonly count: number | null
  /** Whether older items can be loaded. */
  readonly hasMore: boolean
  readonly loadingMore: boolean
  /** The reason why the last `loadMore` failed. */
  readonly error: TidingsError | null
}

/**
 * Actions on items. Each shows its result at once, and is rolled back if the server refuses it. The
 * promise may be ignored: a refusal is also in `outbox.failed` and `on('failed')`. Wrong arguments
 * throw at once.
 */
export interface InboxActions {
  /** Marks as read, and as seen. */
  markRead(items: ItemRef | readonly ItemRef[]): Promise<Stored>
  markUnread(items: ItemRef | readonly ItemRef[]): Promise<Stored>
  markSeen(items: ItemRef | readonly ItemRef[]): Promise<Stored>
  archive(items: ItemRef | readonly ItemRef[]): Promise<Stored>
  unarchive(items: ItemRef | readonly ItemRef[]): Promise<Stored>
}

/** A view of the inbox. */
export interface InboxView extends Readable<InboxSnapshot>, InboxActions {
  /** Loads older items. Calls made meanwhile join the running one. */
  loadMore(): Promise<void>
}

/** The whole inbox. */
export interface Inbox extends InboxView {
  /** A view. Equal filters return the same one, which lasts as long as the app holds it. */
  view(filter: InboxFilter): InboxView
  markAllRead(): Promise<Stored>
  markAllSeen(): Promise<Stored>
  archiveAll(): Promise<Stored>
}

/** A user as other users see them. */
export interface Member {
  readonly user: string
  /** The `info` of their ticket; `null` if the ticket has none, or it is not known yet. */
  readonly info: UserInfo | null
  /** Whether this is the client's own user. */
  readonly self: boolean
}

/** One message of a channel. */
export interface Message<D> {
  /** Names the message in a list. An own message keeps its key when the server has stored it. */
  readonly key: string
  /** The record's id; before it is stored, an id of this client. */
  readonly id: string
  /** Its position in the channel, once stored. */
  readonly offset: number | null
  readonly at: number
  /** The author; `null` for a message of a backend. */
  readonly from: Member | null
  readonly data: D
  /** Whether it has no answer yet. */
  readonly pending: boolean
  /**
   * Why it was refused for good. `outbox.retry(key)` sends it again, `outbox.discard(key)` removes
   * it.
   */
  readonly failed: TidingsError | null
}

/** A channel at one moment. */
export interface ChannelSnapshot<D> {
  /**
   * `catching-up`: the messages are true as of the last contact. `refused`: `error` has the reason.
   */
  readonly status: 'idle' | 'joining' | 'live' | 'catching-up' | 'refused'
  /** Oldest first. Own messages that are not stored yet, or were refused, are last. */
  readonly messages: readonly Message<D>[]
  /** The last range of messages that is missing for good. */
  readonly gap: Gap | null
  /** Whether older messages can be loaded. */
  readonly hasMore: boolean
  readonly loadingMore: boolean
  readonly error: TidingsError | null
}

/** The events of a channel. */
export interface ChannelEvents<N extends string> {
  /** A message arrived, own ones included. Loading older messages emits no event. */
  message: Message<MessageOf<N>>
  gap: Gap
}

/**
 * A room, a chat, a topic. It is read while it has a subscriber, a listener or a `join()`, and 5 s
 * longer.
 */
export interface Channel<N extends ChannelName = ChannelName> extends Readable<ChannelSnapshot<MessageOf<N>>> {
  readonly name: N
  /**
   * Publishes a message, which is shown at once. Offline it stays pending, also over a reload. A
   * refusal rejects the promise; a rejection that the app does not await is silent.
   */
  publish(data: MessageOf<N>): Promise<Stored>
  on<E extends keyof ChannelEvents<N>>(event: E, fn: (event: ChannelEvents<N>[E]) => void): () => void
  /** Loads older messages into the snapshot. Calls made meanwhile join the running one. */
  loadMore(): Promise<void>
  /** Reads the channel until the returned function is called. */
  join(): () => void
}

/** An intent that was refused for good. */
export interface FailedIntent {
  /** For a message, its `key`. */
  readonly id: string
  readonly kind: 'mark' | 'publish'
  readonly channel: string
  readonly at: number
  readonly error: TidingsError
}

/** The number of intents without an answer, and the refused ones. */
export interface OutboxSnapshot {
  readonly pending: number
  readonly failed: readonly FailedIntent[]
}

/** Intents of the app that the server has not carried out. */
export interface Outbox extends Readable<OutboxSnapshot> {
  /** Sends a refused intent again. */
  retry(id: string): Promise<Stored>
  /** Removes a refused intent. */
  discard(id: string): void
}

/** The state of the connection. */
export interface Connection {
  /**
   * `waiting`: for the next attempt, at `retryAt`; `offline`: the same while the browser reports no
   * network; `failed` and `signed-out`: no more attempts until `connect()`, another user or a
   * retry; `closed` is final.
   */
  readonly status:
    | 'idle'
    | 'connecting'
    | 'connected'
    | 'waiting'
    | 'offline'
    | 'failed'
    | 'signed-out'
    | 'closed'
  /** No connection for 5 s although one is wanted: for banners that don't flicker. */
  readonly lost: boolean
  /** The connected user, or the user whose cache is shown. */
  readonly user: string | null
  /** The reason why it is not connected. */
  readonly error: TidingsError | null
  /** Attempts since the last good connection. */
  readonly attempt: number
  /** When the next attempt is due. */
  readonly retryAt: number | null
  /** The transport in use. */
  readonly transport: 'ws' | 'sse' | 'poll' | 'relay' | null
  /** Whether the newest items are kept over reloads. */
  readonly durable: boolean
}

/** Records that are missing for good. */
export interface Gap {
  readonly channel: string
  readonly from: number
  readonly to: number
  readonly why: 'retention' | 'epoch'
}

/** The events of `on`. */
export interface TidingsEvents {
  /** A notification arrived, at most a minute old: for toasts and sounds. */
  arrived: InboxItem
  gap: Gap
  /** An intent was refused for good. */
  failed: FailedIntent
  /** An error that no call can return. */
  error: TidingsError
}

/** A ticket, a JWT, or `null` when signed out. */
export type Credential = string | { readonly token: string } | null

/** The argument of the ticket function. */
export interface TicketContext {
  /** The user that the ticket should be for, if known. */
  readonly user: string | undefined
  /** Counts up with each call. */
  readonly attempt: number
  /** The address of the server: the option `url`, as it is now. */
  readonly url: string
  /**
   * Aborts after 10 s, 60 s at most on a slow link, or when the answer is not needed any more: hand
   * it to `fetch`.
   */
  readonly signal: Global<'AbortSignal'>
}

/**
 * The host's type of this name; `never` if there is none. So backends compile without the browsers'
 * library.
 */
type Global<N extends string> = typeof globalThis extends { readonly [name in N]: { readonly prototype: infer T } } ? T : never
type Namespaced<N extends string, K extends string> = typeof globalThis extends { readonly [name in N]: { readonly [kind in K]: { readonly prototype: infer T } } } ? T : never

/** The source of the compiled core, for pages that serve it themselves. */
export type WasmSource =
  | Global<'URL'>
  | string
  | Global<'Response'>
  | ArrayBuffer
  | ArrayBufferView
  | Namespaced<'WebAssembly', 'Module'>

/** Receives log messages; `console` fits. */
export interface Logger {
  debug(message: string, ...details: unknown[]): void
  warn(message: string, ...details: unknown[]): void
  error(message: string, ...details: unknown[]): void
}

/** The options of `createTidings`. */
export interface TidingsOptions {
  /**
   * The base address of the server, such as `https://rt.example.com`. A function is called for
   * every attempt.
   */
  url: string | (() => string)
  /**
   * Called for every attempt, with a deadline of 10 s, up to 60 s on a slow link. `null` means
   * signed out: the client stops asking. After an error it tries again later.
   */
  ticket(context: TicketContext): Promise<Credential> | Credential
  /**
   * `undefined`: the user of the ticket; no cache is shown before the ticket is there. `null`:
   * signed out, no connection. A string: that user, whose cache shows at once.
   */
  user?: string | null | undefined
  /** `memory` stores nothing in the browser. Default `auto`. */
  storage?: 'auto' | 'memory' | undefined
  /**
   * How the user's items, caches and unsent intents are handled when the ticket function returns
   * `null`. `wipe` (the default) deletes them from the page and the browser, `keep` leaves them for
   * the user's return. `signOut()` always deletes them.
   */
  signedOut?: 'wipe' | 'keep' | undefined
  /**
   * Waits are random between 0 and `base`, doubled each time, up to `cap`. Defaults: 1 s, 30 s, no
   * limit.
   */
  backoff?: { base?: number | undefined; cap?: number | undefined; maxAttempts?: number | undefined } | undefined
  /** The time between pings; the server may ask for less. Default 25 s. */
  heartbeat?: number | undefined
  /**
   * The allowed transports, the best first. If one does not get through, the client tries the next
   * by itself. Default: all three.
   */
  transports?: readonly ('ws' | 'sse' | 'poll')[] | undefined
  /** How many of the newest items are kept. Default 50. */
  keep?: number | undefined
  /**
   * For how many channels the newest messages are kept. Beyond it the one written longest ago is
   * deleted. Default 256.
   */
  keepChannels?: number | undefined
  /** For how many days data in the browser stays without being written again. Default 30. */
  keepDays?: number | undefined
  /** The compiled core, for pages that don't use the inlined one. */
  wasm?: WasmSource | undefined
  logger?: Logger | undefined
}

/** The client, one per app. Its functions are stable and need no `this`. */
export interface Tidings {
  readonly connection: Readable<Connection>
  readonly inbox: Inbox
  readonly outbox: Outbox
  /**
   * Adds a listener. Returns a function that removes it. A listener's error is logged, and the
   * others still run.
   */
  on<E extends keyof TidingsEvents>(event: E, fn: (event: TidingsEvents[E]) => void): () => void
  /** Switches to another user, or to none: resets every readable to `initial` in one step. */
  setUser(user: string | null): void
  /**
   * Deletes the user's data from this browser. Unsent intents are sent for up to 5 s first, unless
   * discarded.
   */
  signOut(options?: { unsent?: 'send' | 'discard' | undefined }): Promise<{ discarded: number }>
  /** Connects. The first subscriber of a readable, a listener or an intent connects by itself. */
  connect(): void
  disconnect(): void
  /** Tries now, without waiting for `retryAt`. */
  retryNow(): void
  /** Closes the client for good. */
  close(): void
  /** The server's time, once known. */
  now(): number | null
  /** Explains in words why it is not connected, and the next step. */
  explain(): string
}
