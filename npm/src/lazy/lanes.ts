/**
 * The outbox over reloads: rows in IndexedDB beside the user's cache. Each page writes to lanes of
 * its own. A page holds a Web Lock for each lane that it writes to. The browser releases the lock
 * when the page ends, and a page that waits for the lock takes over the lane. After a reload the
 * new page waits for the old one, which may end a moment later.
 */

import {
  CLAIM_LANES,
  LANES_CLAIMED,
  LANES_FAILED,
  OUTBOX_PERSISTED,
  PERSIST_OUTBOX,
  SAVE_CACHE,
  SIGNED_OUT_ELSEWHERE,
  WIPE,
} from '../generated/lazy-ops.js'
import type { ABORT_REQUEST, JsonText, LaneRows, OutboxChanges, REQUEST, Tell, WorldOp } from '../generated/ops.js'
import type { Storage } from '../storage.js'
import { unlessSignedOut } from './saving.js'

/** Writes must be on disk before an intent is shown as durable. */
const STRICT: IDBTransactionOptions = { durability: 'strict' }

/** The core's operations on storage. */
export type StorageOp = Exclude<WorldOp, [op: typeof REQUEST | typeof ABORT_REQUEST, ...unknown[]]>

/**
 * Handles the core's storage operations one after the other: it puts and deletes rows, claims the
 * lanes that no page holds, waits for the others, and releases lanes. Caches are written in the
 * same order. So a row is deleted only after the cache with its result was saved, and no late write
 * restores data after a wipe.
 */
export type Ask = (...op: StorageOp) => Promise<void>

/**
 * The most lanes of other pages that one page waits for. The core's next claim finds the lanes
 * beyond.
 */
const AWAITED_MAX = 32

/** The digits of the greatest possible `seq`: padded keys sort in its order. */
const DIGITS = 16

/**
 * The `localStorage` prefix of rows that are not in the database yet, followed by their database
 * keys. storage.ts writes some of them, and wipes them.
 */
const JOURNAL = 'tidings\n'

/**
 * The `localStorage` key that announces a sign-out to other pages. Its value is the user's database
 * key and their count of sign-outs.
 */
const OVER = 'tidings'

const parse = JSON.parse as <T>(text: JsonText<T>) => T
const stringify = JSON.stringify as <T>(value: T) => JsonText<T>

/**
 * Storage and lanes of one core. When the signal aborts the core is gone, and all lanes are
 * released. `unsaved` receives the reason why a cache was not written.
 *
 * A row goes into the journal before anything is awaited, and stays there until the database has
 * it: the page may end in between.
 */
