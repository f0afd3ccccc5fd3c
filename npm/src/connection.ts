import type { ErrorFacts, TidingsError } from './error.js'
import { cell, unlessSame, type Cell, type Owner } from './readable.js'
import type { Connection } from './types.js'

/** The connection and what moves it. */
export interface ConnectionCell extends Cell<Connection> {
  /** Takes the core's text. */
  take(text: string): void
  /** What is so without a core. */
  state(change: Partial<Connection>): void
}

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

/** The connection of one client; `make` makes an error with what was thrown below it. */
export function connection(owner: Owner, make: (facts: ErrorFacts) => TidingsError): ConnectionCell {
  const value = cell(CONNECTION, owner)
  let current = CONNECTION
  const put = (next: Connection) => {
    current = unlessSame(CONNECTION, unlessSame(current, Object.freeze(next)))
    value.put(current)
  }
  return {
    ...value,
    take(text) {
      const raw = JSON.parse(text) as Omit<Connection, 'error'> & { error: ErrorFacts | null }
      const { error: old } = current
      const error =
        raw.error === null || (raw.error.code === old?.code && raw.error.message === old.message)
          ? raw.error && old
          : make(raw.error)
      put({ ...raw, error })
    },
    state: (change) => put({ ...CONNECTION, ...change }),
  }
}
