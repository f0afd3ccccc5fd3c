/** For development only: tickets without a backend, from a server started with `--dev`. */

import { invalid } from './error.js'
import type { Credential, TicketContext } from './types.js'

const LOCAL = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/

/**
 * A ticket function that lets any page act as any user: `ticket: devTicket('u1')`. Without a user
 * it uses the client's option `user`. It asks the client's server, or the server at `url`. Throws
 * on pages that are not on this machine.
 */
export function devTicket(user?: string, options: { readonly url?: string | undefined } = {}): (context: TicketContext) => Promise<Credential> {
  const here = (globalThis as { location?: { hostname: string } }).location
  if (here !== undefined && here.hostname !== '' && !LOCAL.test(here.hostname)) {
    throw invalid('devTicket works on localhost only: it lets anybody be anybody. Fetch a ticket from your backend.')
  }
  return async (context) => {
    const name = user ?? context.user
    if (name === undefined) throw invalid('devTicket needs a user: devTicket("u1"), or the option `user`.')
    const url = options.url ?? context.url
    const response = await fetch(`${url.replace(/\/+$/, '')}/dev/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user: name }),
      signal: context.signal,
    })
    if (!response.ok) throw new Error(`POST /dev/tokens answered ${response.status}: is the server started with --dev?`)
    return (await response.json()) as { token: string }
  }
}
