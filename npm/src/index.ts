/** Tidings: notifications for web apps. Importing this module has no effect. */

import { chunk } from './chunk.js'
import { client } from './client.js'
import { saving, logging, io } from './lazy.js'
import { unpack, type Bundled } from './loader.js'
import type { Tidings, TidingsOptions } from './types.js'

const startup = /* @__PURE__ */ chunk(() => import('./startup.js'))
const deferred = /* @__PURE__ */ chunk(() => import('./deferred.js'))

const bundled: Bundled = {
  core: async () => unpack((await startup()).default),
  async deferred() {
    // Load the files that the rest of the core will need, so that they are there when the network
    // is gone.
    const [packed] = await Promise.all([deferred(), saving(), io(), logging()])
    return unpack(packed.default)
  },
}

/**
 * Creates a client at once. The core loads on the first use.
 *
 * Throws a `TidingsError` (`invalid_argument`) that names the wrong option.
 */
export function createTidings(options: TidingsOptions): Tidings {
  return client(options, bundled)
}

export { isTidingsError, TidingsError } from './error.js'
export type { Fault } from './error.js'
export type * from './types.js'
