/**
 * Caches in IndexedDB: one record per server and user. The core decides what is in a record; here is only when it may
 * be written, because another tab may have written meanwhile.
 */

const NAME = 'tidings'
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

interface Saved {
  readonly cursors: Fence['cursors']
  readonly text: string
}

/** The caches of one server. Every promise is rejected when the browser gives no storage. */
export interface Storage {
  load(user: string): Promise<string | undefined>
  save(cache: Cache): Promise<void>
  wipe(user: string): Promise<void>
  close(): void
}

/** Caches of the server at this address. Nothing is opened before it is needed. */
export function storage(server: () => string): Storage {
  let opening: Promise<IDBDatabase> | undefined

  const database = () => {
    const forget = () => (opening = undefined)
    opening ??= open().then(
      (db) => {
        // Another tab deletes or upgrades it: don't stand in the way, and open it again when needed.
        db.onversionchange = () => {
          db.close()
          forget()
        }
        db.onclose = forget
        return db
      },
      (error: unknown) => {
        forget()
        throw error
      },
    )
    return opening
  }

  /** One transaction; `work` must not wait inside, or the browser commits under it. */
  const transact = async <T>(mode: IDBTransactionMode, work: (store: IDBObjectStore, done: (value: T) => void) => void) => {
    const db = await database()
    return new Promise<T | undefined>((resolve, reject) => {
      const transaction = db.transaction(STORE, mode)
      let result: T | undefined
      transaction.oncomplete = () => resolve(result)
      transaction.onabort = transaction.onerror = () => reject(transaction.error ?? new Error('the transaction was aborted'))
      work(transaction.objectStore(STORE), (value) => (result = value))
    })
  }

  const key = (user: string) => `${server()}\n${user}`

  return {
    load: (user) =>
      transact<string>('readonly', (store, done) => {
        const request = store.get(key(user))
        request.onsuccess = () => {
          if (isSaved(request.result)) done(request.result.text)
        }
      }),
    async save(cache) {
      await transact('readwrite', (store) => {
        const { user, cursors, text } = cache
        const request = store.get(key(user))
        request.onsuccess = () => {
          if (!isSaved(request.result) || mayReplace(request.result.cursors, cache)) {
            store.put({ cursors, text } satisfies Saved, key(user))
          }
        }
      })
    },
    async wipe(user) {
      await transact('readwrite', (store) => void store.delete(key(user)))
    },
    close() {
      opening?.then((db) => db.close(), () => {})
      opening = undefined
    },
  }
}

/** Whether a cache that is true at `old` may be replaced. */
export function mayReplace(old: Fence['cursors'], fence: Fence): boolean {
  return fence.cursors.every(([epoch, offset], place) => {
    const before = old[place]
    return before === undefined || fence.over.includes(before[0]) || (before[0] === epoch && before[1] <= offset)
  })
}

function isSaved(value: unknown): value is Saved {
  const saved = value as Partial<Saved> | undefined
  return typeof saved?.text === 'string' && Array.isArray(saved.cursors)
}

/** Opens the database; one that can't be opened is broken or newer, and only a cache: it is made anew, once. */
async function open(): Promise<IDBDatabase> {
  if (typeof indexedDB === 'undefined') throw new Error('this browser has no IndexedDB')
  try {
    return await attempt()
  } catch {
    await settled(indexedDB.deleteDatabase(NAME))
    return attempt()
  }
}

async function attempt(): Promise<IDBDatabase> {
  const request = indexedDB.open(NAME, 1)
  request.onupgradeneeded = () => request.result.createObjectStore(STORE)
  const db = await settled(request)
  if (!db.objectStoreNames.contains(STORE)) {
    db.close()
    throw new Error('the database has another shape')
  }
  return db
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error('IndexedDB failed'))
    // Rather without a cache than waiting for another tab.
    request.addEventListener('blocked', () => reject(new Error('another tab holds the database')))
  })
}
