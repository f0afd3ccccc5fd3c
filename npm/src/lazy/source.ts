/** Loads the core from an address of the app, and explains why a core can't load. */

import type { Code } from '../loader.js'
import type { WasmSource } from '../types.js'

/** The code at the app's source. Rejects with the reason. */
export async function fetched(source: WasmSource): Promise<Code> {
  // Checked by name, because a host or a test may use classes of another realm.
  const kind = Object.prototype.toString.call(source).slice(8, -1)
  if (kind === 'WebAssembly.Module') return source as Code
  if (kind === 'ArrayBuffer') return new Uint8Array(source as ArrayBuffer)
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer as ArrayBuffer, source.byteOffset, source.byteLength)
  const response = kind === 'Response' ? (source as Response) : await fetch(source as URL | string)
  const from = response.url || String(source)
  // A busy server, or one that is being deployed, recovers. The app has to mend other refusals and
  // missing files.
  if (!response.ok) throw response.status < 500 && response.status !== 429 ? final(`${from} answered ${response.status}`) : new Error(`${from} answered ${response.status}`)
  const bytes = new Uint8Array(await response.arrayBuffer())
  // The bytes "\0asm". The content type does not matter for bytes, but servers often answer with a
  // page instead of the file.
  if (bytes[0] !== 0 || bytes[1] !== 0x61) {
    throw final(`${from} is not WebAssembly but ${response.headers.get('content-type') ?? 'something else'}`)
  }
  return bytes
}

/** An error that a retry does not mend. */
const final = (message: string) => Object.assign(new Error(message), { final: true })

/** The globals that the core needs. Jest's jsdom has none of them. */
const NEEDED = ['WebAssembly', 'DecompressionStream', 'Response', 'TextEncoder', 'TextDecoder'] as const

/**
 * Why a core can't load, in clearer words than the browser's, and whether a retry may help. A
 * missing feature, the page's policy and a missing file are permanent; other causes may be the
 * network or a deployment.
 */
export function refusal(error: unknown): { readonly why: string; readonly retry: boolean } {
  const { name, message = String(error), final } = (error ?? {}) as Partial<Error> & { final?: boolean }
  const missing = NEEDED.filter((name) => globalThis[name] === undefined)
  if (missing.length > 0) return { why: `there is no ${missing.join(', no ')} here: this browser is too old, or this is a test in jsdom`, retry: false }
  // Chromium, Firefox and Safari differ in their messages, but each names one of these.
  if (/csp|content security|unsafe-eval/i.test(message)) return { why: "the page's Content-Security-Policy forbids it: add 'wasm-unsafe-eval' to script-src", retry: false }
  const retry = !final && !/Compile|Link/.test(String(name))
  const part = retry && /module|chunk/i.test(message)
  return { why: part ? `${message.replace(/\.$/, '')}. If the app was deployed anew meanwhile, load the page again` : message, retry }
}
