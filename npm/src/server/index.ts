/**
 * For backends: sends notifications and hands out tickets. It needs no wasm and no DOM, and refuses
 * to run in a browser.
 */

import { failure, invalid } from '../error.js'
import { isText } from '../untrusted.js'
import type { Stored } from '../types.js'
import { caller, type Call } from './call.js'
import { firstInbox, type Page } from './inbox.js'
import { nodeTicketHandler, ticketHandler } from './tickets.js'
import type { Ticket, TidingsServer, TidingsServerOptions } from './types.js'

/**
 * The server at `url`, with an API key of its configuration (`dev` on a `--dev` server).
 *
 * Throws in a browser, because the key allows writing to every user. Nothing is requested before
 * the first call, and that call reports a missing option: builds also load a backend's modules, and
 * have no environment.
 */
export function createTidingsServer(options: TidingsServerOptions): TidingsServer {
  if (typeof document !== 'undefined') throw invalid('tidings/server must not run in a browser: its API key would be public.')
  const { url, apiKey, logger = console } = options
  if (!isMissing(url) && (typeof url !== 'string' || !/^https?:\/\/./.test(url))) {
    throw invalid('`url` must be the http or https address of the Tidings server, such as https://rt.example.com.')
  }
  if (!isMissing(apiKey) && typeof apiKey !== 'string') throw invalid("`apiKey` must be one of the server's `api_keys`.")
  let made: Call | undefined
  const call: Call = async (...request) => {
    if (isMissing(url)) throw failure('url_missing', 'app', 'createTidingsServer has no `url`: is its environment variable set where this runs?')
    if (isMissing(apiKey)) throw invalid('createTidingsServer has no `apiKey`: is its environment variable set where this runs?')
    made ??= caller(url, apiKey)
    return made(...request)
  }

  const ticket: TidingsServer['ticket'] = async ({ user, info, channels, sessionTtlMs, origin }) =>
    (await call('POST', '/v1/tickets', { user, info, channels, session_ttl_ms: sessionTtlMs, origin })) as Ticket

  return {
    async notify(notification, { key = crypto.randomUUID() } = {}) {
      const answer = (await call('POST', '/v1/notifications', notification, key)) as {
        results: (Omit<Stored, 'id'> & { notification_id: string })[]
      }
      return answer.results.map(({ notification_id, ...where }) => ({ ...where, id: notification_id }))
    },
    async publish(channel, data, { key = crypto.randomUUID() } = {}) {
      const path = `/v1/channels/${encodeURIComponent(channel)}/messages`
      const answer = (await call('POST', path, { data }, key)) as { epoch: string; offset: number; id?: string }
      return { channel, epoch: answer.epoch, offset: answer.offset, id: answer.id ?? '' }
    },
    async inbox(user, { limit } = {}) {
      if (!isText(user)) throw invalid('`inbox` takes a user id.')
      const query = new URLSearchParams({ user, ...(limit === undefined ? {} : { limit: String(limit) }) })
      return firstInbox(user, (await call('GET', `/v1/inbox?${query}`)) as Page)
    },
    ticket,
    async revoke(who) {
      await call('POST', '/v1/revocations', who)
    },
    ticketHandler: ticketHandler({ issue: ticket, logger }),
    nodeTicketHandler: nodeTicketHandler({ issue: ticket, logger }),
  }
}

/** A missing environment variable is undefined or empty. */
function isMissing(value: string | undefined): value is '' | undefined {
  return value === undefined || value === ''
}

export { isTidingsError, TidingsError } from '../error.js'
export type { InitialInbox } from '../adapter/initial-inbox.js'
export type {
  CallOptions,
  ChannelRight,
  Identified,
  Identify,
  Identity,
  NewNotification,
  RouteOptions,
  ServerLogger,
  Target,
  Ticket,
  TidingsServer,
  TidingsServerOptions,
} from './types.js'
