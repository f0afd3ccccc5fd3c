/**
 * Caches in IndexedDB: one record per server and user, and one for each of their newest channels. The core decides what is in a record; here is only when it may
 * be written, because another tab may have written meanwhile.
 */

import { isText, record } from './foreign.js'
import { saving } from './later.js'

const NAME = 'tidings'
/** Caches, and the rows of the outbox (later/lanes.ts). */
const STORE = 'caches'

/** What a cache is true at; written only over nothing, over lower offsets of the same epochs, or over an epoch left. */
export interface Fence {
  /** [epoch, offset] of the inbox and of `system:all`. */
  readonly cursors: readonly (readonly [epoch: string, offset: number])[]
  /** Epochs this client itself left. */
  readonly over: readonly string[]
}

/** What the core wants kept. */
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

/** One transaction on what is a user's; `work` must not wait inside, or the browser commits under it. */
export type Transact = <T>(
  mode: IDBTransactionMode,
  user: string,
  work: (store: IDBObjectStore, key: string) => IDBRequest<T>,
  options?: IDBTransactionOptions,
) => Promise<T>

/** The caches of one server. Every promise is rejected when the browser gives no storage. */
export interface Storage {
  load(user: string): Promise<string | undefined>
  /** `over` is told where another page signed the user out meanwhile: nothing is saved then. */
  save(cache: Cache, over?: (user: string) => void): Promise<void>
  /** Deletes all caches and all rows of a user. `all`: of other pages too, which must not save again what they loaded before. */
  wipe(user: string, all?: boolean): Promise<unknown>
  /** How often this browser signed a user out, as this page knew when it loaded. The database may say otherwise, after all that is wiped. */
  readonly known: Map<string, unknown>
  /** Names the user's cache; the keys of what else is theirs begin so. */
  owner(user: string): string
  /**
   * Writes an intent down at once, as a row of a lane of this page, until the answer is called: the database takes longer than a
   * page may have left.
   */
  note(user: string, lane: string, row: string): () => void
  readonly transact: Transact
  close(): void
}

/** A day, in milliseconds. */
const DAY = 86_400_000

/** Caches of the server at this address, of each user so many channels, for so many days. Nothing is opened before it is needed. */
export function storage(server: () => string, channelsMax?: number, days = 30): Storage {
  let opening: Promise<IDBDatabase> | undefined
  /** Of a page in the back/forward cache: until it is shown again. */
  let away: Promise<void> | undefined
  const running = new Set<IDBTransaction>()
  const known = new Map<string, unknown>()
  const owner = (user: string) => `${server()}\n${user}`
  /** What was written before is too old to be kept. */
  const since = () => Date.now() - days * DAY
  let noted = 0
  let notes = 0
  let release = () => {}

  const close = () => {
    opening?.then((db) => db.close(), () => {})
    opening = undefined
  }

  /**
   * WebKit suspends a page with the transactions that it has, and each of them holds up all others of the origin's pages for as
   * long as that page is kept, and after it came back. A page that is kept has none.
   */
  const hidden = ({ persisted }: PageTransitionEvent) => {
    if (!persisted || !navigator.vendor.startsWith('Apple')) return
    away ??= new Promise((resolve) => addEventListener('pageshow', () => resolve((away = undefined)), { once: true }))
    for (const transaction of running) {
      running.delete(transaction)
      try {
        transaction.abort()
      } catch {
        // It is done already.
      }
    }
  }

  /** What is written down is left to others. */
  const leave = () => {
    release()
    close()
  }

  const database = () => {
    if (!opening) {
      globalThis.addEventListener?.('pagehide', hidden)
      opening = open()
      // Another tab deletes or upgrades it: don't stand in the way, and open it again when needed.
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
          // Else given up as the page was put away, and now it is shown again.
          if (running.has(transaction)) throw error
        } finally {
          running.delete(transaction)
        }
      }
    }
    // A connection may be gone without a word: Safari's storage process dies, or a tab came back from the dead. All of a
    // transaction was done, or nothing.
    return run().catch(() => {
      close()
      return run()
    })
  }

  return {
    async load(user) {
      const read = (store: IDBObjectStore, key: string) => {
        // Of a channel nothing of the kind is there.
        const count = store.get(`${key}\n`)
        count.onsuccess = () => void (user.includes('\t') || known.set(user, count.result))
        return store.get(key)
      }
      const { text, at } = record(await transact('readonly', user, read))
      return isText(text) && Number(at) > since() ? text : undefined
    },
    save: async (cache, over = () => {}) => (await saving()).save({ transact, known }, cache, over, since(), channelsMax),
    // What else is a user's begins with the key of their cache and a tab; users have no control characters.
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
        // Held as long as there is something, so that no other page takes it for a dead one's. Without locks nothing outlives a page.
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

/** Forgets what was written at once and begins so. */
function forget(start: string) {
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(start)) localStorage.removeItem(key)
  } catch {
    // A browser that gives none has nothing to forget.
  }
}

/**
 * Opens the database, of whatever version. One that is broken, or another's, is made anew; not one that is out of reach or full,
 * because unsent intents are in it.
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

/** What a request gave, once it or the transaction around it is done. */
async function settled<T>(request: IDBRequest<T>, around: IDBRequest | IDBTransaction = request): Promise<T> {
  await new Promise((resolve, reject) => {
    for (const name of ['success', 'complete']) around.addEventListener(name, resolve)
    for (const name of ['error', 'abort']) around.addEventListener(name, ({ target }) => reject((target as IDBRequest).error))
    // Rather without a cache than waiting for another tab.
    around.addEventListener('blocked', () => reject(new Error('another tab holds the database')))
  })
  return request.result
}
