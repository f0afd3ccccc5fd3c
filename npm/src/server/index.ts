/** For backends: send notifications, hand out tickets. No wasm, no DOM; refuses to work in a browser. */

import { invalid } from '../error.js'
import type { Stored } from '../types.js'
import { caller } from './call.js'
import { nodeTicketHandler, ticketHandler } from './tickets.js'
import type { Ticket, TidingsServer } from './types.js'

/**
 * The server at `url`, with an API key from its configuration (`dev` on a `--dev` server).
 *
 * Throws in a browser: the key lets its bearer write to everybody.
 */
export function createTidingsServer(options: { readonly url: string; readonly apiKey: string }): TidingsServer {
  const { url, apiKey } = options
  if (typeof document !== 'undefined') throw invalid('tidings/server must not run in a browser: its API key would be public.')
  if (typeof url !== 'string' || !/^https?:\/\//.test(url)) throw invalid('`url` must be the http or https address of the Tidings server.')
  if (typeof apiKey !== 'string' || apiKey === '') throw invalid('`apiKey` must be one of the server\'s `api_keys`.')
  const call = caller(url, apiKey)

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
    ticket,
    async revoke(who) {
      await call('POST', '/v1/revocations', who)
    },
    ticketHandler: ticketHandler(ticket),
    nodeTicketHandler: nodeTicketHandler(ticket),
  }
}

export { isTidingsError, TidingsError } from '../error.js'
export type { ChannelRight, Identify, Identity, NewNotification, Target, Ticket, TidingsServer } from './types.js'
