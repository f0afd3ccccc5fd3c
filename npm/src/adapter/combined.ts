import type { Readable } from 'tidings'

/** Anything that announces its changes: a readable, a store, a timer. */
export interface Source {
  subscribe(fn: () => void): () => void
}

/**
 * A readable made of others. `get` computes its value, and subscribers are called whenever one of
 * `sources` changes.
 */
export function combined<T>(initial: T, sources: readonly Source[], get: () => T): Readable<T> {
  return {
    initial,
    get,
    subscribe(fn) {
      // Each source calls back at once on subscribe: ignore those calls, and call `fn` once below.
      let begun = false
      const ends = sources.map((source) => source.subscribe(() => begun && fn(get())))
      begun = true
      fn(get())
      return () => ends.forEach((end) => end())
    },
  }
}
