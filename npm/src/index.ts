/** Tidings: notifications for web apps. Nothing happens at import. */

import { client } from './client.js'
import { unpack, type Bundled } from './loader.js'
import type { Tidings, TidingsOptions } from './types.js'

const bundled: Bundled = {
  core: async () => unpack((await import('./first.js')).default),
  async rest() {
    // What the rest will ask for, so that it is there when there is no network any more.
    const [rest] = await Promise.all([import('./rest.js'), import('./later/saving.js'), import('./later/world.js')])
    return unpack(rest.default)
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
