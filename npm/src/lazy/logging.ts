/**
 * Logs problems with the connection, and its success: each distinct fault of the app or the network
 * once.
 */

import type { Connection, TidingsOptions } from '../types.js'

/** The most messages logged for one client; later ones add nothing new. */
const LOGGED_MAX = 50

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

/** The messages already logged, by the options of each client. */
const logged = new WeakMap<TidingsOptions, Set<string>>()

/** Writes a message to the app's logger or the console, once per client. */
function once(options: TidingsOptions, text: string, ...more: unknown[]) {
  let texts = logged.get(options)
  if (texts === undefined) {
    logged.set(options, (texts = new Set()))
    // A warning, not an error: a newer version may know the option.
    for (const name in options) if (!(name in OPTIONS)) once(options, `\`${name}\` is no option of createTidings: is it spelt as the documentation has it?`)
  }
  if (text === '' || texts.has(text) || texts.size >= LOGGED_MAX) return
  texts.add(text)
  ;(options.logger ?? console).warn(`tidings: ${text}`, ...more)
}

/** Warns of a change that was made before the user is known: it must not become the next user's. */
export function unnamed(options: TidingsOptions): void {
  once(options, 'a change was asked for before anybody said who the user is. It is made once the ticket names the user, and lost if the page ends before: give createTidings the option `user`, or call setUser() first.')
}

/**
 * Logs the problem, or the success. `base` is the server's address without any part that may be
 * secret.
 */
export function log(options: TidingsOptions, { error, status, user, transport }: Partial<Connection>, base: string): void {
  once(options, '')
  if (error) once(options, `${error.message} [${error.code}, url ${base || 'unknown'}] The client's explain() says what happens next, and ${error.docs} what to do.`, error)
  else if (status === 'connected') options.logger?.debug(`tidings: connected to ${base} as ${user} by ${transport}`)
}
