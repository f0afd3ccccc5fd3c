/**
 * Caches in IndexedDB: one record per server and user, and one for each of the user's newest
 * channels. The core decides the content of a record. This file only decides when a record may be
 * written, because another tab may have written meanwhile.
 */

import { isText, record } from './untrusted.js'
import { saving } from './lazy.js'

const NAME = 'tidings'
/** The object store of the caches and of the outbox's rows (lazy/lanes.ts). */
const STORE = 'caches'

/**
 * The position at which a cache is true. A cache may be written where there is none, over one with
 * lower offsets of the same epochs, or over one of an epoch that this client left.
 */
export interface Fence {
  /** [epoch, offset] of the inbox and of `system:all`. */
  readonly cursors: readonly (readonly [epoch: string, offset: number])[]
  /** The epochs that this client itself left. */
  readonly over: readonly string[]
}

/** A cache that the core wants to store. */
export interface Cache extends Fence {
  readonly user: string
  readonly text: string
}

/** A record. */
export interface Saved {
  readonly cursors: Fence['cursors']
  readonly text: string
  /** When it was written, in milliseconds since 1970. */
  readonly at: number
}

/**
 * Runs one transaction on a user's data. `work` must not wait inside, or the browser commits the
 * transaction early.
 */
export type Transact = <T>(
  mode: IDBTransactionMode,
  user: string,
  work: (store: IDBObjectStore, key: string) => IDBRequest<T>,
  options?: IDBTransactionOptions,
) => Promise<T>

/** The caches of one server. Every promise is rejected if the browser has no storage. */
export interface Storage {
  load(user: string): Promise<string | undefined>
  /** `over` is called if another page signed the user out meanwhile; then nothing is saved. */
  save(cache: Cache, over?: (user: string) => void): Promise<void>
  /**
   * Deletes all caches and all rows of a user. `all` also makes other pages save nothing that they
   * loaded before.
   */
  wipe(user: string, all?: boolean): Promise<unknown>
  /**
   * How often each user was signed out in this browser, as this page knew when it loaded their
   * data. If the database has another count, all data was wiped meanwhile.
   */
  readonly known: Map<string, unknown>
  /** The key of the user's cache. The keys of the user's other data begin with it. */
  owner(user: string): string
  /**
   * Writes an intent to the journal at once, as a row of one of this page's lanes, until the
   * returned function is called. The database may take longer than the page exists.
   */
  note(user: string, lane: string, row: string): () => void
  readonly transact: Transact
  close(): void
}

/** A day, in milliseconds. */
const DAY = 86_400_000

/**
 * The caches of the server at this address, with limits for channels per user and for days. Nothing
 * is opened before it is needed.
 */
