/** What else of the world a core asks for, once all of it is there: caches and rows of the outbox, and requests. */

import type { Tell } from '../host.js'
import type { Storage } from '../storage.js'
import { lanes } from './lanes.js'
import { requests } from './requests.js'

/** Words from `KEEP` on that are about rows; those before it are about caches. */
const OF_LANES = 3

/** Does what the core asks, by the numbers of its words from `KEEP` on; answers by those from `KEPT` on, which is `kept`. */
export type Ask = (what: number, number: number, text: string) => unknown

/** What one core may ask for until the signal aborts. `unsaved` is told why a cache was not written. */
export function world(storage: Storage, unsaved: (error: unknown) => void, socket: () => string, tell: Tell, kept: number, signal: AbortSignal): Ask {
  const ask = lanes(storage, unsaved, tell, kept, signal)
  const make = requests(socket, tell, kept + OF_LANES, signal)
  return (what, number, text) => (what < OF_LANES ? ask(what, number, text) : make(what - OF_LANES, number, text))
}
