import type { AppOp } from './generated/ops.js'
import type { Call, Part } from './readable.js'

/** How a mailbox handles its entries. */
export interface Reader {
  readonly call: Call
  /** The parts that may change after the core reports a change. */
  readonly parts: readonly Part[]
  /** Parses an entry. The returned function delivers it. */
  read(...op: AppOp): () => void
}

/** Queues the core's reports while it works, and delivers them afterwards. */
export interface NotificationQueue {
  /** Receives a report of the core: see `Host.say`. */
  receive(...op: AppOp): void
  /**
   * First all snapshots change in one step, then subscribers are called, then listeners and
   * promises. A callback may call the client again: the results are delivered in a further round,
   * not within this one.
   */
  flush(): void
}

export function notificationQueue(reader: Reader): NotificationQueue {
  const notifications: (() => void)[] = []
  let flushing = false
  return {
    receive(...op) {
      // Parse at once: a later text may name an item of this one by its number alone. The core is
      // still running, so no error may reach it.
      reader.call(() => notifications.push(reader.read(...op)), undefined)
    },
    flush() {
      if (flushing) return
      flushing = true
      try {
        do {
          const round = notifications.splice(0)
          for (const part of reader.parts) part.refresh()
          for (const part of reader.parts) part.notify()
          for (const read of round) reader.call(read, undefined)
        } while (notifications.length > 0)
      } finally {
        flushing = false
      }
    },
  }
}
