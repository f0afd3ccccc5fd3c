/**
 * The public types of the package: what an app holds in its hands.
 *
 * Times and durations are milliseconds, times since 1970. Snapshots are frozen and keep their identity as
 * long as their content stays the same, so `===` tells whether something changed.
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

/** Anything JSON can say. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json }

/**
 * What is read where a `T` was written. What JSON changes, such as a `Date`, is `never`: write what is sent, such as its
 * text. Mapped, because interfaces have no index signature and so are no `Json`.
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
/** What is read where this was written: JSON knows no `undefined`. */
type Read<T> = undefined extends T ? Exclude<T, undefined> | null : T
type NamespaceOf<N extends string> = N extends `${infer P}:${string}` ? P & keyof Namespaces : never

/** Names of the notification types the app registered; any string if it registered none. */
export type NotificationType = keyof Notifications & string
/** What a notification of that type holds. Where the app registered that it may be left out, its absence is read as `null`. */
export type DataOf<T extends NotificationType> = Read<JsonOf<Notifications[T]>>
/** `namespace:name`. */
export type ChannelName = `${keyof Namespaces & string}:${string}`
/** What a message of that channel holds. */
export type MessageOf<N extends string> = JsonOf<Field<Namespaces[NamespaceOf<N>], 'message', Json>>
/** What tickets carry as `info` and others see of a user. */
export type UserInfo = Field<Register, 'user', Json>

/** A value over time. It is also a store as Svelte's `$` wants one. */
export interface Readable<T> {
  /** The value now. */
  get(): T
  /** Calls `fn` at once and after each change. The answer ends that; calling it twice is harmless. */
  subscribe(fn: (value: T) => void): () => void
  /** What server rendering shows: the same on every machine, so hydration finds what the server wrote. */
  readonly initial: T
}

/** Where the server keeps what an intent made. */
export interface Stored {
  readonly channel: string
  readonly epoch: string
  /** Of the record, or the channel's top where the intent changed nothing. */
  readonly offset: number
  /** Of the record; empty where none was made. */
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
  /** A change to it has no answer yet. */
  readonly pending: boolean
}

/**
 * A notification in an inbox. A union over the registered types: `switch (item.type)` narrows `data`. What was registered
 * is the app's promise, and nothing checks it: keep a `default:` for types of newer backends, and register as optional
 * what older ones did not send.
 */
export type InboxItem = {
  [T in NotificationType]: ItemBase & { readonly type: T; readonly data: DataOf<T> }
}[NotificationType]

/** An item or its id. */
export type ItemRef = string | { readonly id: string }

/** Which items a view shows. */
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
  /** Unread in the whole inbox, whatever the view. */
  readonly unread: number
  /** Unseen in the whole inbox, whatever the view. */
  readonly unseen: number
  /** Items of this view, loaded or not, where that is known. */
  readonly count: number | null
  /** Older items can be loaded. */
  readonly hasMore: boolean
  readonly loadingMore: boolean
  /** Why the last `loadMore` failed. */
  readonly error: TidingsError | null
}

/**
 * What changes items. Each shows at once and is rolled back if refused. The promise may be ignored: its
 * refusal is also in `outbox.failed` and `on('failed')`. Wrong arguments throw at once.
 */
export interface InboxActions {
  /** Also marks as seen. */
  markRead(items: ItemRef | readonly ItemRef[]): Promise<Stored>
  markUnread(items: ItemRef | readonly ItemRef[]): Promise<Stored>
  markSeen(items: ItemRef | readonly ItemRef[]): Promise<Stored>
  archive(items: ItemRef | readonly ItemRef[]): Promise<Stored>
  unarchive(items: ItemRef | readonly ItemRef[]): Promise<Stored>
}

/** A view of the inbox. */
export interface InboxView extends Readable<InboxSnapshot>, InboxActions {
  /** Loads older items; calls made meanwhile join the one under way. */
  loadMore(): Promise<void>
}

/** The whole inbox. */
export interface Inbox extends InboxView {
  /** A view; equal filters give the same one, which lives as long as somebody holds it. */
  view(filter: InboxFilter): InboxView
  markAllRead(): Promise<Stored>
  markAllSeen(): Promise<Stored>
  archiveAll(): Promise<Stored>
}

