import { invalid } from '../error.js'

/** The headers of a request that tell its origin. */
export interface Asked {
  readonly method: string
  /** The header of this lower-case name. */
  header(name: string): string | null | undefined
}

/** The pages that may use a route. */
export interface Pages {
  /**
   * The response headers that let the page read the answer; `undefined` if the page may not ask.
   */
  admit(asked: Asked): Record<string, string> | undefined
}

/** How long browsers may cache the answer to a preflight, in seconds. */
const PREFLIGHT = '600'

/**
 * Admits pages of the route's own host, and of these origins. The user's cookie authorises the
 * request, so another site's page must not get a ticket. Throws if an entry is not an origin.
 */
export function pages(origins: readonly string[] = []): Pages {
  const others = new Set(origins.map(originOf))
  return {
    admit(asked) {
      const origin = asked.header('origin')
      if (origin && others.has(plain(origin))) return sharedWith(origin, asked)
      return isOwn(asked, origin) ? {} : undefined
    },
  }
}

/** Browsers send their origin with every POST; a request without one is not from a browser. */
function isOwn({ header }: Asked, origin: string | null | undefined): boolean {
  const site = header('sec-fetch-site')
  if (site) return site === 'same-origin'
  if (!origin) return true
  // A page of another site can't set this header: browsers would send a preflight first.
  const host = header('x-forwarded-host')?.split(',')[0]?.trim() || header('host')
  const own = host ? parse(`${plain(origin).split('://')[0]}://${host}`)?.host : undefined
  return own !== undefined && own !== '' && own === parse(origin)?.host
}

function sharedWith(origin: string, { method, header }: Asked): Record<string, string> {
  const shared = { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true', vary: 'Origin' }
  if (method !== 'OPTIONS') return shared
  const wanted = header('access-control-request-headers')
  return {
    ...shared,
    'access-control-allow-methods': 'POST',
    'access-control-max-age': PREFLIGHT,
    ...(wanted ? { 'access-control-allow-headers': wanted } : {}),
  }
}

function originOf(entry: unknown): string {
  const url = typeof entry === 'string' ? parse(entry) : undefined
  const rest = url && `${url.pathname}${url.search}${url.hash}`
  if (!url || url.host === '' || url.username !== '' || !['', '/'].includes(rest ?? '') || /\*/.test(url.host)) {
    throw invalid(`\`origins\` must list origins such as https://app.example.com: ${JSON.stringify(entry)} is none.`)
  }
  return plain(entry as string)
}

/**
 * As browsers write it: in lower case and without the scheme's default port. Custom schemes of apps
 * have no default port.
 */
function plain(origin: string): string {
  const url = parse(origin)
  return url === undefined ? origin : `${url.protocol}//${url.host}`
}

function parse(url: string): URL | undefined {
  try {
    return new URL(url)
  } catch {
    return undefined
  }
}
