/**
 * For pages that serve the core as a file of their own, and for strict bundles: nothing is inlined.
 *
 * ```ts
 * import { createTidings, init } from 'tidings/wasm'
 * await init({ wasm: new URL('tidings/core.wasm', import.meta.url) })
 * ```
 */

import { client } from './client.js'
import { failure } from './error.js'
import { load, type Bundled } from './loader.js'
import type { Tidings, TidingsOptions, WasmSource } from './types.js'

const bundled: Bundled = {
  async core() {
    throw failure('wasm_unavailable', 'app', "The WebAssembly core can't load: call init({ wasm }) first, or give createTidings the option `wasm`.")
  },
}

/**
 * Loads the core from an address, a `Response`, bytes or a compiled module. Only the first call of
 * a page loads it. Rejects with a `TidingsError` (`wasm_unavailable`) that names the cause.
 */
export async function init(from: { readonly wasm: WasmSource }): Promise<void> {
  await load(from.wasm, bundled)
}

/** Like `createTidings` of `tidings`, but with the core of `init` or of the option `wasm`. */
export function createTidings(options: TidingsOptions): Tidings {
  return client(options, bundled)
}

export { isTidingsError, TidingsError } from './error.js'
export type { Fault } from './error.js'
export type * from './types.js'
