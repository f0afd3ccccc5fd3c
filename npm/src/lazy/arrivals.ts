/**
 * Remembers which notifications this browser has announced. A page claims one before it emits
 * `arrived`.
 */

import type { Transact } from '../storage.js'

/**
 * How many of the newest ids are remembered. A notification counts as arriving for a minute, and
 * fewer than this arrive in a minute.
 */
const TOLD_MAX = 200

/**
 * How long a page without focus, and a hidden page, wait so that a page in use claims first, in
 * milliseconds.
 */
const UNFOCUSED = 150
const HIDDEN = 1_000

/** Whether this page may announce an item. The claim is on disk before this resolves. */
export async function claim(transact: Transact, user: string, id: string): Promise<boolean> {
  const { document } = globalThis as Partial<typeof globalThis>
  const wait = document?.hidden ? HIDDEN : document?.hasFocus() === false ? UNFOCUSED : 0
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
  let mine = false
  await transact('readwrite', user, (store, owner) => {
    // A key among the user's data that is no channel's name.
    const key = `${owner}\t\u0001`
    const request = store.get(key)
    request.onsuccess = () => {
      const told: unknown[] = Array.isArray(request.result) ? request.result : []
      mine = !told.includes(id)
      if (mine) store.put([...told, id].slice(-TOLD_MAX), key)
    }
    return request
  })
  return mine
}
