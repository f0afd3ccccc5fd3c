/** Checks for values from an app or its backend, which may be of any type. */

/** Whether it is a string with content. */
export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** Its fields; a value that is no object has none. */
export function record(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? (value as Record<string, unknown>) : {}
}
