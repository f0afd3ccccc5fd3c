import type { InitialInbox } from '../adapter/initial-inbox.js'
import type { ChannelName, DataOf, MessageOf, NotificationType, Stored, UserInfo } from '../types.js'

/** The receivers of a notification. */
export type Target =
  | { readonly user: string }
  /** Up to 1,000 users: all get it, or none. */
  | { readonly users: readonly string[] }
  | { readonly topic: string }
  | { readonly everyone: true }

/**
 * A notification to send. `data` may be left out if the registered type allows `null` or
 * `undefined`.
 */
export type NewNotification<T extends NotificationType = NotificationType> = T extends NotificationType ? Words<T> & Payload<T> : never

interface Words<T extends NotificationType> {
  readonly to: Target
  readonly type: T
  readonly title: string
  readonly message?: string | undefined
  /** A link: http, https or relative. */
  readonly url?: string | undefined
}

type Payload<T extends NotificationType> =
  null extends DataOf<T> ? { readonly data?: DataOf<T> | undefined } : { readonly data: DataOf<T> }

/** A right that a ticket grants. */
export type ChannelRight = {
  readonly allow: readonly ('subscribe' | 'publish' | 'signal' | 'presence' | 'history')[]
} & (
  | {
      /** One channel. Use this for names that come from data: a `*` is refused. */
      readonly channel: string
      readonly pattern?: undefined
    }
  | {
      /** A channel, or a prefix and `*` for every channel whose name begins with it. */
      readonly pattern: string
      readonly channel?: undefined
    }
)

/** The user and the rights of a ticket. */
export interface Identity {
  readonly user: string
  /** Shown to other users; at most 1 KiB. */
  readonly info?: UserInfo | undefined
  readonly channels?: readonly ChannelRight[] | undefined
  /** How long the session lasts. The server's default is an hour. */
  readonly sessionTtlMs?: number | undefined
  /** The only origin that may use the ticket. */
  readonly origin?: string | undefined
}

/** A one-time ticket, valid for 30 s. */
export interface Ticket {
  readonly ticket: string
  /** RFC 3339. */
  readonly expires_at: string
}

/**
 * The user that the app names. `null`, or an object whose `user` is `null`, means that the visitor
 * is signed out.
 */
export type Identified = (Omit<Identity, 'user'> & { readonly user: string | null | undefined }) | null | undefined

/** Names the user of a request, from the app's own session. */
export type Identify<R> = (request: R) => Identified | Promise<Identified>

/** The options of a ticket route. */
export interface RouteOptions {
  /**
   * Origins whose pages may ask, beside those of the route's own host:
   * `['https://app.example.com']` if pages and backend have different origins. If the session is in
   * a cookie, these pages have to ask with `credentials: 'include'`.
   */
  readonly origins?: readonly string[] | undefined
}

/** Receives errors; `console` fits. */
export interface ServerLogger {
  error(message: string, ...details: unknown[]): void
}

/** The options of `createTidingsServer`. */
export interface TidingsServerOptions {
  /**
   * The http or https address of the server. The first call reports a missing one, so that builds
   * without it pass.
   */
  readonly url: string | undefined
  /**
   * One of the server's `api_keys`; `dev` on a `--dev` server. The first call reports a missing
   * one.
   */
  readonly apiKey: string | undefined
  /** Receives the reason why a ticket route has no ticket. Default: `console`. */
  readonly logger?: ServerLogger | undefined
}

/** Options of a call that sends. */
export interface CallOptions {
  /** Makes repeated calls within 24 h send once: use an id of the event, such as the order's. */
  readonly key?: string | undefined
}

/** The Tidings server, as a backend sees it. Every call rejects with a `TidingsError`. */
export interface TidingsServer {
  /**
   * Sends a notification; resolves when it is stored durably. Calls with the same `key` send once
   * within 24 h: use an id of the event, such as the order's. The result has one record for each
   * user, in the order of `users`.
   */
  notify<const T extends NotificationType>(
    notification: { readonly type: T } & NewNotification<T>,
    options?: CallOptions,
  ): Promise<readonly Stored[]>
  /** Publishes a message to a channel. */
  publish<const N extends ChannelName>(channel: N, data: MessageOf<N>, options?: CallOptions): Promise<Stored>
  /**
   * A user's newest items and counts, as the client shows them: the option `initial` of
   * `TidingsProvider` and `setTidings`. `limit` is at most 100; the default is 50, which is also
   * the number that clients keep.
   */
  inbox(user: string, options?: { readonly limit?: number | undefined }): Promise<InitialInbox>
  /** Makes a ticket for the browser of a user. */
  ticket(who: Identity): Promise<Ticket>
  /**
   * Revokes all credentials so far of a user or a session, or one token. Open connections end
   * within 5 s.
   */
  revoke(who: { readonly user: string } | { readonly session: string } | { readonly jti: string }): Promise<void>
  /**
   * A ready route for Next, SvelteKit, Hono, Bun, Deno. It takes a `Request`, or an object that
   * holds one. If `identify` throws an error, the answer is 500 and the logger gets the error;
   * redirects and the like go to the framework.
   */
  ticketHandler<E extends Request | { readonly request: Request } = Request>(
    identify: Identify<E>,
    options?: RouteOptions,
  ): (event: E) => Promise<Response>
  /**
   * A ready route for Express, Fastify and `node:http`. It never rejects: if `identify` throws, the
   * answer is 500 and the logger gets the error.
   */
  nodeTicketHandler<Q extends object, R extends object>(identify: Identify<Q>, options?: RouteOptions): (request: Q, response: R) => Promise<void>
}
