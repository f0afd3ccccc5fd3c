import type { ErrorFacts } from './error.js'
import type { Connection } from './types.js'

/** A connection as the core writes it. */
export type RawConnection = Omit<Connection, 'error'> & { readonly error: ErrorFacts | null }

/** The connection's snapshot before anything is known. */
export const CONNECTION: Connection = Object.freeze({
  status: 'idle',
  lost: false,
  user: null,
  error: null,
  attempt: 0,
  retryAt: null,
  transport: null,
  durable: false,
})
