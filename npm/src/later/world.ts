/** The deferred services of a core: caches and rows of the outbox, and requests. */

import type { Tell } from '../host.js'
import type { Storage } from '../storage.js'
import { lanes } from './lanes.js'
import { requests } from './requests.js'

/**
 * How many operations from `KEEP` on are about rows. The operations below `KEEP` are about caches.
 */
const OF_LANES = 3

/**
 * Handles the core's operations by their numbers from `KEEP` on. The answers have numbers from
 * `kept` on, the number of `KEPT`.
 */
export type Ask = (what: number, number: number, text: string) => unknown

/**
 * The services of one core until the signal aborts. `unsaved` receives the reason why a cache was
 * not written.
 */
export function world(storage: Storage, unsaved: (error: unknown) => void, socket: () => string, tell: Tell, kept: number, signal: AbortSignal): Ask {
  const ask = lanes(storage, unsaved, tell, kept, signal)
  const make = requests(socket, tell, kept + OF_LANES, signal)
  return (what, number, text) => (what < OF_LANES ? ask(what, number, text) : make(what - OF_LANES, number, text))
}
