import type { Call, Part } from './readable.js'

/** What a mailbox does with what is in it. */
export interface Reader {
  readonly call: Call
  /** What may change when the core says so. */
  readonly parts: readonly Part[]
  /** Reads what the core said; the answer tells whom it concerns. */
  letter(what: number, number: number, text: string): () => void
}

/** What the core says while it works, told when it is done. */
export interface Mailbox {
  /** The core says something: see `Host.say`. */
  heard(what: number, number: number, text: string): void
  /**
   * First all snapshots change in one step, then subscribers hear, then listeners and promises. Whoever is called may
   * call back in: what comes of that is told in another round, not within this one.
   */
  flush(): void
}

/** An empty mailbox. */
export function mailbox(reader: Reader): Mailbox {
  const letters: (() => void)[] = []
  let flushing = false
  return {
    heard(what, number, text) {
      // Read at once: a later text may name an item of this one by its number alone.
      // Nothing thrown here may reach the core, which is still at work.
      reader.call(() => letters.push(reader.letter(what, number, text)), undefined)
    },
    flush() {
      if (flushing) return
      flushing = true
      try {
        do {
          const round = letters.splice(0)
          for (const part of reader.parts) part.refresh()
          for (const part of reader.parts) part.notify()
          for (const letter of round) reader.call(letter, undefined)
        } while (letters.length > 0)
      } finally {
        flushing = false
      }
    },
  }
}
