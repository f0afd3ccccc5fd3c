/** The deferred services of a core: caches and rows of the outbox, and requests. */

import type { chunk } from '../chunk.js'
import type { RawRequest, Tell, WorldOp } from '../generated/ops.js'
import { ABORT_REQUEST, REQUEST, RESPONSE_ENDED } from '../generated/lazy-ops.js'
import type { Storage } from '../storage.js'
import { lanes, type StorageOp } from './lanes.js'
import type { Requests } from './requests.js'

/** Handles the core's operations. */
export type Ask = (...op: WorldOp) => void

/** The parts of a page that the services need. */
export interface IoNeeds {
  readonly storage: Storage
  /** Given, because this file can't import it without the page's entry. */
  readonly chunk: typeof chunk
  /** The address of the server's socket. */
  url(): string
  /** Receives the reason why a cache was not written. */
  unsaved(error: unknown): void
}

/** The services of one core until the signal aborts. */
export function io({ storage, chunk, url, unsaved }: IoNeeds, tell: Tell, signal: AbortSignal): Ask {
  const ask = lanes(storage, unsaved, tell, signal)
  // A page whose WebSocket gets through never needs this code.
  const load = chunk(() => import('./requests.js'))
  let loading: Promise<Requests> | undefined
  const request = (work: (requests: Requests) => void, failed: (reason: string) => void) => {
    loading ??= load().then((loaded) => loaded.requests(url, tell, signal))
    loading.then(work, (error: unknown) => {
      loading = undefined
      failed(error instanceof Error ? error.message : String(error))
    })
  }
  return (...asked) => {
    const [op, number, text] = asked
    if (op === REQUEST) {
      const facts = JSON.parse(text) as RawRequest
      request(({ make }) => make(number, facts), (reason) => tell(RESPONSE_ENDED, number, reason))
    } else if (op === ABORT_REQUEST) request(({ abort }) => abort(number), () => {})
    else ask(...(asked as StorageOp))
  }
}