export function lanes(storage: Storage, unsaved: (error: unknown) => void, tell: Tell, signal: AbortSignal): Ask {
  const { transact, known } = storage
  const journal = journalOf()
  const over = (user: string) => tell(SIGNED_OUT_ELSEWHERE, user)
  const held = new Map<string, () => void>()
  const holding = new Map<string, Promise<boolean>>()
  const awaited = new Map<string, AbortController>()

  /** Whether this page holds the lane, once its lock was granted or refused. */
  const lock = (lane: string, options: LockOptions) =>
    new Promise<boolean>((resolve, reject) => {
      if (held.has(lane)) return resolve(true)
      if (globalThis.navigator?.locks === undefined) throw new Error('this page has no Web Locks (is it served over https?)')
      navigator.locks
        .request(`tidings:${lane}`, options, (lock) => {
          // A lock granted after the abort must go back at once: no later event would release it.
          if (lock === null || signal.aborted) return resolve(false)
          return new Promise<void>((release) => {
            held.set(lane, release)
            resolve(true)
          })
        })
        .catch(reject)
    })

  /** One request at a time for each lane: a second would be refused because of the first. */
  const hold = (lane: string) => {
    const asked = holding.get(lane) ?? lock(lane, { ifAvailable: true }).finally(() => holding.delete(lane))
    holding.set(lane, asked)
    return asked
  }

  const letGo = (lane: string) => {
    held.get(lane)?.()
    held.delete(lane)
  }

  /** Waits until the page that holds the lane ends, then reports the rows it left. */
  const wait = (user: string, lane: string) => {
    const control = new AbortController()
    awaited.set(lane, control)
    const over = () => awaited.delete(lane)
    const granted = () =>
      inTurn(async () => {
        over()
        if (held.has(lane)) await report(user, [lane], false)
      })
    // An aborted wait needs nothing further. After any other failure the core's next claim waits
    // again.
    lock(lane, { signal: control.signal }).then(granted, over)
  }

  const giveUp = (lane: string) => {
    awaited.get(lane)?.abort()
    awaited.delete(lane)
  }

  signal.addEventListener('abort', () => {
    ;[...awaited.keys()].forEach(giveUp)
    ;[...held.keys()].forEach(letGo)
  })

  const keyOf = (user: string, lane: string, seq: number) => rowsOf(storage.owner(user), lane) + String(seq).padStart(DIGITS, '0')

  /**
   * Writes rows to the journal at once. The lane's lock is requested first, or another page might
   * take the lane for an ended page's.
   */
  const note = ({ user, changes }: OutboxChanges) => {
    for (const [lane, seq, row] of changes) {
      if (row === undefined) journal.drop(keyOf(user, lane, seq))
      else {
        hold(lane).catch(() => {})
        journal.put(keyOf(user, lane, seq), row)
      }
    }
  }

  /**
   * Drops the rows from the journal: they are in the database, or could not be stored and last as
   * long as the page.
   */
  const noted = ({ user, changes }: OutboxChanges) => {
    for (const [lane, seq, row] of changes) if (row !== undefined) journal.drop(keyOf(user, lane, seq), row)
  }

  /** Applies the changes in one transaction. */
  const keep = async (number: number, what: OutboxChanges) => {
    const { user, changes } = what
    try {
      // Write only under the lane's lock: without it another page may already have sent the lane's
      // rows.
      for (const [lane, , row] of changes) {
        if (row !== undefined && !(await hold(lane))) throw new Error('another page holds this lane')
      }
      const write = (store: IDBObjectStore) => {
        for (const [lane, seq, row] of changes) {
          const key = keyOf(user, lane, seq)
          if (row === undefined) store.delete(key)
          else store.put(row, key)
        }
      }
      await unlessSignedOut(storage, user, write, over, STRICT)
    } finally {
      // A core that is gone leaves its rows to the next core.
      if (!signal.aborted) noted(what)
    }
    tell(OUTBOX_PERSISTED, number)
  }

  /**
   * Another page announces a sign-out at once. The database holds it too, and every later write
   * checks it there.
   */
  const onStorage = ({ key, newValue }: StorageEvent) => {
    if (key !== OVER) return
    for (const [user, count] of known) {
      const start = `${storage.owner(user)}\n`
      if (newValue?.startsWith(start) && newValue !== start + String(count)) over(user)
    }
  }
  globalThis.addEventListener?.('storage', onStorage, { signal })

  const wipe = async (user: string, all: boolean) => {
    await storage.wipe(user)
    if (!all) return
    // Other pages need only the event of this write, so the key does not stay.
    journal.put(OVER, `${storage.owner(user)}\n${String(known.get(user))}`, '')
    journal.drop(OVER, undefined, '')
  }

  const claim = async (user: string) => {
    const keys = await transact('readonly', user, (store, owner) => store.getAllKeys(below(rowsOf(owner))))
    const places = [...keys.map(String), ...journal.keys(rowsOf(storage.owner(user)))]
    const found = new Set(places.map((key) => key.split('\t').at(-2) ?? ''))
    // A lane without rows has an answer for every intent, or belongs to another user.
    for (const lane of awaited.keys()) if (!found.has(lane)) giveUp(lane)
    const free: string[] = []
    for (const lane of found) {
      if (held.has(lane) || awaited.has(lane)) continue
      if (await hold(lane)) free.push(lane)
      else if (awaited.size < AWAITED_MAX) wait(user, lane)
    }
    await report(user, free, true)
  }

  /**
   * Reports the rows of lanes that this page now holds. An unrequested report is sent only if there
   * are rows.
   */
  const report = async (user: string, free: readonly string[], asked: boolean) => {
    const rows: LaneRows = []
    // Read only under the lock: until then the lane's owner may have written.
    for (const lane of free) {
      let texts: IDBRequest<unknown[]> | undefined
      const read = (store: IDBObjectStore, owner: string) => {
        texts = store.getAll(below(rowsOf(owner, lane)))
        return store.getAllKeys(below(rowsOf(owner, lane)))
      }
      const places = await transact('readonly', user, read)
      const all = new Map(places.map((key, place) => [String(key), String(texts?.result[place])]))
      // The journal is newer than the database where both have a row.
      for (const key of journal.keys(rowsOf(storage.owner(user), lane))) all.set(key, journal.get(key))
      // Sorted keys are in the order of `seq`: the core must send the rows in that order.
      for (const key of [...all.keys()].sort()) rows.push([lane, String(Number(key.split('\t').at(-1))), all.get(key) ?? ''])
    }
    // A lane is empty if its owner got the last answer between the two reads.
    for (const lane of free) if (!rows.some(([of]) => of === lane)) letGo(lane)
    if (asked || rows.length > 0) tell(LANES_CLAIMED, user, stringify(rows))
  }

  const failed = (error: unknown) => tell(LANES_FAILED, error instanceof Error ? error.message : String(error))
  let last = Promise.resolve()
  const inTurn = (work: () => Promise<void>) => (last = last.then(work).catch(failed))
  return (...[op, number, text]) => {
    const rows = op === PERSIST_OUTBOX ? parse(text) : undefined
    if (rows !== undefined) note(rows)
    return inTurn(async () => {
      if (rows !== undefined) await keep(number, rows)
      else if (op === CLAIM_LANES) await claim(text)
      else if (op === SAVE_CACHE) await storage.save(parse(text), over).catch(unsaved)
      else if (op === WIPE) await wipe(text, number > 0).catch(unsaved)
      else letGo(text)
    })
  }
}

