import { TidingsError } from './error.js'
import type { Readable } from './types.js'

/** Calls the app's code; what it throws is reported and passed, so that one listener can't stop another. */
export type Call = <T>(fn: (value: T) => void, value: T) => void

/** A readable and the strings that move it. */
export interface Cell<T> extends Part {
  readonly readable: Readable<T>
  /** Puts a value, which becomes the cell's own, without telling anybody. */
  put(next: T): void
}

/** What changes in two steps: first all parts have their new values, then each tells. */
export interface Part {
  /** Brings the value up to date. */
  refresh(): void
  /** Tells the subscribers that have not seen the value. */
  notify(): void
}

/** What a cell asks of its owner. */
export interface Owner<T> {
  readonly call: Call
  /** Counts up when there may be another value to read. */
  version(): number
  /** The value as of now, or nothing where nobody knows better than the cell. */
  read(): T | null
  /** The first subscriber came. */
  onWatch?(): void
  /** The last subscriber went. */
  onUnwatch?(): void
}

/** A value over time; its functions need no `this`. */
export function cell<T extends object>(initial: T, owner: Owner<T>): Cell<T> {
  let value = initial
  let seen = 0
  const subscribers = new Set<Subscriber<T>>()

  const put = (next: T) => {
    value = keep(initial, next) === initial ? initial : Object.freeze(keep(value, next))
  }

  const refresh = () => {
    const version = owner.version()
    if (seen === version) return
    seen = version
    const next = owner.read()
    if (next !== null) put(next)
  }

  const tell = (subscriber: Subscriber<T>) => {
    // A subscriber may change the value while others are told: each hears the newest, once.
    if (subscribers.has(subscriber) && subscriber.told !== value) {
      subscriber.told = value
      owner.call(subscriber.fn, value)
    }
  }

  return {
    readable: {
      initial,
      get() {
        refresh()
        return value
      },
      subscribe(fn) {
        const subscriber: Subscriber<T> = { fn }
        subscribers.add(subscriber)
        if (subscribers.size === 1) owner.onWatch?.()
        refresh()
        tell(subscriber)
        return () => {
          if (subscribers.delete(subscriber) && subscribers.size === 0) owner.onUnwatch?.()
        }
      },
    },
    put,
    refresh,
    notify() {
      for (const subscriber of [...subscribers]) tell(subscriber)
    },
  }
}

interface Subscriber<T> {
  readonly fn: (value: T) => void
  /** The value it heard last. */
  told?: T
}

/** Has `next` keep what says the same in `before`, and gives `before` if all does: identity changes only with content. */
function keep<T extends object>(before: T, next: T): T {
  let all = true
  for (const key in next) {
    if (same(before[key], next[key])) next[key] = before[key]
    else all = false
  }
  return all ? before : next
}

function same(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((value, place) => value === b[place])
  return a === b || (a instanceof TidingsError && b instanceof TidingsError && a.code === b.code && a.message === b.message)
}
