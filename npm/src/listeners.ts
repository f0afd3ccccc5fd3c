import type { Call } from './readable.js'

type Fn = (event: never) => void

/** The app's listeners by event. */
export interface Listeners<Events> {
  add<E extends keyof Events>(event: E, fn: (event: Events[E]) => void): () => void
  emit<E extends keyof Events>(event: E, value: Events[E]): void
  /** Whether the event has a listener. */
  has(event: keyof Events): boolean
  clear(): void
}

export function listeners<Events>(call: Call): Listeners<Events> {
  // Each registration is an entry of its own, because the same function may be added twice.
  const entries = new Set<readonly [keyof Events, Fn]>()
  return {
    add(event, fn) {
      const entry = [event, fn as Fn] as const
      entries.add(entry)
      return () => void entries.delete(entry)
    },
    emit(event, value) {
      for (const entry of [...entries]) {
        if (entry[0] === event && entries.has(entry)) call(entry[1] as (value: unknown) => void, value)
      }
    },
    has: (event) => [...entries].some((entry) => entry[0] === event),
    clear: () => entries.clear(),
  }
}
