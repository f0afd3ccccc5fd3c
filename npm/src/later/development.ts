/** What only pages that are being developed load: what a hot reload leaves behind, and what else is there twice. */

import type { Logger, Tidings } from '../types.js'

/** A client of this page that was told to connect. */
export interface Living {
  readonly client: Tidings
  url(): string
  user(): string | null | undefined
}

/** Where all copies of the package find each other's. */
const KEY = Symbol.for('tidings.development')

interface Page {
  readonly clients: Set<Living>
  /** Copies of the package, each by this very function. */
  readonly copies: Set<unknown>
}

/**
 * Takes a client in, and closes those of the same url and user that came before: a hot reload made the app's module anew, and
 * nobody holds the one of the old module any more. `logger` is told.
 */
export function developed(mine: Living, logger: Pick<Logger, 'warn'>): void {
  const warn = (found: string) => logger.warn(`tidings: ${found}`)
  const page = ((globalThis as { [KEY]?: Page })[KEY] ??= { clients: new Set(), copies: new Set() })
  const known = page.copies.has(developed)
  page.copies.add(developed)
  if (!known && page.copies.size === 2) {
    warn('two copies of the package are in this page: each loads a core and opens a connection of its own, and hooks of one do not find the provider of the other. See `npm ls tidings`')
  }
  // Counted once, when it first connects: an older one that is told to connect again closes no newer.
  if ([...page.clients].some(({ client }) => client === mine.client)) return
  for (const other of page.clients) {
    const [one, two] = [mine.user(), other.user()]
    const same = other.url() === mine.url() && (one === two || one === undefined || two === undefined)
    if (same || other.client.connection.get().status === 'closed') page.clients.delete(other)
    if (!same) continue
    other.client.close()
    warn('an older client of this page, of the same url and user, was closed: a hot reload left it behind. Keep one client, as docs/development.md shows')
  }
  page.clients.add(mine)
}
