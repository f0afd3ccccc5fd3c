/** A value, or a function that gives it and is asked again when what it reads has changed. */
export type MaybeGetter<T> = T | (() => T)

/** The value now. */
export function valueOf<T extends object | string | null | undefined>(given: MaybeGetter<T>): T {
  return typeof given === 'function' ? (given as () => T)() : given
}

/** What `make` made of the key, made anew only when the key is another. */
export function latest<K, V>(key: () => K, make: (key: K) => V): () => V {
  let made: { readonly key: K; readonly value: V } | undefined
  return () => {
    const wanted = key()
    if (made === undefined || !Object.is(made.key, wanted)) made = { key: wanted, value: make(wanted) }
    return made.value
  }
}
