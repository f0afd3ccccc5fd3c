/**
 * The same client for hosts that compile modules ahead and refuse to compile bytes: Cloudflare's
 * workerd, Vercel's edge.
 */

import { client } from './client.js'
import type { Bundled } from './loader.js'
import type { Tidings, TidingsOptions } from './types.js'

const bundled: Bundled = { core: async () => (await import('./core.wasm?module')).default }

/** See `index.ts`. */
export function createTidings(options: TidingsOptions): Tidings {
  return client(options, bundled)
}

export { isTidingsError, TidingsError } from './error.js'
export type { Fault } from './error.js'
export type * from './types.js'
