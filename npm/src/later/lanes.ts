/**
 * The outbox over reloads: rows in IndexedDB beside the user's cache, one lane to one living page. A page holds
 * a Web Lock for each lane it writes to; the browser lets it go the moment the page is dead, and the page that waits for it
 * has the lane. A page that was reloaded waits for its own last life, which may be a moment longer in dying.
 */

import type { Tell } from '../host.js'
import type { Cache, Storage } from '../storage.js'
import { unlessSignedOut } from './saving.js'

/** What is done here is done: an intent is not shown as kept before it is on disk. */
const STRICT: IDBTransactionOptions = { durability: 'strict' }

/**
 * Does what the core asks, one after the other, by the numbers of its words from `KEEP` on: keeps and drops rows, claims
 * the lanes that no living page holds and waits for the others, releases a lane. So are caches written, whose words come
 * before `KEEP`: a row is given up after the cache that shows its fact was saved, and what is written late does not come back
 * after a wipe.
 */
export type Ask = (what: number, number: number, text: string) => Promise<void>

/** Locks of other pages' lanes that one page waits for; lanes beyond are found when the core looks again. */
const AWAITED_MAX = 32

/** Words before `KEEP`; test/core/host.test.ts holds them against words.ts, which this can't load without its page's entry. */
const [SAVE, WIPE] = [-12, -11]

/** Of the greatest `seq` there can be, so that keys are in its order. */
const DIGITS = 16

/** Where rows are that are not in the database yet, by the same keys behind this; storage.ts writes some, and wipes them. */
const JOURNAL = 'tidings\n'

/** Under which pages tell each other of a user who was signed out: where in the database that is counted, and the count. */
const OVER = 'tidings'

/** The last word that a core is told of its lanes, after `KEPT`; see SIGNED_OUT_ELSEWHERE in words.ts. */
const ELSEWHERE = 6

interface Keep {
  readonly user: string
  readonly changes: readonly (readonly [lane: string, seq: number, text?: string])[]
}

/**
 * Storage and lanes of one core; all lanes are let go with the signal, because then it is gone. The core is told `kept`, the number of its word
 * `KEPT`, when rows are on disk, and by the next two when lanes were claimed, asked for or not, and when intents can't be
 * kept, and by the sixth of a user whom another page signed out; `unsaved` is told why a cache was not written.
 *
 * A row is in the journal before anything waits, and until the database has it: the page may not live as long as that.
 */
