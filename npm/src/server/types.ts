import type { InitialInbox } from '../adapter/first-inbox.js'
import type { ChannelName, DataOf, MessageOf, NotificationType, Stored, UserInfo } from '../types.js'

/** Who gets a notification. */
export type Target =
  | { readonly user: string }
  /** Up to 1,000: all get it, or none. */
  | { readonly users: readonly string[] }
  | { readonly topic: string }
  | { readonly everyone: true }

/** A notification to send. `data` may be left out where the registered type holds `null` or `undefined`. */
export type NewNotification<T extends NotificationType = NotificationType> = T extends NotificationType ? Words<T> & Payload<T> : never

interface Words<T extends NotificationType> {
  readonly to: Target
  readonly type: T
  readonly title: string
  readonly message?: string | undefined
  /** A link; http, https or relative. */
  readonly url?: string | undefined
}

type Payload<T extends NotificationType> =
  null extends DataOf<T> ? { readonly data?: DataOf<T> | undefined } : { readonly data: DataOf<T> }

/** What a ticket lets its bearer do. */
export type ChannelRight = {
  readonly allow: readonly ('subscribe' | 'publish' | 'signal' | 'presence' | 'history')[]
} & (
  | {
      /** One channel. Names that come from data belong here: a `*` is refused. */
      readonly channel: string
      readonly pattern?: undefined
    }
  | {
      /** A channel, or a prefix and `*`: every channel whose name begins so. */
      readonly pattern: string
      readonly channel?: undefined
    }
)

/** Whom a ticket names. */
export interface Identity {
  readonly user: string
  /** Shown to others; at most 1 KiB. */
  readonly info?: UserInfo | undefined
  readonly channels?: readonly ChannelRight[] | undefined
  /** How long the session lasts; the server's default is an hour. */
  readonly sessionTtlMs?: number | undefined
  /** The only origin the ticket is good for. */
  readonly origin?: string | undefined
}

/** A one-time ticket, good for 30 s. */
export interface Ticket {
  readonly ticket: string
  /** RFC 3339. */
  readonly expires_at: string
}

/** Whom the app names: `null`, or an object whose `user` is, is nobody. */
export type Identified = (Omit<Identity, 'user'> & { readonly user: string | null | undefined }) | null | undefined

/** Says who is asking, from the app's own session. */
export type Identify<R> = (request: R) => Identified | Promise<Identified>

/** What a ready ticket route takes beside. */
export interface RouteOptions {
  /**
   * Origins whose pages may ask, beside those of the route's own host: `['https://app.example.com']` where pages and
   * backend are apart. Their pages have to ask with `credentials: 'include'` if the session is in a cookie.
   */
  readonly origins?: readonly string[] | undefined
}

/** Told what went wrong; `console` fits. */
export interface ServerLogger {
  error(message: string, ...details: unknown[]): void
}

/** What `createTidingsServer` takes. */
export interface TidingsServerOptions {
  /** The http or https address of the server. A missing one is reported by the first call, so that builds without it pass. */
  readonly url: string | undefined
  /** One of the server's `api_keys`; `dev` on a `--dev` server. Reported like `url`. */
  readonly apiKey: string | undefined
  /** Told why a ticket route has no ticket to give. `console` when left out. */
  readonly logger?: ServerLogger | undefined
}

/** How a message is sent. */
export interface CallOptions {
  /** Sends once, however often it is called within 24 h: an id of what happened, such as the order's. */
  readonly key?: string | undefined
}

/** The Tidings server, as a backend sees it. Every call rejects with a `TidingsError`. */
export interface TidingsServer {
  /**
   * Sends a notification; resolves when it is stored durably. The same `key` sends once, however often it is called
   * within 24 h: use an id of what happened, such as the order's. One record for each user, in their order.
   */
  notify<const T extends NotificationType>(
    notification: { readonly type: T } & NewNotification<T>,
    options?: CallOptions,
  ): Promise<readonly Stored[]>
  /** Publishes a message to a channel. */
  publish<const N extends ChannelName>(channel: N, data: MessageOf<N>, options?: CallOptions): Promise<Stored>
  /**
   * A user's newest items and counts, as the client shows them: `initial` of `TidingsProvider` and `setTidings`. `limit`
   * is at most 100; 50, which is what clients keep, when left out.
   */
  inbox(user: string, options?: { readonly limit?: number | undefined }): Promise<InitialInbox>
  /** A ticket for the browser of a user. */
  ticket(who: Identity): Promise<Ticket>
  /** Ends what was issued so far, for a user, a session or one token; open connections end within 5 s. */
  revoke(who: { readonly user: string } | { readonly session: string } | { readonly jti: string }): Promise<void>
  /**
   * A ready route for Next, SvelteKit, Hono, Bun, Deno: takes a `Request`, or an object that holds one. What
   * `identify` throws is 500 and goes to the logger; redirects and the like go to the framework.
   */
  ticketHandler<E extends Request | { readonly request: Request } = Request>(
    identify: Identify<E>,
    options?: RouteOptions,
  ): (event: E) => Promise<Response>
  /** A ready route for Express, Fastify and `node:http`. It never rejects: what `identify` throws is 500 and goes to the logger. */
  nodeTicketHandler<Q extends object, R extends object>(identify: Identify<Q>, options?: RouteOptions): (request: Q, response: R) => Promise<void>
}
