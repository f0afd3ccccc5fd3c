import { invalid, TidingsError, type ErrorFacts } from './error.js'
import { cell, unlessSame, type Cell, type Owner } from './readable.js'
import type { FailedIntent, Outbox, OutboxSnapshot, Stored } from './types.js'

/** A refused intent as the core writes it. */
export interface RawFailed {
  readonly id: number
  readonly channel: string
  readonly at: number
  readonly error: ErrorFacts
}

/** The outbox and what moves it. */
export interface OutboxCell {
  readonly outbox: Outbox
  readonly cell: Cell<OutboxSnapshot>
  /** Takes the core's text, or nothing where there is no core. */
  take(text: string | undefined): void
  failed(raw: RawFailed): FailedIntent
}

const OUTBOX: OutboxSnapshot = Object.freeze({ pending: 0, failed: Object.freeze([]) })

/** The outbox of one client. */
export function outbox(owner: Owner & { retry(id: number): Promise<Stored>; discard(id: number): void }): OutboxCell {
  const value = cell(OUTBOX, owner)
  let current = OUTBOX
  // One object per intent, for the list and for listeners alike.
  let known = new Map<string, FailedIntent>()

  const failed = (raw: RawFailed): FailedIntent => {
    const id = String(raw.id)
    const intent = known.get(id) ?? Object.freeze({ id, kind: 'mark', channel: raw.channel, at: raw.at, error: new TidingsError(raw.error) } as const)
    known.set(id, intent)
    return intent
  }

  return {
    outbox: {
      ...value.readable,
      retry: (id) => owner.retry(numberOf(id)),
      discard: (id) => owner.discard(numberOf(id)),
    },
    cell: value,
    take(text) {
      const raw = text === undefined ? { pending: 0, failed: [] } : (JSON.parse(text) as { pending: number; failed: RawFailed[] })
      const list = raw.failed.map(failed)
      known = new Map(list.map((intent) => [intent.id, intent]))
      current = unlessSame(current, Object.freeze({ pending: raw.pending, failed: Object.freeze(list) }))
      value.put(current)
    },
    failed,
  }
}

function numberOf(id: string): number {
  const number = Number(id)
  if (typeof id !== 'string' || !Number.isSafeInteger(number)) throw invalid('An id of `outbox.failed` is needed.')
  return number
}