export function lanes(storage: Storage, unsaved: (error: unknown) => void, tell: Tell, kept: number, signal: AbortSignal): Ask {
  const { transact, known } = storage
  const journal = journalOf()
  const over = (user: string) => tell(kept + ELSEWHERE, user)
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
          if (lock === null || signal.aborted) return resolve(false)
          return new Promise<void>((release) => {
            held.set(lane, release)
            resolve(true)
          })
        })
        .catch(reject)
    })

  /** One request at a time: a second would be refused for the first. */
  const hold = (lane: string) => {
    const asked = holding.get(lane) ?? lock(lane, { ifAvailable: true }).finally(() => holding.delete(lane))
    holding.set(lane, asked)
    return asked
  }

  const letGo = (lane: string) => {
    held.get(lane)?.()
    held.delete(lane)
  }

  /** Waits until the page that holds the lane is dead, and tells what it left. */
  const wait = (user: string, lane: string) => {
    const control = new AbortController()
    awaited.set(lane, control)
    const over = () => awaited.delete(lane)
    const granted = () =>
      inTurn(async () => {
        over()
        if (held.has(lane)) await report(user, [lane], false)
      })
    // Where the wait is given up, nothing is to be done; if the browser ends it, the core's next look begins another.
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

  /** Writes down at once what is to be kept. A lane's lock is asked for before, or another page might take it for a dead one's. */
  const note = ({ user, changes }: Keep) => {
    for (const [lane, seq, row] of changes) {
      if (row === undefined) journal.drop(keyOf(user, lane, seq))
      else {
        hold(lane).catch(() => {})
        journal.put(keyOf(user, lane, seq), row)
      }
    }
  }

  /** What was noted is in the database, or will not be: then it lasts as long as the page. */
  const noted = ({ user, changes }: Keep) => {
    for (const [lane, seq, row] of changes) if (row !== undefined) journal.drop(keyOf(user, lane, seq), row)
  }

  /** `{user, changes: [[lane, seq, text] or [lane, seq] to drop it, …]}`, in one transaction. */
  const keep = async (number: number, what: Keep) => {
    const { user, changes } = what
    try {
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
      // A core that is gone leaves it to the next.
      if (!signal.aborted) noted(what)
    }
    tell(kept, '', number)
  }

  /** Another page signed somebody out, and says so the moment it does; the database says it too, to whoever writes. */
  const heard = ({ key, newValue }: StorageEvent) => {
    if (key !== OVER) return
    for (const [user, count] of known) {
      const start = `${storage.owner(user)}\n`
      if (newValue?.startsWith(start) && newValue !== start + String(count)) over(user)
    }
  }
  globalThis.addEventListener?.('storage', heard, { signal })

  const wipe = async (user: string, all: boolean) => {
    await storage.wipe(user)
    if (!all) return
    journal.put(OVER, `${storage.owner(user)}\n${String(known.get(user))}`, '')
    journal.drop(OVER, undefined, '')
  }

  const claim = async (user: string) => {
    const keys = await transact('readonly', user, (store, owner) => store.getAllKeys(below(rowsOf(owner))))
    const places = [...keys.map(String), ...journal.keys(rowsOf(storage.owner(user)))]
    const found = new Set(places.map((key) => key.split('\t').at(-2) ?? ''))
    // Its page has an answer for everything in it, or it is of another user.
    for (const lane of awaited.keys()) if (!found.has(lane)) giveUp(lane)
    const free: string[] = []
    for (const lane of found) {
      if (held.has(lane) || awaited.has(lane)) continue
      if (await hold(lane)) free.push(lane)
      else if (awaited.size < AWAITED_MAX) wait(user, lane)
    }
    await report(user, free, true)
  }

  /** Tells what is in lanes that are held now; unless it was asked for, only if there is something. */
  const report = async (user: string, free: readonly string[], asked: boolean) => {
    const words = [user]
    // Only now: until the lock was ours, its owner may have written.
    for (const lane of free) {
      let rows: IDBRequest<unknown[]> | undefined
      const read = (store: IDBObjectStore, owner: string) => {
        rows = store.getAll(below(rowsOf(owner, lane)))
        return store.getAllKeys(below(rowsOf(owner, lane)))
      }
      const places = await transact('readonly', user, read)
      const all = new Map(places.map((key, place) => [String(key), String(rows?.result[place])]))
      // Newer than what the database has, where both have it.
      for (const key of journal.keys(rowsOf(storage.owner(user), lane))) all.set(key, journal.get(key))
      for (const key of [...all.keys()].sort()) words.push(lane, String(Number(key.split('\t').at(-1))), all.get(key) ?? '')
    }
    // Answered by its owner between the two looks: nothing is left of it.
    for (const lane of free) if (!words.includes(lane)) letGo(lane)
    if (asked || words.length > 1) tell(kept + 1, JSON.stringify(words))
  }

  const failed = (error: unknown) => tell(kept + 2, error instanceof Error ? error.message : String(error))
  let last = Promise.resolve()
  const inTurn = (work: () => Promise<void>) => (last = last.then(work).catch(failed))
  return (what, number, text) => {
    const rows = what === 0 ? (JSON.parse(text) as Keep) : undefined
    if (rows !== undefined) note(rows)
    return inTurn(async () => {
      if (rows !== undefined) await keep(number, rows)
      else if (what === 1) await claim(text)
      else if (what === SAVE) await storage.save(JSON.parse(text) as Cache, over).catch(unsaved)
      else if (what === WIPE) await wipe(text, number > 0).catch(unsaved)
      else letGo(text)
    })
  }
}

/** What a browser writes at once, where it lets a page: rows, each under the key it has in the database. */
function journalOf() {
  const attempt = <T>(work: (store: globalThis.Storage) => T, otherwise: T): T => {
    try {
      // Without locks a page can't tell what a dead one left.
      return navigator.locks === undefined ? otherwise : work(localStorage)
    } catch {
      return otherwise
    }
  }
  return {
    put: (key: string, row: string, start = JOURNAL) => attempt((store) => store.setItem(start + key, row), undefined),
    /** `row`: unless something else is there by now. */
    drop: (key: string, row?: string, start = JOURNAL) =>
      attempt((store) => {
        if (row === undefined || store.getItem(start + key) === row) store.removeItem(start + key)
      }, undefined),
    get: (key: string) => attempt((store) => store.getItem(JOURNAL + key) ?? '', ''),
    keys: (start: string) => attempt((store) => Object.keys(store).filter((key) => key.startsWith(JOURNAL + start)).map((key) => key.slice(JOURNAL.length)), [] as string[]),
  }
}

/**
 * How the keys of a user's rows begin, or those of one lane: the key of the user's cache, lane and `seq`. A cache of a
 * channel has the channel after one tab; nothing in these has tabs.
 */
const rowsOf = (owner: string, lane?: string) => `${owner}\t\t${lane === undefined ? '' : `${lane}\t`}`

const below = (start: string) => IDBKeyRange.bound(start, `${start}\uffff`)
