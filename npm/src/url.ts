/** Links that are safe to follow, and the address of the socket. */

import { failure, messageOf } from './error.js'
import { isObject, isText, record } from './untrusted.js'
import type { TidingsOptions } from './types.js'

/**
 * The address of the socket below the server's base address. A wrong base address throws an error
 * for the app.
 */
export function socketUrl(base: TidingsOptions['url']): string {
  const wrong = (why: string, cause?: unknown) => failure('url_missing', 'app', `\`url\` ${why}.`, cause)
  let given: unknown = base
  try {
    if (typeof base === 'function') given = base()
  } catch (thrown) {
    throw wrong(`threw: ${messageOf(thrown)}`, thrown)
  }
  if (!isText(given)) throw wrong('is missing: give the address of the Tidings server')
  // Without a scheme a browser would take it as a path of the page, and ask the page's own server.
  const url = /^([a-z]+:\/)?[/.]/i.test(given) ? parse(given, globalThis.location?.href) : undefined
  const scheme = url?.protocol.replace('http', 'ws') ?? ''
  if (!url || !/^wss?:$/.test(scheme)) throw wrong(`must begin with http://, https:// or /: ${given}`)
  return `${scheme}//${url.host}${url.pathname.replace(/\/+$/, '')}/v1/ws`
}

/**
 * With these characters a browser follows another link than people and apps read: it drops some,
 * and reads a backslash as a slash.
 */
const ODD = /[\\\p{Cc}]|^ | $/u
/** Path segments that are empty or dots, in any spelling. */
const LOST = /\/(\/|(\.|%2e){1,2}(\/|$))/i

/**
 * The link itself, if it is safe; else `undefined`. Safe are http and https links with a host and
 * no user name, and links that stay on the page's origin. `//host` only looks as if it stayed. So
 * does a path that becomes such a link without its dots, because apps pass paths to routers.
 */
export function safeLink(link: unknown): string | undefined {
  if (!isText(link) || ODD.test(link)) return undefined
  const url = parse(link, 'https://nowhere.invalid')
  const absolute = /^https?:\/\/[^/]/i.test(link)
  const away = /^(\/\/|[a-z][a-z\d+.-]*:)/i.test(link)
  const fine = url && (absolute ? url.username + url.password === '' : !away && !url.pathname.startsWith('//'))
  return fine ? link : undefined
}

/**
 * The link that `data.routing` describes, on the page's own origin:
 * `{type: 'navigate', path, params}`. `params` replace `:name` in the path.
 */
export function routeLink(data: unknown): string | undefined {
  const { type, path, params } = record(record(data)['routing'])
  if (type !== 'navigate' || typeof path !== 'string' || !path.startsWith('/')) return undefined
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(record(params))) {
    if (value !== null && !isObject(value)) query.set(name, String(value))
  }
  // Without a value for a segment, the following segments would move up.
  let lost = false
  let link = path.replace(/:(\w+)/g, (whole, name: string) => {
    const value = query.get(name)
    query.delete(name)
    lost ||= value === ''
    return value === null ? whole : encodeURIComponent(value)
  })
  lost ||= LOST.test(link.replace(/[?#].*/s, ''))
  const rest = query.toString()
  if (rest !== '') link += (link.includes('?') ? '&' : '?') + rest
  return lost ? undefined : safeLink(link)
}

function parse(url: string, base: string | undefined): URL | undefined {
  try {
    return new URL(url, base)
  } catch {
    return undefined
  }
}
