/**
 * All of it in one file, which loads nothing later: for hosts without dynamic `import()`, such as service workers, classic
 * workers and bundles that are one script. scripts/build.mjs puts the file together.
 */

import { client } from './client.js'
import first from './first.js'
import { unpack, type Bundled } from './loader.js'
import rest from './rest.js'
import type { Tidings, TidingsOptions } from './types.js'

const bundled: Bundled = { core: () => unpack(first), rest: () => unpack(rest) }

/** See `index.ts`. */
export function createTidings(options: TidingsOptions): Tidings {
  return client(options, bundled)
}

export { isTidingsError, TidingsError } from './error.js'
export type { Fault } from './error.js'
export type * from './types.js'
