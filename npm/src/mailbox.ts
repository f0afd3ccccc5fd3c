import type { Heard } from './host.js'
import type { Call } from './readable.js'

/** The numbers of the core's readables and events, in `Host.changed` and `Host.tell`. */
export const CONNECTION = 0
export const INBOX = 1
export const OUTBOX = 2
export const ARRIVED = 0
export const GAP = 1
export const FAILED = 2

/** What a mailbox does with what is in it. */
export interface Reader {
  readonly call: Call
  /** That readable changed in the core. */
  stale(readable: number): void
  /** Brings the snapshots up to date; tells nobody. */
  sync(): void
  /** Tells the subscribers of all readables. */
  notify(): void
  /** An event in the core's JSON; the answer tells the listeners. */
  event(event: number, json: string): () => void
  settle(intent: number, stored: string | undefined, error: string | undefined): void
  signedOut(discarded: number): void
}

/** What the core says while it works, told when it is done. */
export interface Mailbox extends Heard {
  /**
   * First all snapshots change in one step, then subscribers hear, then listeners and promises. Whoever is called may
   * call back in: what comes of that is told in another round, not within this one.
   */
  flush(): void
}

/** An empty mailbox. */
export function mailbox(reader: Reader): Mailbox {
  const letters: (() => void)[] = []
  let changed = false
  let flushing = false
  return {
    changed(readable) {
      changed = true
      reader.stale(readable)
    },
    // Parsed at once: a later text may name an item of this one by its number alone.
    tell: (event, json) => void letters.push(reader.event(event, json)),
    settled: (intent, stored, error) => void letters.push(() => reader.settle(intent, stored, error)),
    signedOut: (discarded) => void letters.push(() => reader.signedOut(discarded)),
    flush() {
      if (flushing) return
      flushing = true
      try {
        do {
          changed = false
          reader.sync()
          reader.notify()
          for (const letter of letters.splice(0)) reader.call(letter, undefined)
        } while (changed || letters.length > 0)
      } finally {
        flushing = false
      }
    },
  }
}
