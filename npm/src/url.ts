/** Links that are safe to follow, and the address of the socket. */

import { failure, messageOf } from './error.js'
import { isObject, isText, record } from './foreign.js'
import type { TidingsOptions } from './types.js'

const NOWHERE = 'https://nowhere.invalid'

/** The address of the socket below the server's base address. Throws what is wrong with that, for the app. */
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
 * The link itself if it is http, https or relative, else nothing. Read as a browser reads it, so that
 * `java\nscript:` and other spellings of a bad scheme don't pass.
 */
export function safeLink(link: unknown): string | undefined {
  return isText(link) && /^https?:$/.test(parse(link, NOWHERE)?.protocol ?? '') ? link : undefined
}

/** The link that `data.routing` describes: `{type: 'navigate', path, params}`, `:name` in the path from `params`. */
export function routeLink(data: unknown): string | undefined {
  const { type, path, params } = record(record(data)['routing'])
  if (type !== 'navigate' || typeof path !== 'string' || !path.startsWith('/')) return undefined
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(record(params))) {
    if (value !== null && !isObject(value)) query.set(name, String(value))
  }
  let link = path.replace(/:(\w+)/g, (whole, name: string) => {
    const value = query.get(name)
    query.delete(name)
    return value === null ? whole : encodeURIComponent(value)
  })
  const rest = query.toString()
  if (rest !== '') link += (link.includes('?') ? '&' : '?') + rest
  return safeLink(link)
}

function parse(url: string, base: string | undefined): URL | undefined {
  try {
    return new URL(url, base)
  } catch {
    return undefined
  }
}
