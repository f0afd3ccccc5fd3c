/** The core from elsewhere than the package, and why one can't load. */

import type { Code } from '../loader.js'
import type { WasmSource } from '../types.js'

/** The code that an app names. Rejects with why there is none, in words. */
export async function fetched(source: WasmSource): Promise<Code> {
  if (source instanceof WebAssembly.Module) return source
  if (source instanceof ArrayBuffer) return new Uint8Array(source)
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
  const response = source instanceof Response ? source : await fetch(source)
  const from = response.url || String(source)
  if (!response.ok) throw new Error(`${from} answered ${response.status}`)
  const bytes = new Uint8Array(await response.arrayBuffer())
  // "\0asm". Compiled from bytes, the type the server says does not matter; but a page in its place is common.
  if (bytes[0] !== 0 || bytes[1] !== 0x61) {
    throw new Error(`${from} is not WebAssembly but ${response.headers.get('content-type') ?? 'something else'}`)
  }
  return bytes
}

/** Why a core can't load, in better words than the browser's. */
export function refusal(message: string): string {
  if (typeof WebAssembly === 'undefined') return 'this browser is too old, or WebAssembly is switched off'
  if (typeof DecompressionStream === 'undefined' && /DecompressionStream/.test(message)) return 'this browser is too old: it has no DecompressionStream'
  // Chromium, Firefox and Safari each have their own words, but all of them name one of these.
  if (/csp|content security|unsafe-eval/i.test(message)) return "the page's Content-Security-Policy forbids it: add 'wasm-unsafe-eval' to script-src"
  return message
}