/** The journal: rows in `localStorage`, which browsers write at once, under their database keys. */
function journalOf() {
  const attempt = <T>(work: (store: globalThis.Storage) => T, otherwise: T): T => {
    try {
      // Without locks a page can't tell which lanes ended pages left, so nothing is written.
      return navigator.locks === undefined ? otherwise : work(localStorage)
    } catch {
      return otherwise
    }
  }
  return {
    put: (key: string, row: string, start = JOURNAL) => attempt((store) => store.setItem(start + key, row), undefined),
    /** Deletes the row; with `row`, only if it is still the same. */
    drop: (key: string, row?: string, start = JOURNAL) =>
      attempt((store) => {
        if (row === undefined || store.getItem(start + key) === row) store.removeItem(start + key)
      }, undefined),
    get: (key: string) => attempt((store) => store.getItem(JOURNAL + key) ?? '', ''),
    keys: (start: string) => attempt((store) => Object.keys(store).filter((key) => key.startsWith(JOURNAL + start)).map((key) => key.slice(JOURNAL.length)), [] as string[]),
  }
}

/**
 * How the keys of a user's rows begin, or those of one lane: the key of the user's cache, the lane
 * and the `seq`. Caches of channels have one tab before the channel's name; rows have two. Names
 * contain no tabs.
 */
const rowsOf = (owner: string, lane?: string) => `${owner}\t\t${lane === undefined ? '' : `${lane}\t`}`

const below = (start: string) => IDBKeyRange.bound(start, `${start}\uffff`)
