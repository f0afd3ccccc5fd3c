import type { InboxItem, InboxSnapshot, InboxView, Readable, Tidings } from 'tidings'

import { combined, type Source } from './combined.js'

/** A first inbox rendered on the server: shown until the client knows better, and only for the user it came with. */
export interface InitialInbox {
  /** Newest first. */
  readonly items: readonly InboxItem[]
  /** Unread items of the whole inbox. */
  readonly unread: number
  /** Unseen items of the whole inbox; 0 when left out. */
  readonly unseen?: number
  /** Whether there are older items; `false` when left out. */
  readonly hasMore?: boolean
}

/** A first inbox as the inbox would show it. */
export function firstSnapshot({ items, unread, unseen = 0, hasMore = false }: InitialInbox): InboxSnapshot {
  return Object.freeze({ status: 'cached', items, unread, unseen, count: null, hasMore, loadingMore: false, error: null })
}

/**
 * The view, with the first inbox in the place of "nothing known yet". Not after a sign-out or a refusal: then nothing
 * known means nothing to show. `first` may come to give null; `changes` tells of that.
 */
export function withFirst(
  view: InboxView,
  { connection }: Tidings,
  first: () => InboxSnapshot | null,
  changes: readonly Source[] = [],
): Readable<InboxSnapshot> {
  return combined(first() ?? view.initial, [view, connection, ...changes], () => {
    const snapshot = view.get()
    const { status } = connection.get()
    return snapshot.status !== 'loading' || status === 'signed-out' || status === 'failed' ? snapshot : (first() ?? snapshot)
  })
}
