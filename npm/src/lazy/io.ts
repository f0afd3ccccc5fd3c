/** The deferred services of a core: caches and rows of the outbox, and requests. */

import type { RawRequest, Tell, WorldOp } from '../generated/ops.js'
import { ABORT_REQUEST, REQUEST } from '../generated/lazy-ops.js'
import type { Storage } from '../storage.js'
import { lanes, type StorageOp } from './lanes.js'
import { requests } from './requests.js'

/** Handles the core's operations. */
export type Ask = (...op: WorldOp) => void

/**
 * The services of one core until the signal aborts. `unsaved` receives the reason why a cache was
 * not written.
 */
export function io(storage: Storage, unsaved: (error: unknown) => void, socket: () => string, tell: Tell, signal: AbortSignal): Ask {
  const ask = lanes(storage, unsaved, tell, signal)
  const { make, abort } = requests(socket, tell, signal)
  return (...asked) => {
    const [op, number, text] = asked
    if (op === REQUEST) make(number, JSON.parse(text) as RawRequest)
    else if (op === ABORT_REQUEST) abort(number)
    else ask(...(asked as StorageOp))
  }
}
