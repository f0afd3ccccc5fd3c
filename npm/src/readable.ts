import type { Readable } from './types.js'

/** Calls the app's code; what it throws is reported and passed, so that one listener can't stop another. */
export type Call = <T>(fn: (value: T) => void, value: T) => void

/** A readable and the strings that move it. */
export interface Cell<T> {
  readonly readable: Readable<T>
  /** Puts a value without telling anybody: several cells change in one step, then each notifies. */
  put(value: T): void
  /** Tells the subscribers that have not seen the value. */
  notify(): void
}

/** What a cell asks of its owner. */
export interface Owner {
  readonly call: Call
  /** The first subscriber came. */
  onWatch?(): void
  /** The last subscriber went. */
  onUnwatch?(): void
  /** Somebody wants the value: the moment to bring it up to date. */
  onRead?(): void
}

/** A value over time; its functions need no `this`. */
export function cell<T>(initial: T, owner: Owner): Cell<T> {
  let value = initial
  const subscribers = new Set<Subscriber<T>>()

  const tell = (subscriber: Subscriber<T>) => {
    // A subscriber may change the value while others are told: each hears the newest, once.
    if (subscribers.has(subscriber) && subscriber.told !== value) {
      subscriber.told = value
      owner.call(subscriber.fn, value)
    }
  }

  const get = () => {
    owner.onRead?.()
    return value
  }

  return {
    readable: {
      initial,
      get,
      subscribe(fn) {
        const subscriber: Subscriber<T> = { fn, told: NOTHING }
        subscribers.add(subscriber)
        if (subscribers.size === 1) owner.onWatch?.()
        owner.onRead?.()
        tell(subscriber)
        return () => {
          if (subscribers.delete(subscriber) && subscribers.size === 0) owner.onUnwatch?.()
        }
      },
    },
    put(next) {
      value = next
    },
    notify() {
      for (const subscriber of [...subscribers]) tell(subscriber)
    },
  }
}

const NOTHING = Symbol()

interface Subscriber<T> {
  readonly fn: (value: T) => void
  /** The value it heard last. */
  told: T | typeof NOTHING
}

/** `next`, or `current` when both say the same: identity changes only with content. */
export function unlessSame<T extends object>(current: T, next: T): T {
  for (const key in next) if (!same(current[key], next[key])) return next
  return current
}

function same(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((value, place) => value === b[place])
  }
  return a === b
}
