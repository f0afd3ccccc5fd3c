import type { InboxItem, InboxSnapshot, InboxView, Readable, Tidings } from 'tidings'

import { combined, type Source } from './combined.js'

/**
 * A first inbox rendered on the server: `api.inbox(user)` of `tidings/server` returns one. It is
 * shown until the client has an inbox of its own, and only to its user.
 */
export interface InitialInbox {
  /** The user it belongs to; when left out, the user of the provider it came with. */
  readonly user?: string | undefined
  /** Newest first. */
  readonly items: readonly InboxItem[]
  /** Unread items of the whole inbox. */
  readonly unread: number
  /** Unseen items of the whole inbox; 0 when left out. */
  readonly unseen?: number | undefined
  /** Whether there are older items; `false` when left out. */
  readonly hasMore?: boolean | undefined
}

/**
 * The first inbox as a snapshot for this user, or `null` if there is none or it belongs to another
 * user.
 */
export function firstSnapshot(given: InitialInbox | null | undefined, shownTo: string | null | undefined): InboxSnapshot | null {
  if (!given || (given.user !== undefined && shownTo !== undefined && given.user !== shownTo)) return null
  const { items, unread, unseen = 0, hasMore = false } = given
  return Object.freeze({ status: 'cached', items, unread, unseen, count: null, hasMore, loadingMore: false, error: null })
}

/**
 * The view, with the first inbox in place of a `loading` snapshot. After a sign-out or a failure
 * the first inbox is not shown. `first` may start to return null; `changes` announces that.
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