/** A user as others see them. */
export interface Member {
  readonly user: string
  /** What their ticket carries as `info`; `null` where that is nothing, or not known yet. */
  readonly info: UserInfo | null
  /** This client's own user. */
  readonly self: boolean
}

/** One message of a channel. */
export interface Message<D> {
  /** Names it in a list: an own message keeps it when the server has stored it. */
  readonly key: string
  /** The record's id; before it is stored, one of this client's. */
  readonly id: string
  /** Its place in the channel, once stored. */
  readonly offset: number | null
  readonly at: number
  /** Nobody where a backend wrote it. */
  readonly from: Member | null
  readonly data: D
  /** It has no answer yet. */
  readonly pending: boolean
  /** Why it was refused for good: `outbox.retry(key)` tries again, `outbox.discard(key)` throws it away. */
  readonly failed: TidingsError | null
}

/** A channel at one moment. */
export interface ChannelSnapshot<D> {
  /** `catching-up`: what is shown is true as of the last contact. `refused`: `error` says why. */
  readonly status: 'idle' | 'joining' | 'live' | 'catching-up' | 'refused'
  /** Oldest first; own ones that are not stored yet, or were refused, last. */
  readonly messages: readonly Message<D>[]
  /** The last range that is missing for good. */
  readonly gap: Gap | null
  /** Older messages can be loaded. */
  readonly hasMore: boolean
  readonly loadingMore: boolean
  readonly error: TidingsError | null
}

/** What happens in a channel. */
export interface ChannelEvents<N extends string> {
  /** A message came, own ones included; what is read back has not come. */
  message: Message<MessageOf<N>>
  gap: Gap
}

/** A room, a chat, a topic. Read while it has a subscriber, a listener or a `join()`, and 5 s longer. */
export interface Channel<N extends ChannelName = ChannelName> extends Readable<ChannelSnapshot<MessageOf<N>>> {
  readonly name: N
  /** Shown at once; stays pending offline, also over a reload. Unawaited it is silent, awaited it throws when refused. */
  publish(data: MessageOf<N>): Promise<Stored>
  on<E extends keyof ChannelEvents<N>>(event: E, fn: (event: ChannelEvents<N>[E]) => void): () => void
  /** Loads older messages into the snapshot. Calls join the one under way. */
  loadMore(): Promise<void>
  /** Reads it until the answer is called. */
  join(): () => void
}

/** An intent that was refused for good. */
export interface FailedIntent {
  /** Of a message: its `key`. */
  readonly id: string
  readonly kind: 'mark' | 'publish'
  readonly channel: string
  readonly at: number
  readonly error: TidingsError
}

/** Intents without an answer, and refused ones. */
export interface OutboxSnapshot {
  readonly pending: number
  readonly failed: readonly FailedIntent[]
}

/** What the app asked for and the server has not done. */
export interface Outbox extends Readable<OutboxSnapshot> {
  /** Sends a refused intent again. */
  retry(id: string): Promise<Stored>
  /** Forgets a refused intent. */
  discard(id: string): void
}

/** Where the connection stands. */
export interface Connection {
  /**
   * `waiting`: for the next attempt, at `retryAt`; `offline`: the same while the browser says there is no network;
   * `failed` and `signed-out`: no more attempts until `connect()`, another user or a retry; `closed` is final.
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
  /** Who is connected, or whose cache is shown. */
  readonly user: string | null
  /** Why it is not connected. */
  readonly error: TidingsError | null
  /** Attempts since the connection was last good. */
  readonly attempt: number
  /** When the next attempt is due. */
  readonly retryAt: number | null
  /** The one in use. */
  readonly transport: 'ws' | 'sse' | 'poll' | 'relay' | null
  /** The newest items are kept over reloads. */
  readonly durable: boolean
}

/** Records that are missing for good. */
export interface Gap {
  readonly channel: string
  readonly from: number
  readonly to: number
  readonly why: 'retention' | 'epoch'
}

/** What `on` tells. */
export interface TidingsEvents {
  /** A notification arrived, at most a minute old: for toasts and sounds. */
  arrived: InboxItem
  gap: Gap
  /** An intent was refused for good. */
  failed: FailedIntent
  /** Something went wrong that no call can answer. */
  error: TidingsError
}

/** A ticket, a JWT, or `null` when nobody is signed in. */
export type Credential = string | { readonly token: string } | null

