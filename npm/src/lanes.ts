import type { Tell } from './host.js'
import { rowsOf, type Storage } from './storage.js'
import { KEPT, LANES } from './words.js'

/**
 * The outbox over reloads: rows in IndexedDB, one lane to one living page. A page holds a Web Lock for each lane it writes
 * to; the browser lets it go the moment the page is dead, and another page can have the lane. Each function ends when it
 * is done and rejects when intents can't be kept; they are called one after the other.
 */
export interface Lanes {
  /** `{user, changes: [[lane, seq, text] or [lane, seq] to drop it, …]}`, in one transaction. */
  keep(number: number, text: string): Promise<void>
  /** The lanes with rows that no living page holds. */
  claim(user: string): Promise<void>
  release(lane: string): Promise<void>
  /** Lets all go: their core is gone. */
  close(): void
}

interface Keep {
  readonly user: string
  readonly changes: readonly (readonly [lane: string, seq: number, text?: string])[]
}

/** Lanes of one core. */
export function lanes(storage: Storage, tell: Tell): Lanes {
  const held = new Map<string, () => void>()

  /** Whether this page holds the lane now. */
  const hold = (lane: string) =>
    new Promise<boolean>((resolve, reject) => {
      if (held.has(lane)) return resolve(true)
      if (globalThis.navigator?.locks === undefined) throw new Error('this page has no Web Locks (is it served over https?)')
      navigator.locks
        .request(`tidings:${lane}`, { ifAvailable: true }, (lock) => {
          if (lock === null) return resolve(false)
          return new Promise<void>((release) => {
            held.set(lane, release)
            resolve(true)
          })
        })
        .catch(reject)
    })

  const letGo = (lane: string) => {
    held.get(lane)?.()
    held.delete(lane)
  }

  return {
    async keep(number, text) {
      const { user, changes } = JSON.parse(text) as Keep
      for (const [lane, , row] of changes) {
        if (row !== undefined && !(await hold(lane))) throw new Error('another page holds this lane')
      }
      await storage.rows('readwrite', (store) => {
        for (const [lane, seq, row] of changes) {
          const key = [storage.server(), user, lane, seq]
          if (row === undefined) store.delete(key)
          else store.put(row, key)
        }
        return store.count()
      })
      tell(KEPT, '', number)
    },
    async claim(user) {
      const keys = await storage.rows('readonly', (store) => store.getAllKeys(rowsOf(storage.server(), user)))
      const free: string[] = []
      for (const lane of new Set(keys.map((key) => String((key as IDBValidKey[])[2])))) {
        if (!held.has(lane) && (await hold(lane))) free.push(lane)
      }
      const words = [user]
      // Only now: until the lock was ours, its owner may have written.
      for (const lane of free) {
        const range = rowsOf(storage.server(), user, lane)
        let rows: IDBRequest<unknown[]> | undefined
        const places = await storage.rows('readonly', (store) => {
          rows = store.getAll(range)
          return store.getAllKeys(range)
        })
        for (const [place, key] of places.entries()) words.push(lane, String((key as IDBValidKey[])[3]), String(rows?.result[place]))
      }
      // Answered by its owner between the two looks: nothing is left of it.
      for (const lane of free) if (!words.includes(lane)) letGo(lane)
      tell(LANES, JSON.stringify(words))
    },
    async release(lane) {
      letGo(lane)
    },
    close() {
      for (const lane of [...held.keys()]) letGo(lane)
    },
  }
}
