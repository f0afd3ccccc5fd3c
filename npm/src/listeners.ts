import type { Call } from './readable.js'
import type { TidingsEvents } from './types.js'

type Fn = (event: never) => void

/** The app's listeners by event. */
export interface Listeners {
  add<E extends keyof TidingsEvents>(event: E, fn: (event: TidingsEvents[E]) => void): () => void
  tell<E extends keyof TidingsEvents>(event: E, value: TidingsEvents[E]): void
  clear(): void
}

/** No listeners yet. */
export function listeners(call: Call): Listeners {
  // Each registration is an entry of its own: the same function may listen twice.
  const entries = new Set<readonly [keyof TidingsEvents, Fn]>()
  return {
    add(event, fn) {
      const entry = [event, fn as Fn] as const
      entries.add(entry)
      return () => void entries.delete(entry)
    },
    tell(event, value) {
      for (const entry of [...entries]) {
        if (entry[0] === event && entries.has(entry)) call(entry[1] as (value: unknown) => void, value)
      }
    },
    clear: () => entries.clear(),
  }
}
