import type { TidingsError } from './error.js'

/** Promises of what the core was asked for, by number. */
export interface Intents {
  /** Opens one. Unawaited it is silent; awaited it throws. */
  open<T>(send: (intent: number) => void): Promise<T>
  /** Ends one: the answer is for whoever waits for it, if anybody does. */
  end(intent: number): Waiting | undefined
  /** Ends all: nobody is left to answer them. */
  reject(error: TidingsError): void
}

interface Waiting {
  resolve(value: unknown): void
  reject(error: TidingsError): void
}

/** No intents yet. */
export function intents(): Intents {
  const open = new Map<number, Waiting>()
  let last = 0
  return {
    open<T>(send: (intent: number) => void) {
      const intent = ++last
      const promise = new Promise<T>((resolve, reject) => open.set(intent, { resolve: resolve as Waiting['resolve'], reject }))
      // The refusal is also in the outbox and told to listeners: nobody has to await it.
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
