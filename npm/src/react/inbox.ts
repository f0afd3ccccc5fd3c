'use client'
import { useMemo } from 'react'
import type { InboxFilter, InboxSnapshot } from 'tidings'

import { actionsOf, keyOf, viewOf, WHOLE, type Notifications } from '../adapter/views.js'
import { useTidingsContext, withInitial } from './provider.js'
import { useReadable } from './readable.js'

/**
 * A view of the inbox: `useNotifications({ show: 'unread' })`. Filters are compared by value, so
 * they may be written inline. The result is a frozen object, which is new when its content changed.
 * Its functions are stable and need no `this`.
 */
export function useNotifications(filter?: InboxFilter): Notifications {
  const context = useTidingsContext()
  const { inbox } = context.client
  const key = keyOf(filter)
  const view = useMemo(() => viewOf(inbox, key), [inbox, key])
  const readable = useMemo(() => (key === WHOLE ? withInitial(view, context) : view), [view, key, context])
  const snapshot = useReadable(readable)
  return useMemo(() => Object.freeze({ ...snapshot, ...actionsOf(view), loadMore: view.loadMore }), [snapshot, view])
}

/** Unread items of the whole inbox: the number on the bell. */
export function useUnreadCount(): number {
  const context = useTidingsContext()
  const readable = useMemo(() => withInitial(context.client.inbox, context), [context])
  return useReadable(readable, unreadOf)
}

const unreadOf = (inbox: InboxSnapshot): number => inbox.unread
