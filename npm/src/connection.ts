import type { Connection } from './types.js'

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