export function storage(server: () => string, channelsMax?: number, days = 30): Storage {
  let opening: Promise<IDBDatabase> | undefined
  /** Pending while the page is in the back/forward cache. */
  let away: Promise<void> | undefined
  const running = new Set<IDBTransaction>()
  const known = new Map<string, unknown>()
  const owner = (user: string) => `${server()}\n${user}`
  /** Data from before this time is too old. */
  const since = () => Date.now() - days * DAY
  let noted = 0
  let notes = 0
  let release = () => {}

  const close = () => {
    opening?.then((db) => db.close(), () => {})
    opening = undefined
  }

  /**
   * WebKit suspends a page together with its open transactions. Each of them blocks all
   * transactions of the origin's other pages while the page is suspended, and after it came back.
   * So a page aborts its transactions when it enters the back/forward cache.
   */
  const hidden = ({ persisted }: PageTransitionEvent) => {
    if (!persisted || !navigator.vendor.startsWith('Apple')) return
    away ??= new Promise((resolve) => addEventListener('pageshow', () => resolve((away = undefined)), { once: true }))
    for (const transaction of running) {
      running.delete(transaction)
      try {
        transaction.abort()
      } catch {
        // The transaction is done already.
      }
    }
  }

  /** Leaves the journal to other pages. */
  const leave = () => {
    release()
    close()
  }

  const database = () => {
    if (!opening) {
      globalThis.addEventListener?.('pagehide', hidden)
      opening = open()
      // Another tab deletes or upgrades the database: close it, and open it again when needed.
      opening.then((db) => (db.onversionchange = db.onclose = close), close)
    }
    return opening
  }

  const transact: Transact = (mode, user, work, options) => {
    const run = async () => {
      for (;;) {
        const db = await database()
        await away
        const transaction = db.transaction(STORE, mode, options)
        running.add(transaction)
        try {
          return await settled(work(transaction.objectStore(STORE), owner(user)), transaction)
        } catch (error) {
          // Other transactions were aborted by `hidden`: run them again now that the page is shown.
          if (running.has(transaction)) throw error
        } finally {
          running.delete(transaction)
        }
      }
    }
    // A connection can be lost without an event: Safari's storage process crashes, or a discarded
    // tab comes back. A transaction is applied whole or not at all, so run it again.
    return run().catch(() => {
      close()
      return run()
    })
  }

  return {
    async load(user) {
      const read = (store: IDBObjectStore, key: string) => {
        // Channels have no count of sign-outs.
        const count = store.get(`${key}\n`)
        count.onsuccess = () => void (user.includes('\t') || known.set(user, count.result))
        return store.get(key)
      }
      const { text, at } = record(await transact('readonly', user, read))
      return isText(text) && Number(at) > since() ? text : undefined
    },
    save: async (cache, over = () => {}) => (await saving()).save({ transact, known }, cache, over, since(), channelsMax),
    // Keys of the user's other data begin with the key of their cache and a tab. User ids contain
    // no control characters.
    wipe(user, all) {
      forget(`${NAME}\n${owner(user)}\t`)
      return transact('readwrite', user, (store, key) => {
        if (all) {
          const count = store.get(`${key}\n`)
          count.onsuccess = () => {
            known.set(user, Number(count.result ?? 0) + 1)
            store.put(known.get(user), `${key}\n`)
          }
        }
        return store.delete(IDBKeyRange.bound(key, `${key}\t\uffff`))
      })
    },
    known,
    owner,
    note(user, lane, row) {
      try {
        const { locks } = navigator
        // Held while there are rows, so that no other page takes the lane for an ended page's.
        // Without locks no row is written.
        if (notes++ === 0) locks.request(`tidings:${lane}`, () => new Promise<void>((resolve) => (release = resolve))).catch(() => {})
        const key = `${NAME}\n${owner(user)}\t\t${lane}\t${String(++noted).padStart(16, '0')}`
        localStorage.setItem(key, row)
        return () => {
          localStorage.removeItem(key)
          if (--notes === 0) release()
        }
      } catch {
        return () => {}
      }
    },
    transact,
    close: leave,
  }
}

/** Deletes the rows of the journal whose keys begin with `start`. */
function forget(start: string) {
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(start)) localStorage.removeItem(key)
  } catch {
    // A browser without `localStorage` has nothing to delete.
  }
}

/**
 * Opens the database, of any version. A broken one, or one with another layout, is deleted and made
 * anew. One that is out of reach or full is kept, because it holds unsent intents.
 */
async function open(): Promise<IDBDatabase> {
  const found = await attempt().catch((error: unknown) => {
    if (!/^UnknownError(?!.*connection)/i.test(String(error))) throw error
    return undefined
  })
  if (found?.objectStoreNames.contains(STORE)) return found
  found?.close()
  await settled(indexedDB.deleteDatabase(NAME))
  return attempt()
}

async function attempt(): Promise<IDBDatabase> {
  const request = indexedDB.open(NAME)
  request.onupgradeneeded = () => request.result.createObjectStore(STORE)
  return settled(request)
}

/** The result of a request, once it or the transaction around it is done. */
async function settled<T>(request: IDBRequest<T>, around: IDBRequest | IDBTransaction = request): Promise<T> {
  await new Promise((resolve, reject) => {
    for (const name of ['success', 'complete']) around.addEventListener(name, resolve)
    for (const name of ['error', 'abort']) around.addEventListener(name, ({ target }) => reject((target as IDBRequest).error))
    // Fail instead of waiting for another tab: the client works without a cache.
    around.addEventListener('blocked', () => reject(new Error('another tab holds the database')))
  })
  return request.result
}
