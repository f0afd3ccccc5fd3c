/** Tidings: notifications for web apps. Nothing happens at import. */

import { chunk } from './chunk.js'
import { client } from './client.js'
import { saving, telling, world } from './later.js'
import { unpack, type Bundled } from './loader.js'
import type { Tidings, TidingsOptions } from './types.js'

const first = /* @__PURE__ */ chunk(() => import('./first.js'))
const rest = /* @__PURE__ */ chunk(() => import('./rest.js'))

const bundled: Bundled = {
  core: async () => unpack((await first()).default),
  async rest() {
    // What the rest will ask for, so that it is there when there is no network any more.
    const [packed] = await Promise.all([rest(), saving(), world(), telling()])
    return unpack(packed.default)
  },
}

/**
 * A client, at once: what it needs loads when something is first looked at.
 *
 * Throws a `TidingsError` (`invalid_argument`) that names the option which is wrong.
 */
export function createTidings(options: TidingsOptions): Tidings {
  return client(options, bundled)
}

export { isTidingsError, TidingsError } from './error.js'
export type { Fault } from './error.js'
export type * from './types.js'
