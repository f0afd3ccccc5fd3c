type Dictionary = Record<string, unknown>

/**
 * Whether two values have the same content one level deep: identical, or arrays or plain objects
 * whose entries are identical. All other values (dates, maps, class instances) are compared by
 * identity only.
 */
export function shallowEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((value, at) => Object.is(value, b[at]))
  }
  if (!isPlain(a) || !isPlain(b)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every(key => Object.hasOwn(b, key) && Object.is(a[key], b[key]))
}

function isPlain(value: unknown): value is Dictionary {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
