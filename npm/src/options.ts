import { invalid } from './error.js'
import { isObject, isText } from './untrusted.js'
import { TRANSPORTS } from './generated/ops.js'
import { bytesOf } from './globals.js'
import type { TidingsOptions } from './types.js'

/** Throws at once and names the option, so that the stack leads to the caller. */
export function check(options: TidingsOptions): void {
  must(isObject(options), 'options', 'an object with `url` and `ticket`')
  const { url, ticket, user, storage, backoff = {}, heartbeat, transports = TRANSPORTS, keep, keepChannels, keepDays, signedOut, logger } = options
  // A missing url may come later, from a function or an environment: it is reported at connect.
  must(['string', 'function', 'undefined'].includes(typeof url), 'url', 'an address or a function that gives one')
  must(typeof ticket === 'function', 'ticket', 'a function that fetches a ticket')
  if (user !== undefined) checkUser(user)
  must(['auto', 'memory', undefined].includes(storage), 'storage', "'auto' or 'memory'")
  must(['wipe', 'keep', undefined].includes(signedOut), 'signedOut', "'wipe' or 'keep'")
  must(isObject(backoff), 'backoff', 'an object')
  within(1, backoff.base, 'backoff.base')
  within(1, backoff.cap, 'backoff.cap')
  within(1, backoff.maxAttempts, 'backoff.maxAttempts')
  within(1_000, heartbeat, 'heartbeat')
  must(Array.isArray(transports) && transports.length > 0 && transports.length < 4 && transports.every((way) => TRANSPORTS.includes(way)), 'transports', `one to three of ${TRANSPORTS}`)
  within(1, keep, 'keep', 1_000)
  within(1, keepChannels, 'keepChannels', 10_000)
  within(1, keepDays, 'keepDays', 3_650)
  must(logger === undefined || typeof logger?.error === 'function', 'logger', 'an object such as console')
}

/** User ids have the server's limits. */
export function checkUser(user: unknown): void {
  const fine = user === null || (isText(user) && bytesOf(user) <= 128)
  must(fine, 'user', 'a user id of 1 to 128 bytes, no control characters, or null')
}

function within(least: number, value: unknown, option: string, most = 2 ** 31): void {
  must(value === undefined || (typeof value === 'number' && value >= least && value <= most), option, `a number from ${least} to ${most}`)
}

/** Throws unless the argument is valid. */
export function must(fine: boolean, name: string, what: string): void {
  if (!fine) throw invalid(`\`${name}\` must be ${what}.`)
}
