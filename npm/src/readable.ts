import { TidingsError } from './error.js'
import type { Readable } from './types.js'

/**
 * Calls a function of the app. An error in it is logged and not thrown, so that one listener can't
 * stop another.
 */
export type Call = <T>(fn: (value: T) => void, value: T) => void

/** A readable and the functions that update it. */
export interface Cell<T> extends Part {
  readonly readable: Readable<T>
  /** Sets a value, which the cell then owns, without calling subscribers. */
  put(next: T): void
}

/**
 * A part of the client's state. It changes in two steps: first all parts get their new values, then
 * each calls its subscribers.
 */
export interface Part {
  /** Brings the value up to date. */
  refresh(): void
  /** Calls the subscribers that have not seen the value. */
  notify(): void
}

/** The functions that a cell needs from its owner. */
export interface Owner<T> {
  readonly call: Call
  /** Counts up whenever there may be a new value to read. */
  version(): number
  /** The current value; `null` if the cell's own value is still valid. */
  read(): T | null
  /** The first subscriber came. */
  onWatch?(): void
  /** The last subscriber went. */
  onUnwatch?(): void
}

/** A value over time. Its functions need no `this`. */
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
    // A subscriber may change the value while others are called: each gets the newest value, once.
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
  /** The value of its last call. */
  told?: T
}

/**
 * Reuses parts of `before` in `next` where their content is equal, and returns `before` if all are.
 * So identity changes only with content.
 */
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
