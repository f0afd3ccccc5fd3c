'use client'
import { useMemo } from 'react'
import type { Inbox, InboxActions, InboxFilter, InboxSnapshot, InboxView } from 'tidings'

import { useTidingsContext, withInitial } from './provider.js'
import { useReadable } from './readable.js'

/** What {@link useNotifications} returns: a view's snapshot and what can be done with its items. */
export type Notifications = InboxSnapshot & InboxActions & Pick<InboxView, 'loadMore'>

/**
 * A view of the inbox: `useNotifications({ show: 'unread' })`. Filters are compared by value, so they may be written
 * inline. The result is a frozen object, new when its content is; its functions are stable and need no `this`.
 */
export function useNotifications(filter?: InboxFilter): Notifications {
  const context = useTidingsContext()
  const { inbox } = context.client
  const key = keyOf(filter)
  const view = useMemo(() => viewOf(inbox, key), [inbox, key])
  const readable = useMemo(() => (key === WHOLE ? withInitial(view, context) : view), [view, key, context])
  const snapshot = useReadable(readable)
  return useMemo(() => Object.freeze({ ...snapshot, ...actionsOf(view) }), [snapshot, view])
}

/** Unread items of the whole inbox: the number on the bell. */
export function useUnreadCount(): number {
  const context = useTidingsContext()
  const readable = useMemo(() => withInitial(context.client.inbox, context), [context])
  return useReadable(readable, unreadOf)
}

const unreadOf = (inbox: InboxSnapshot): number => inbox.unread

const WHOLE = ''

/** A filter as text, the same for filters that mean the same; empty: the inbox itself. */
function keyOf({ show = 'inbox', type = [] }: InboxFilter = {}): string {
  const types = typeof type === 'string' ? [type] : [...type].sort()
  return show === 'inbox' && types.length === 0 ? WHOLE : JSON.stringify({ show, type: types })
}

function viewOf(inbox: Inbox, key: string): InboxView {
  return key === WHOLE ? inbox : inbox.view(JSON.parse(key) as InboxFilter)
}

function actionsOf(view: InboxView): InboxActions & Pick<InboxView, 'loadMore'> {
  const { markRead, markUnread, markSeen, archive, unarchive, loadMore } = view
  return { markRead, markUnread, markSeen, archive, unarchive, loadMore }
}