/** What the ticket function is told. */
export interface TicketContext {
  /** The user it should be for, if known. */
  readonly user: string | undefined
  /** Counts up with each request. */
  readonly attempt: number
  /** Address of the server: the option `url`, as it is now. */
  readonly url: string
  /** Aborted after 10 s, 60 at most where the link is slow, or when the answer is not wanted any more: hand it to `fetch`. */
  readonly signal: Global<'AbortSignal'>
}

/** What a host has under this name; nothing where it does not: backends compile without the library of browsers. */
type Global<N extends string> = typeof globalThis extends { readonly [name in N]: { readonly prototype: infer T } } ? T : never
type Namespaced<N extends string, K extends string> = typeof globalThis extends { readonly [name in N]: { readonly [kind in K]: { readonly prototype: infer T } } } ? T : never

/** Where the compiled core comes from, for pages that serve it themselves. */
export type WasmSource =
  | Global<'URL'>
  | string
  | Global<'Response'>
  | ArrayBuffer
  | ArrayBufferView
  | Namespaced<'WebAssembly', 'Module'>

/** Told what happens; `console` fits. */
export interface Logger {
  debug(message: string, ...details: unknown[]): void
  warn(message: string, ...details: unknown[]): void
  error(message: string, ...details: unknown[]): void
}

/** What `createTidings` takes. */
export interface TidingsOptions {
  /** Base address of the server, such as `https://rt.example.com`; a function is asked for every attempt. */
  url: string | (() => string)
  /** Asked for every attempt; 10 s deadline, up to 60 s on a slow link. `null`: signed out, stop asking. A throw: try again later. */
  ticket(context: TicketContext): Promise<Credential> | Credential
  /**
   * `undefined`: whoever the ticket names, and nothing cached shows before. `null`: nobody, no connection. A string:
   * that user, whose cache shows at once.
   */
  user?: string | null | undefined
  /** `memory`: keep nothing in the browser. Default `auto`. */
  storage?: 'auto' | 'memory' | undefined
  /**
   * What becomes of the user's items, caches and unsent intents when the ticket function says `null`: `wipe` (the default)
   * takes them from the page and the browser, `keep` leaves them for the user's return. `signOut()` always takes them.
   */
  signedOut?: 'wipe' | 'keep' | undefined
  /** Waits are random between 0 and `base`, doubled each time, up to `cap`. Defaults: 1 s, 30 s, no limit. */
  backoff?: { base?: number | undefined; cap?: number | undefined; maxAttempts?: number | undefined } | undefined
  /** Between pings; the server may ask for less. Default 25 s. */
  heartbeat?: number | undefined
  /** Ways to the server, the best first: where one does not get through, the next is tried by itself. Default: all three. */
  transports?: readonly ('ws' | 'sse' | 'poll')[] | undefined
  /** How many of the newest items are kept. Default 50. */
  keep?: number | undefined
  /** Of how many channels the newest messages are kept; the one written longest ago goes. Default 256. */
  keepChannels?: number | undefined
  /** For how many days what is stored in the browser stays without being written anew. Default 30. */
  keepDays?: number | undefined
  /** The compiled core, for pages that don't want the inlined one. */
  wasm?: WasmSource | undefined
  logger?: Logger | undefined
}

/** The client: one per app. Its functions are stable and need no `this`. */
export interface Tidings {
  readonly connection: Readable<Connection>
  readonly inbox: Inbox
  readonly outbox: Outbox
  /** Listens; the answer ends that. A listener that throws is reported and passed. */
  on<E extends keyof TidingsEvents>(event: E, fn: (event: TidingsEvents[E]) => void): () => void
  /** Another user, or nobody: swaps every readable to `initial` in one step. */
  setUser(user: string | null): void
  /** Forgets the user in this browser. Unsent intents are sent for up to 5 s first, unless discarded. */
  signOut(options?: { unsent?: 'send' | 'discard' | undefined }): Promise<{ discarded: number }>
  /** The first subscriber of a readable, a listener or an intent connects by itself. */
  connect(): void
  disconnect(): void
  /** Don't wait for `retryAt`. */
  retryNow(): void
  /** Final. */
  close(): void
  /** The server's time, once known. */
  now(): number | null
  /** In words: why it is not connected, and what happens next. */
  explain(): string
}
