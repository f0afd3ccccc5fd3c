import type { InboxItem, InboxSnapshot, InboxView, Readable, Tidings } from 'tidings'

import { combined, type Source } from './combined.js'

/**
 * A first inbox rendered on the server: `api.inbox(user)` of `tidings/server` gives one. It is shown until the client
 * knows better, and only for its user.
 */
export interface InitialInbox {
  /** Whose; when left out, the user it came with. */
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

/** A first inbox as the inbox would show it to this user, if one is known; `null`: there is none, or it is another's. */
export function firstSnapshot(given: InitialInbox | null | undefined, shownTo: string | null | undefined): InboxSnapshot | null {
  if (!given || (given.user !== undefined && shownTo !== undefined && given.user !== shownTo)) return null
  const { items, unread, unseen = 0, hasMore = false } = given
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
