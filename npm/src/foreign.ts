/** What comes from an app or its backend may be anything. */

/** Whether it is a text, and says something. */
export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** Its fields; what is no object has none. */
export function record(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? (value as Record<string, unknown>) : {}
}
