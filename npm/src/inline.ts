/**
 * The whole package in one file that loads nothing later, for hosts without dynamic `import()`:
 * service workers, classic workers and bundles of one script. scripts/build.mjs puts the file
 * together.
 */

import { client } from './client.js'
import startup from './startup.js'
import { unpack, type Bundled } from './loader.js'
import deferred from './deferred.js'
import type { Tidings, TidingsOptions } from './types.js'

const bundled: Bundled = { core: () => unpack(startup), deferred: () => unpack(deferred) }

/** See `index.ts`. */
export function createTidings(options: TidingsOptions): Tidings {
  return client(options, bundled)
}

export { isTidingsError, TidingsError } from './error.js'
export type { Fault } from './error.js'
export type * from './types.js'
