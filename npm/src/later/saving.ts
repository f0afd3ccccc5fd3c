/** When a cache may be written: another tab may have written meanwhile. Nothing is saved before the rest of the core is there. */

import type { Cache, Fence, Saved, Storage } from '../storage.js'

/**
 * Does what is to be done in a transaction, unless another page signed the user out since this one loaded what it would write:
 * then nothing is written, and `over` is told.
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
      // A page that has not loaded anything of the user begins here.
      if (!known.has(user)) known.set(user, count.result)
      out = count.result !== known.get(user)
      if (!out) work(store, owner)
    }
    return count
  }
  await transact('readwrite', key, check, options)
  if (out) over(user)
}

/** Writes a cache, if it may be; that of a channel too many takes the place of the one written longest ago. */
export async function save(storage: Pick<Storage, 'transact' | 'known'>, cache: Cache, over: (user: string) => void, channelsMax = 256): Promise<void> {
  const { user, cursors, text } = cache
  const write = (store: IDBObjectStore, key: string) => {
    const request = store.get(key)
    request.onsuccess = () => {
      // Whatever is there was written by some version of this, or by nobody.
      const old: unknown = (request.result as Partial<Saved> | null | undefined)?.cursors
      if (Array.isArray(old) && !mayReplace(old, cache)) return
      store.put({ cursors, text } satisfies Saved, key)
      const [owner = '', channel] = key.split('\t')
      if (channel !== undefined) makeRoom(store, `${owner}\t`, channel, channelsMax)
    }
  }
  await unlessSignedOut(storage, user, write, over)
}

/**
 * Under `owner` itself, where no channel is, stands which of a user's channels have a cache, the one written last at the
 * end: to look into each cache for that would be to read all of them.
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

/** Whether a cache that is true at `old` may be replaced. */
export function mayReplace(old: Fence['cursors'], fence: Fence): boolean {
  return fence.cursors.every(([epoch, offset], place) => {
    const before = old[place]
    return !before || fence.over.includes(before[0]) || (before[0] === epoch && before[1] <= offset)
  })
}
