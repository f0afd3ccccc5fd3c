/** Links that are safe to follow, and the address of the socket. */

const NOWHERE = 'https://nowhere.invalid'

/** The address of the socket below the server's base address, or an error in words. */
export function socketUrl(base: unknown): { readonly url: string } | { readonly problem: string } {
  if (typeof base !== 'string' || base === '') return { problem: '`url` is missing: give the address of the Tidings server' }
  let url: URL
  try {
    url = new URL(base, typeof location === 'undefined' ? undefined : location.href)
  } catch {
    return { problem: `\`url\` is not an address: ${base}` }
  }
  const scheme = { 'http:': 'ws:', 'https:': 'wss:', 'ws:': 'ws:', 'wss:': 'wss:' }[url.protocol]
  if (scheme === undefined) return { problem: `\`url\` must be http or https: ${base}` }
  return { url: `${scheme}//${url.host}${url.pathname.replace(/\/+$/, '')}/v1/ws` }
}

/**
 * The link itself if it is http, https or relative, else nothing. Read as a browser reads it, so that
 * `java\nscript:` and other spellings of a bad scheme don't pass.
 */
export function safeLink(link: unknown): string | undefined {
  if (typeof link !== 'string' || link === '') return undefined
  try {
    return /^https?:$/.test(new URL(link, NOWHERE).protocol) ? link : undefined
  } catch {
    return undefined
  }
}

/** The link that `data.routing` describes: `{type: 'navigate', path, params}`, `:name` in the path from `params`. */
export function routeLink(data: unknown): string | undefined {
  const routing = record(record(data)?.['routing'])
  const path = routing?.['path']
  if (routing?.['type'] !== 'navigate' || typeof path !== 'string' || !path.startsWith('/')) return undefined
  const params = new Map<string, string>()
  for (const [key, value] of Object.entries(record(routing['params']) ?? {})) {
    if (value !== null && typeof value !== 'object') params.set(key, String(value))
  }
  const filled = path.replace(/:(\w+)/g, (whole, name: string) => {
    const value = params.get(name)
    params.delete(name)
    return value === undefined ? whole : encodeURIComponent(value)
  })
  const query = new URLSearchParams([...params]).toString()
  return safeLink(query === '' ? filled : `${filled}${filled.includes('?') ? '&' : '?'}${query}`)
}

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
}
