import type { TidingsError } from './error.js'

/** Promises of calls that the core has not answered yet, by number. */
export interface Intents {
  /** Opens a promise. A rejection that the app does not await is silent. */
  open<T>(send: (intent: number) => void): Promise<T>
  /** Ends a promise: the caller resolves or rejects the returned one, if there is one. */
  end(intent: number): Waiting | undefined
  /** Rejects all promises, because no answer will come. */
  reject(error: TidingsError): void
}

interface Waiting {
  resolve(value: unknown): void
  reject(error: TidingsError): void
}

export function intents(): Intents {
  const open = new Map<number, Waiting>()
  let last = 0
  return {
    open<T>(send: (intent: number) => void) {
      const intent = ++last
      const promise = new Promise<T>((resolve, reject) => open.set(intent, { resolve: resolve as Waiting['resolve'], reject }))
      // A refusal is also in the outbox and emitted to listeners, so the app need not await it.
      promise.catch(() => {})
      send(intent)
      return promise
    },
    end(intent) {
      const waiting = open.get(intent)
      open.delete(intent)
      return waiting
    },
    reject(error) {
      for (const waiting of open.values()) waiting.reject(error)
      open.clear()
    },
  }
}
