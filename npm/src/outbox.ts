import { TidingsError } from './error.js'
import type { RawFailedIntent, RawOutbox } from './generated/ops.js'
import { must } from './options.js'
import { cell, type Owner, type Part } from './readable.js'
import type { FailedIntent, Outbox, OutboxSnapshot, Stored } from './types.js'

/** The parts of a client that the outbox needs. */
export interface OutboxOwner extends Omit<Owner<OutboxSnapshot>, 'read'> {
  read(): RawOutbox | null
  retry(id: number): Promise<Stored>
  discard(id: number): void
}

/** The outbox and the functions that update it. */
export interface OutboxCell extends Part {
  readonly outbox: Outbox
  failed(raw: RawFailedIntent): FailedIntent
}

const OUTBOX: OutboxSnapshot = Object.freeze({ pending: 0, failed: Object.freeze([]) })

/** The outbox of one client. */
export function outbox(owner: OutboxOwner): OutboxCell {
  // One object per intent, for the list and the listeners alike.
  let known = new Map<number, FailedIntent>()

  const failed = ({ id, kind, channel, at, error }: RawFailedIntent): FailedIntent => {
    const intent = known.get(id) ?? Object.freeze({ id: String(id), kind, channel, at, error: new TidingsError(error) } as const)
    known.set(id, intent)
    return intent
  }

  const { readable, ...part } = cell(OUTBOX, {
    ...owner,
    read() {
      const { pending, failed: raw } = owner.read() ?? { pending: 0, failed: [] }
      const list = raw.map(failed)
      known = new Map(list.map((intent) => [Number(intent.id), intent]))
      return { pending, failed: Object.freeze(list) }
    },
  })

  return {
    outbox: {
      ...readable,
      retry: (id) => owner.retry(numberOf(id)),
      discard: (id) => owner.discard(numberOf(id)),
    },
    ...part,
    failed,
  }
}

function numberOf(id: string): number {
  const number = Number(id)
  must(typeof id === 'string' && Number.isSafeInteger(number), 'id', 'one of `outbox.failed`')
  return number
}
