import type { TidingsError } from './error.js'

/** Promises of what the core was asked for, by number. */
export interface Intents {
  /** Opens one. Unawaited it is silent; awaited it throws. */
  open<T>(send: (intent: number) => void): Promise<T>
  settle(intent: number, result: { readonly value: unknown } | { readonly error: TidingsError }): void
  /** Ends all: nobody is left to answer them. */
  reject(error: TidingsError): void
}

/** No intents yet. */
export function intents(): Intents {
  const open = new Map<number, { resolve(value: never): void; reject(error: TidingsError): void }>()
  let last = 0
  return {
    open(send) {
      const intent = ++last
      const promise = new Promise<never>((resolve, reject) => open.set(intent, { resolve, reject }))
      // The refusal is also in the outbox and told to listeners: nobody has to await it.
      promise.catch(() => {})
      send(intent)
      return promise
    },
    settle(intent, result) {
      const waiting = open.get(intent)
      open.delete(intent)
      if ('error' in result) waiting?.reject(result.error)
      else waiting?.resolve(result.value as never)
    },
    reject(error) {
      for (const waiting of open.values()) waiting.reject(error)
      open.clear()
    },
  }
}
