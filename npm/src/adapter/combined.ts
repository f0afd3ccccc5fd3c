import type { Readable } from 'tidings'

/** Whatever can say that it has changed: a readable, a store, a timer. */
export interface Source {
  subscribe(fn: () => void): () => void
}

/** A readable made of others: `get` says what it is, and it is told anew whenever one of `sources` changes. */
export function combined<T>(initial: T, sources: readonly Source[], get: () => T): Readable<T> {
  return {
    initial,
    get,
    subscribe(fn) {
      // Sources call at once: that is one first call, not one each.
      let begun = false
      const ends = sources.map((source) => source.subscribe(() => begun && fn(get())))
      begun = true
      fn(get())
      return () => ends.forEach((end) => end())
    },
  }
}
