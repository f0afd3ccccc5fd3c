import type { InitialInbox } from '../adapter/initial-inbox.js'
import type { RawItem } from '../generated/ops.js'
import { items } from '../items.js'

/** The answer of `GET /v1/inbox`. */
export interface Page {
  readonly items: readonly {
    readonly id: string
    readonly kind: string
    readonly at: number
    readonly seen: boolean
    readonly read: boolean
    readonly archived: boolean
    readonly data: unknown
  }[]
  readonly counts: { readonly inbox: Counts; readonly system: Counts }
  readonly next?: string
}

interface Counts {
  readonly unread: number
  readonly unseen: number
}

/** Converts a page of the server into the client's items. */
export function firstInbox(user: string, { items: page, counts: { inbox, system }, next }: Page): InitialInbox {
  const { take } = items()
  const shown = page.map(({ id, kind, at, read, seen, archived, data }, number) => {
    const flags = Number(read) + 2 * Number(seen) + 4 * Number(archived)
    return take([number, flags, id, kind, at, data] satisfies RawItem)
  })
  return {
    user,
    items: shown.filter((item) => item !== undefined),
    unread: inbox.unread + system.unread,
    unseen: inbox.unseen + system.unseen,
    hasMore: next !== undefined,
  }
}
