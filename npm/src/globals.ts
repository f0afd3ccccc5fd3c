/**
 * The host's global of this name. Some hosts throw on mere access: a sandboxed frame, or a browser
 * that blocks storage. That counts as absent.
 */
export function given<K extends keyof typeof globalThis>(name: K): (typeof globalThis)[K] | undefined {
  try {
    return globalThis[name]
  } catch {
    return undefined
  }
}

/** Holds a value weakly. Hosts without `WeakRef` keep it for good. */
export function weakly<T extends object>(value: T): Pick<WeakRef<T>, 'deref'> {
  const { WeakRef: Weak } = globalThis as Partial<typeof globalThis>
  return Weak ? new Weak(value) : { deref: () => value }
}

/**
 * The UTF-8 bytes of a name. `Infinity` for a control character, which no name has, and for half of
 * a surrogate pair, which can't be sent.
 */
export function bytesOf(text: string): number {
  return /[\p{Cs}\p{Cc}]/u.test(text) ? Infinity : encodeURIComponent(text).replace(/%../g, 'b').length
}
