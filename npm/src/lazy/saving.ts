/**
 * Decides when a cache may be written, because another tab may have written meanwhile. Loaded with
 * the rest of the core: nothing is saved before.
 */

import type { Cache, Fence, Saved, Storage } from '../storage.js'

/**
 * Runs `work` in a transaction, unless another page signed the user out since this page loaded
 * their data. Then nothing is written, and `over` is called.
 */
export async function unlessSignedOut(
  { transact, known }: Pick<Storage, 'transact' | 'known'>,
  key: string,
  work: (store: IDBObjectStore, owner: string) => void,
  over: (user: string) => void,
  options?: IDBTransactionOptions,
): Promise<void> {
  const [user = ''] = key.split('\t')
  let out = false
  const check = (store: IDBObjectStore, owner: string) => {
    const [whose = ''] = owner.split('\t')
    const count = store.get(`${whose}\n`)
    count.onsuccess = () => {
      // A page that has loaded no data of the user yet takes the count as it is.
      if (!known.has(user)) known.set(user, count.result)
      out = count.result !== known.get(user)
      if (!out) work(store, owner)
    }
    return count
  }
  await transact('readwrite', key, check, options)
  if (out) over(user)
}

/**
 * Writes a cache, if it may. A channel beyond the limit replaces the one that was written longest
 * ago. The first write of a page also deletes data from before `since`, a time of day.
 */
export async function save(storage: Pick<Storage, 'transact' | 'known'>, cache: Cache, over: (user: string) => void, since: number, channelsMax = 256): Promise<void> {
  const { user, cursors, text } = cache
  const write = (store: IDBObjectStore, key: string) => {
    // Compare and write in one transaction: another tab may write between two.
    const request = store.get(key)
    request.onsuccess = () => {
      // An older version of the package may have written the record, or there is none.
      const { cursors: old, at = 0 } = (request.result ?? {}) as Partial<Saved>
      if (Array.isArray(old) && at >= since && !mayReplace(old, cache)) return
      store.put({ cursors, text, at: Date.now() } satisfies Saved, key)
      const [owner = '', channel] = key.split('\t')
      if (channel !== undefined) makeRoom(store, `${owner}\t`, channel, channelsMax)
    }
  }
  await unlessSignedOut(storage, user, write, over)
  if (looked.has(storage.known)) return
  looked.add(storage.known)
  // Data that this page can't look through is left to another page.
  await forgetOld(storage, since).catch(() => {})
}

/** Storages whose page looked for old data. */
const looked = new WeakSet<object>()
/** The key of the time when a page last looked; one look a day is enough. */
const LOOKED = '\n'
const DAY = 86_400_000

/**
 * Deletes data of users that did not return: caches from before `since`, and everything of a user
 * without newer data, unsent changes included. A user with newer data keeps unsent changes.
 */
async function forgetOld({ transact }: Pick<Storage, 'transact'>, since: number): Promise<void> {
  const newest = new Map<string, number>()
  const see = (owner: string, at: number | undefined) => at !== undefined && newest.set(owner, Math.max(at, newest.get(owner) ?? 0))
  const gone = () => [...newest].filter(([, at]) => at < since).map(([owner]) => owner)
  const look = (store: IDBObjectStore) => {
    journal((key, row) => see(ownerOf(key.slice(JOURNAL.length)), writtenAt(row)))
    const request = store.openCursor()
    request.onsuccess = () => {
      const cursor = request.result
      if (cursor === null) {
        for (const owner of gone()) store.delete(IDBKeyRange.bound(owner, `${owner}\t\uffff`))
        return
      }
      const at = writtenAt(cursor.value)
      see(ownerOf(String(cursor.key)), at)
      if (at !== undefined && at < since && typeof cursor.value === 'object') cursor.delete()
      cursor.continue()
    }
  }
  await transact('readwrite', '', (store) => {
    const last = store.get(LOOKED)
    last.onsuccess = () => {
      if (Math.abs(Date.now() - Number(last.result ?? 0)) < DAY) return
      store.put(Date.now(), LOOKED)
      look(store)
    }
    return last
  })
  const owners = new Set(gone())
  journal((key) => owners.has(ownerOf(key.slice(JOURNAL.length))) && localStorage.removeItem(key))
}

/** The prefix of journal keys; see lanes.ts. */
const JOURNAL = 'tidings\n'

function journal(each: (key: string, row: string) => void) {
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(JOURNAL)) each(key, localStorage.getItem(key) ?? '')
  } catch {
    // A browser without `localStorage` has nothing to delete.
  }
}

/** Keys of a user's data begin with the key of their cache and a tab. */
const ownerOf = (key: string) => key.split('\t', 1)[0] ?? ''

/**
 * When a cache or a row was written; `undefined` for records without a date. Caches of older
 * versions have no date, and count as old.
 */
function writtenAt(value: unknown): number | undefined {
  if (typeof value === 'string') {
    // The core writes a row as `1`, the time and the rest. A page without its core writes `~`, the
    // operation and the time.
    const [, at = ''] = /^(?:~\d+\n|1)(\d+)\n/.exec(value) ?? []
    return at === '' ? undefined : Number(at)
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Number((value as Partial<Saved>).at ?? 0) : undefined
}

/**
 * Keeps the list of channels with a cache under `owner` itself, where no channel is; the one
 * written last is at the end. Looking into each cache instead would read all of them.
 */
function makeRoom(store: IDBObjectStore, owner: string, channel: string, most: number) {
  const request = store.get(owner)
  request.onsuccess = () => {
    const known: unknown[] = Array.isArray(request.result) ? request.result : []
    if (known.at(-1) === channel) return
    const kept = [...known.filter((other) => other !== channel), channel]
    for (const gone of kept.splice(0, Math.max(0, kept.length - most))) store.delete(owner + String(gone))
    store.put(kept, owner)
  }
}

/** Whether a cache with these `old` cursors may be replaced. */
export function mayReplace(old: Fence['cursors'], fence: Fence): boolean {
  return fence.cursors.every(([epoch, offset], place) => {
    const before = old[place]
    return !before || fence.over.includes(before[0]) || (before[0] === epoch && before[1] <= offset)
  })
}
