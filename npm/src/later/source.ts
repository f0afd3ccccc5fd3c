/** The core from elsewhere than the package, and why one can't load. */

import type { Code } from '../loader.js'
import type { WasmSource } from '../types.js'

/** The code that an app names. Rejects with why there is none, in words. */
export async function fetched(source: WasmSource): Promise<Code> {
  // By their names and not their classes, which are another realm's where a host or a test made them.
  const kind = Object.prototype.toString.call(source).slice(8, -1)
  if (kind === 'WebAssembly.Module') return source as Code
  if (kind === 'ArrayBuffer') return new Uint8Array(source as ArrayBuffer)
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer as ArrayBuffer, source.byteOffset, source.byteLength)
  const response = kind === 'Response' ? (source as Response) : await fetch(source as URL | string)
  const from = response.url || String(source)
  // A server that is busy or being deployed comes back; what it does not have, or refuses, is for the app to mend.
  if (!response.ok) throw response.status < 500 && response.status !== 429 ? final(`${from} answered ${response.status}`) : new Error(`${from} answered ${response.status}`)
  const bytes = new Uint8Array(await response.arrayBuffer())
  // "\0asm". Compiled from bytes, the type the server says does not matter; but a page in its place is common.
  if (bytes[0] !== 0 || bytes[1] !== 0x61) {
    throw final(`${from} is not WebAssembly but ${response.headers.get('content-type') ?? 'something else'}`)
  }
  return bytes
}

/** An error that trying again does not mend. */
const final = (message: string) => Object.assign(new Error(message), { final: true })

/** What the core can't do without. Jest's jsdom has none of it. */
const NEEDED = ['WebAssembly', 'DecompressionStream', 'Response', 'TextEncoder', 'TextDecoder'] as const

/**
 * Why a core can't load, in better words than the browser's, and whether it may the next time: what a host can't do, a page forbids
 * or a server does not have stays so; all else may be the network's or a deployment's.
 */
export function refusal(error: unknown): { readonly why: string; readonly retry: boolean } {
  const { name, message = String(error), final } = (error ?? {}) as Partial<Error> & { final?: boolean }
  const missing = NEEDED.filter((name) => globalThis[name] === undefined)
  if (missing.length > 0) return { why: `there is no ${missing.join(', no ')} here: this browser is too old, or this is a test in jsdom`, retry: false }
  // Chromium, Firefox and Safari each have their own words, but all of them name one of these.
  if (/csp|content security|unsafe-eval/i.test(message)) return { why: "the page's Content-Security-Policy forbids it: add 'wasm-unsafe-eval' to script-src", retry: false }
  const retry = !final && !/Compile|Link/.test(String(name))
  const part = retry && /module|chunk/i.test(message)
  return { why: part ? `${message.replace(/\.$/, '')}. If the app was deployed anew meanwhile, load the page again` : message, retry }
}
