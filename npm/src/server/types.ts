import type { ChannelName, DataOf, MessageOf, NotificationType, Stored, UserInfo } from '../types.js'

/** Who gets a notification. */
export type Target =
  | { readonly user: string }
  /** Up to 1,000: all get it, or none. */
  | { readonly users: readonly string[] }
  | { readonly topic: string }
  | { readonly everyone: true }

/** A notification to send. */
export interface NewNotification<T extends NotificationType = NotificationType> {
  readonly to: Target
  readonly type: T
  readonly title: string
  readonly message?: string
  /** A link; http, https or relative. */
  readonly url?: string
  readonly data?: DataOf<T>
}

/** What a ticket lets its bearer do. */
export interface ChannelRight {
  /** A channel, or a prefix and `*`. */
  readonly pattern: string
  readonly allow: readonly ('subscribe' | 'publish' | 'signal' | 'presence' | 'history')[]
}

/** Whom a ticket names. */
export interface Identity {
  readonly user: string
  /** Shown to others; at most 1 KiB. */
  readonly info?: UserInfo
  readonly channels?: readonly ChannelRight[]
  /** How long the session lasts; the server's default is an hour. */
  readonly sessionTtlMs?: number
  /** The only origin the ticket is good for. */
  readonly origin?: string
}

/** A one-time ticket, good for 30 s. */
export interface Ticket {
  readonly ticket: string
  /** RFC 3339. */
  readonly expires_at: string
}

/** Says who is asking, from the app's own session; `null`: nobody. */
export type Identify<R> = (request: R) => Identity | null | Promise<Identity | null>

/** The Tidings server, as a backend sees it. Every call rejects with a `TidingsError`. */
export interface TidingsServer {
  /**
   * Sends a notification; resolves when it is stored durably. The same `key` sends once, however often it is called
   * within 24 h: use an id of what happened, such as the order's. One record for each user, in their order.
   */
  notify<T extends NotificationType>(notification: NewNotification<T>, options?: { readonly key?: string }): Promise<readonly Stored[]>
  /** Publishes a message to a channel. */
  publish<const N extends ChannelName>(channel: N, data: MessageOf<N>, options?: { readonly key?: string }): Promise<Stored>
  /** A ticket for the browser of a user. */
  ticket(who: Identity): Promise<Ticket>
  /** Ends what was issued so far, for a user, a session or one token; open connections end within 5 s. */
  revoke(who: { readonly user: string } | { readonly session: string } | { readonly jti: string }): Promise<void>
  /** A ready route for Next, SvelteKit, Hono, Bun, Deno: takes a `Request`, or an object that holds one. */
  ticketHandler<E extends Request | { readonly request: Request } = Request>(identify: Identify<E>): (event: E) => Promise<Response>
  /** A ready route for Express, Fastify and `node:http`. */
  nodeTicketHandler<Q extends object, R extends object>(identify: Identify<Q>): (request: Q, response: R) => Promise<void>
}
