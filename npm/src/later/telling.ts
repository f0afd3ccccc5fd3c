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
  keepChannels: 1, signedOut: 1,
  wasm: 1,
  logger: 1,
} satisfies Record<keyof TidingsOptions, 1>

/** What was said, by the options of clients. */
const said = new WeakMap<TidingsOptions, Set<string>>()

/** To the app's logger, or the console. `base` is the server's address, without anything in it that may be secret. */
export function tell(options: TidingsOptions, { error, status, user, transport }: Partial<Connection>, base: string): void {
  const { logger } = options
  let texts = said.get(options)
  const once = (text: string, ...more: unknown[]) => {
    if (texts?.has(text) || (texts?.size ?? 0) >= SAID_MAX) return
    texts?.add(text)
    ;(logger ?? console).warn(`tidings: ${text}`, ...more)
  }
  if (texts === undefined) {
    said.set(options, (texts = new Set()))
    // Not thrown where a client is made: a newer version may know it.
    for (const name in options) if (!(name in OPTIONS)) once(`\`${name}\` is no option of createTidings: is it spelt as the documentation has it?`)
  }
  if (error) once(`${error.message} [${error.code}, url ${base || 'unknown'}] The client's explain() says what happens next, and ${error.docs} what to do.`, error)
  else if (status === 'connected') logger?.debug(`tidings: connected to ${base} as ${user} by ${transport}`)
}
