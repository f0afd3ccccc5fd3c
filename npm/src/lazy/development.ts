/**
 * Loaded only by pages in development: closes clients that a hot reload left behind, and warns of a
 * second copy of the package.
 */

import type { Logger, Tidings } from '../types.js'

/** A client of this page that was told to connect. */
export interface Living {
  readonly client: Tidings
  url(): string
  user(): string | null | undefined
}

/** The key of the page's state, which all copies of the package share. */
const KEY = Symbol.for('tidings.development')

interface Page {
  readonly clients: Set<Living>
  /** The copies of the package, each represented by its own `developed` function. */
  readonly copies: Set<unknown>
}

/**
 * Adds a client, and closes older clients with the same URL and user: a hot reload ran the app's
 * module again, and the client of the old module has no owner any more. `logger` gets a warning.
 */
export function developed(mine: Living, logger: Pick<Logger, 'warn'>): void {
  const warn = (found: string) => logger.warn(`tidings: ${found}`)
  const page = ((globalThis as { [KEY]?: Page })[KEY] ??= { clients: new Set(), copies: new Set() })
  const known = page.copies.has(developed)
  page.copies.add(developed)
  if (!known && page.copies.size === 2) {
    warn('two copies of the package are in this page: each loads a core and opens a connection of its own, and hooks of one do not find the provider of the other. See `npm ls tidings`')
  }
  // A client counts once, when it first connects. An older client that connects again closes no
  // newer one.
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
