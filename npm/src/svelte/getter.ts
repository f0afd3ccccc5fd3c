/**
 * A value, or a function that returns it. The function is called again when the state that it reads
 * changed.
 */
export type MaybeGetter<T> = T | (() => T)

/** The current value. */
export function valueOf<T extends object | string | null | undefined>(given: MaybeGetter<T>): T {
  return typeof given === 'function' ? (given as () => T)() : given
}

/** The result of `make` for the current key; made again only when the key changes. */
export function latest<K, V>(key: () => K, make: (key: K) => V): () => V {
  let made: { readonly key: K; readonly value: V } | undefined
  return () => {
    const wanted = key()
    if (made === undefined || !Object.is(made.key, wanted)) made = { key: wanted, value: make(wanted) }
    return made.value
  }
}
