/** Which arrivals this browser was told of: each page claims one before it tells its app. */

import type { Transact } from '../storage.js'

/** Ids remembered, the newest: more do not arrive in the minute in which one counts as arriving. */
const TOLD_MAX = 200

/** Milliseconds a page waits for those that people look at. */
const UNFOCUSED = 150
const HIDDEN = 1_000

/** Whether this page is to tell of an item. It is on disk before that is answered. */
export async function claim(transact: Transact, user: string, id: string): Promise<boolean> {
  const { document } = globalThis as Partial<typeof globalThis>
  const wait = document?.hidden ? HIDDEN : document?.hasFocus() === false ? UNFOCUSED : 0
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
  let mine = false
  await transact('readwrite', user, (store, owner) => {
    // Among what is the user's, and no name of a channel.
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
