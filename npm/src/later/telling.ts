/** Says what is in the way of a connection, and that there is one: each distinct fault of the app or the network once. */

import type { Connection, TidingsOptions } from '../types.js'

/** Most faults that are said of one client; more of them say nothing new. */
const SAID_MAX = 50

const OPTIONS = {
  url: 1,
  ticket: 1,
  user: 1,
  storage: 1,
  backoff: 1,
  heartbeat: 1,
  transports: 1,
  keep: 1,
  keepChannels: 1,
  keepDays: 1,
  signedOut: 1,
  wasm: 1,
  logger: 1,
} satisfies Record<keyof TidingsOptions, 1>

/** What was said, by the options of clients. */
const said = new WeakMap<TidingsOptions, Set<string>>()

/** To the app's logger, or the console: a text of one client once. */
function once(options: TidingsOptions, text: string, ...more: unknown[]) {
  let texts = said.get(options)
  if (texts === undefined) {
    said.set(options, (texts = new Set()))
    // Not thrown where a client is made: a newer version may know it.
    for (const name in options) if (!(name in OPTIONS)) once(options, `\`${name}\` is no option of createTidings: is it spelt as the documentation has it?`)
  }
  if (text === '' || texts.has(text) || texts.size >= SAID_MAX) return
  texts.add(text)
  ;(options.logger ?? console).warn(`tidings: ${text}`, ...more)
}

/** A change was asked for before it is known whose it is: it must not become the next user's. */
export function unnamed(options: TidingsOptions): void {
  once(options, 'a change was asked for before anybody said who the user is. It is made once the ticket names the user, and lost if the page ends before: give createTidings the option `user`, or call setUser() first.')
}

/** What is in the way, or that nothing is. `base` is the server's address, without anything in it that may be secret. */
export function tell(options: TidingsOptions, { error, status, user, transport }: Partial<Connection>, base: string): void {
  once(options, '')
  if (error) once(options, `${error.message} [${error.code}, url ${base || 'unknown'}] The client's explain() says what happens next, and ${error.docs} what to do.`, error)
  else if (status === 'connected') options.logger?.debug(`tidings: connected to ${base} as ${user} by ${transport}`)
}
