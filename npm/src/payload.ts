/** Checks that JSON can carry a payload without changing it. */

/**
 * The deepest nesting of a payload. The messages around a payload use the remaining levels of the
 * protocol's limit of 32.
 */
const DEPTH = 28

/**
 * The first value that JSON would change or leave out, with its path; `undefined` if the payload
 * arrives unchanged. A value with a `toJSON` (a date) counts as the result of that.
 */
export function unsayable(value: unknown, path = 'data', depth = 0): string | undefined {
  if (typeof value === 'string') return /\p{Cs}/u.test(value) ? `${path}\` has half of a surrogate pair (was a text cut inside a character?)` : undefined
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : `${path}\` is ${value}`
  if (value === null || typeof value === 'boolean') return undefined
  if (typeof value !== 'object') return `${path}\` is ${typeof value === 'undefined' ? value : `a ${typeof value}`}`
  const { toJSON } = value as { toJSON?: unknown }
  if (typeof toJSON === 'function') return unsayable(toJSON.call(value, ''), path, depth + 1)
  const kind = Object.prototype.toString.call(value).slice(8, -1)
  if (!['Object', 'Array'].includes(kind)) return `${path}\` is a ${kind}`
  if (depth >= DEPTH) return `${path}\` is nested deeper than ${DEPTH}, or holds itself`
  const list = Array.isArray(value)
  // Loop over indexes, because that finds the holes of an array too.
  for (const key of list ? value.keys() : Object.keys(value)) {
    const inside = list ? `${path}[${key}]` : `${path}.${key}`
    const wrong = (list ? undefined : unsayable(key, inside)) ?? unsayable((value as Record<string, unknown>)[key as string], inside, depth + 1)
    if (wrong !== undefined) return wrong
  }
  return undefined
}
