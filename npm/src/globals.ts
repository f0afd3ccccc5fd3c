/**
 * What a host gives under this name. Some hosts throw where one only looks: a sandboxed frame, or a browser told to keep
 * nothing. That is as good as not there.
 */
export function given<K extends keyof typeof globalThis>(name: K): (typeof globalThis)[K] | undefined {
  try {
    return globalThis[name]
  } catch {
    return undefined
  }
}

/** Holds a value as long as somebody else does; where a host has nothing to do that with, for good. */
export function weakly<T extends object>(value: T): Pick<WeakRef<T>, 'deref'> {
  const { WeakRef: Weak } = globalThis as Partial<typeof globalThis>
  return Weak ? new Weak(value) : { deref: () => value }
}

/** Bytes of a text; more than any limit where it is no text that can be sent, because half a character is missing. */
export function bytesOf(text: string): number {
  return /\p{Cs}/u.test(text) ? Infinity : encodeURIComponent(text).replace(/%../g, 'b').length
}
