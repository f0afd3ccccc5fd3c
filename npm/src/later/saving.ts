/** When a cache may be written: another tab may have written meanwhile. Nothing is saved before the rest of the core is there. */

import type { Cache, Fence, Saved, Transact } from '../storage.js'

/** Writes a cache, if it may be. */
export async function save(transact: Transact, cache: Cache): Promise<void> {
  const { user, cursors, text } = cache
  await transact('readwrite', user, (store, key) => {
    const request = store.get(key)
    request.onsuccess = () => {
      // Whatever is there was written by some version of this, or by nobody.
      const old: unknown = (request.result as Partial<Saved> | null | undefined)?.cursors
      if (!Array.isArray(old) || mayReplace(old, cache)) store.put({ cursors, text } satisfies Saved, key)
    }
    return request
  })
}

/** Whether a cache that is true at `old` may be replaced. */
export function mayReplace(old: Fence['cursors'], fence: Fence): boolean {
  return fence.cursors.every(([epoch, offset], place) => {
    const before = old[place]
    return !before || fence.over.includes(before[0]) || (before[0] === epoch && before[1] <= offset)
  })
}
