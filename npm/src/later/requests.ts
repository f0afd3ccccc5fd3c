/**
 * Requests to the server, for the HTTP transports. Answers are passed on as they arrive; the core
 * interprets them.
 */

import type { Tell } from '../host.js'
import { turns, type Turn } from './turns.js'

/**
 * Handles the core's operations by their numbers from `REQUEST` on: makes a request, or aborts one.
 */
export type Make = (what: number, number: number, text: string) => void

/** The reason why a page opens no third stream; the client polls instead. */
const CROWDED = 'other tabs hold as many streams as a browser has connections for by HTTP/1.1: serve Tidings by HTTP/2, or let WebSocket through'

/**
 * Requests of one core. When the signal aborts the core is gone, and all requests are aborted.
 * `answered` is the number of the operation `ANSWERED`: the core receives it with the head of an
 * answer. The next two numbers report each piece of a body, and its end.
 *
 * `socket` returns the address of the server's socket; empty if there is none.
 */
export function requests(socket: () => string, tell: Tell, answered: number, signal: AbortSignal): Make {
  const running = new Map<number, AbortController>()
  const turn = turns(signal)

  signal.addEventListener('abort', () => {
    for (const number of [...running.keys()]) abort(number)
  })
  const abort = (number: number) => {
    running.get(number)?.abort()
    running.delete(number)
  }

  const make = async (number: number, text: string) => {
    const control = new AbortController()
    running.set(number, control)
    /** Reports to the core, unless the request was aborted. */
    const say = (what: number, text = '', other = 0) => {
      if (running.get(number) === control) tell(answered + what, text, number, other)
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
    let mine: Turn | undefined
    try {
      if (address === '') throw new Error()
      const [asked = '', bearer = '', ...body] = text.split('\n')
      mine = await turn(address, asked, control.signal)
      if (mine === undefined) {
        why = CROWDED
        throw new Error()
      }
      const response = await fetch(address + mine.path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...(bearer && { Authorization: `Bearer ${bearer}` }) },
        body: body.join('\n'),
        cache: 'no-store',
        // A proxy in front of the same origin may need the page's cookies; another origin gets
        // none.
        credentials: 'same-origin',
        redirect: 'error',
        referrerPolicy: 'no-referrer',
        signal: control.signal,
      })
      begun = true
      say(0, patience(response.headers.get('retry-after')), response.status)
      await read(response, (piece) => say(1, piece))
    } catch {
      // The browser's own error says less than is known here, and might repeat a secret.
      why ||= begun ? 'the answer broke off' : await cause(address, () => forbidden)
    }
    globalThis.removeEventListener?.('securitypolicyviolation', violated)
    mine?.end()
    say(2, why)
    running.delete(number)
  }

  return (what, number, text) => (what === 0 ? void make(number, text) : abort(number))
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
function patience(after: string | null): string {
  const wait = Number(after) * 1000 || Date.parse(after ?? '') - Date.now()
  return wait > 0 ? String(Math.ceil(wait)) : ''
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
