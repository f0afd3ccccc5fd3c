import { invalid } from './error.js'
import type { TidingsOptions } from './types.js'

/** Throws at once, naming the option, so that the stack leads to the caller. */
export function check(options: TidingsOptions): void {
  const given: unknown = options
  if (typeof given !== 'object' || given === null) throw invalid('createTidings takes an object with `url` and `ticket`.')
  const { url, ticket, user, storage, backoff, heartbeat, keep, logger } = options
  // A missing url may come later, by a function or by an environment: it is reported at connect.
  if (url !== undefined) must(typeof url === 'string' || typeof url === 'function', 'url', 'an address or a function that gives one')
  must(typeof ticket === 'function', 'ticket', 'a function that fetches a ticket')
  if (user !== undefined && user !== null) checkUser(user, 'user')
  must(storage === undefined || storage === 'auto' || storage === 'memory', 'storage', "'auto' or 'memory'")
  must(backoff === undefined || (typeof backoff === 'object' && backoff !== null), 'backoff', 'an object')
  atLeast(backoff?.base, 1, 'backoff.base')
  atLeast(backoff?.cap, 1, 'backoff.cap')
  atLeast(backoff?.maxAttempts, 1, 'backoff.maxAttempts')
  atLeast(heartbeat, 1_000, 'heartbeat')
  atLeast(keep, 1, 'keep')
  must((keep ?? 0) <= 1_000, 'keep', 'at most 1000')
  must(logger === undefined || typeof logger?.error === 'function', 'logger', 'an object with debug, warn and error, such as console')
}

/** User ids are what the server takes for one. */
export function checkUser(user: unknown, option: string): void {
  must(typeof user === 'string' && user !== '' && new TextEncoder().encode(user).length <= 128, option, 'a user id of 1 to 128 bytes, or null')
}

function atLeast(value: number | undefined, least: number, option: string): void {
  must(value === undefined || (typeof value === 'number' && value >= least && value <= 2 ** 31), option, `a number from ${least}`)
}

function must(fine: boolean, option: string, what: string): void {
  if (!fine) throw invalid(`\`${option}\` must be ${what}.`)
}
