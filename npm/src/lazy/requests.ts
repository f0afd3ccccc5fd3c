/**
 * Requests to the server, for the HTTP transports. Answers are passed on as they arrive; the core
 * interprets them.
 */

import { RESPONSE_CHUNK, RESPONSE_ENDED, RESPONSE_STARTED } from '../generated/lazy-ops.js'
import type { RawRequest, Tell } from '../generated/ops.js'
import { streamSlots, type StreamSlot } from './stream-slots.js'

/** Makes requests of one core, by number. */
export interface Requests {
  make(request: number, facts: RawRequest): void
  abort(request: number): void
}

/** The reason why a page opens no third stream; the client polls instead. */
const STREAMS_TAKEN = 'other tabs hold as many streams as a browser has connections for by HTTP/1.1: serve Tidings by HTTP/2, or let WebSocket through'

/**
 * Requests of one core. When the signal aborts the core is gone, and all requests are aborted.
 *
 * `socket` returns the address of the server's socket; empty if there is none.
 */
export function requests(socket: () => string, tell: Tell, signal: AbortSignal): Requests {
  const running = new Map<number, AbortController>()
  const turn = streamSlots(signal)

  signal.addEventListener('abort', () => {
    for (const number of [...running.keys()]) abort(number)
  })
  const abort = (number: number) => {
    running.get(number)?.abort()
    running.delete(number)
  }

  const make = async (number: number, { path, bearer, body }: RawRequest) => {
    const control = new AbortController()
    running.set(number, control)
    /** Reports to the core, unless the request was aborted. */
    const say: Tell = (...told) => {
      if (running.get(number) === control) tell(...told)
    }
    const address = socket().replace(/^ws(.+)ws$/, 'http$1')
    let begun = false
    let forbidden = false
    let why = ''
    // Browsers report a violation of the page's own policy only by this event; the request itself
    // just fails.
    const violated = ({ blockedURI, disposition, effectiveDirective }: SecurityPolicyViolationEvent) => {
      forbidden ||= disposition === 'enforce' && effectiveDirective === 'connect-src' && originOf(blockedURI) === originOf(address)
    }
    globalThis.addEventListener?.('securitypolicyviolation', violated)
    let mine: StreamSlot | undefined
    try {
      if (address === '') throw new Error()
      mine = await turn(address, path, control.signal)
      if (mine === undefined) {
        why = STREAMS_TAKEN
        throw new Error()
      }
      const response = await fetch(address + mine.path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...(bearer && { Authorization: `Bearer ${bearer}` }) },
        body,
        cache: 'no-store',
        // A proxy in front of the same origin may need the page's cookies; another origin gets
        // none.
        credentials: 'same-origin',
        redirect: 'error',
        referrerPolicy: 'no-referrer',
        signal: control.signal,
      })
      begun = true
      say(RESPONSE_STARTED, number, response.status, patience(response.headers.get('retry-after')))
      await read(response, (piece) => say(RESPONSE_CHUNK, number, piece))
    } catch {
      // The browser's own error says less than is known here, and might repeat a secret.
      why ||= begun ? 'the answer broke off' : await cause(address, () => forbidden)
    }
    globalThis.removeEventListener?.('securitypolicyviolation', violated)
    mine?.end()
    say(RESPONSE_ENDED, number, why)
    running.delete(number)
  }

  return { make: (number, facts) => void make(number, facts), abort }
}

/** Reads a body's text in the pieces in which it arrives; characters stay whole. */
async function read(response: Response, each: (piece: string) => void): Promise<void> {
  const decoder = new TextDecoder()
  const reader = response.body?.getReader()
  // A browser without streams gets the whole body at the end. That is enough for polls, and the
  // client leaves a stream for them.
  if (reader === undefined) return each(await response.text())
  for (;;) {
    const { done, value } = await reader.read()
    const piece = decoder.decode(value, { stream: !done })
    if (piece !== '') each(piece)
    if (done) return
  }
}

/** `Retry-After` in milliseconds. The header holds seconds or a date. */
function patience(after: string | null): `${number}` | '' {
  const wait = Number(after) * 1000 || Date.parse(after ?? '') - Date.now()
  return wait > 0 ? `${Math.ceil(wait)}` : ''
}

/** Why a request had no answer, as far as a page can know. */
async function cause(address: string, forbidden: () => boolean): Promise<string> {
  if (address === '') return 'there is no address of a server: see `url`'
  // The browser reports a violation after the failure: wait one task.
  await new Promise((resolve) => setTimeout(resolve))
  if (forbidden()) return "the page's Content-Security-Policy forbids it: add the server's address to connect-src"
  if (address.startsWith('http:') && globalThis.location?.protocol === 'https:') return 'the page came by https and may not ask by http: serve Tidings by https'
  if (globalThis.navigator?.onLine === false) return 'there is no network'
  return "no answer that the page may read: the server is away, a proxy before it refuses, or the page's origin is not among the server's `origins`"
}

function originOf(address: string): string {
  try {
    return new URL(address).origin
  } catch {
    return address
  }
}
