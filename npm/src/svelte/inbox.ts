import { untrack } from 'svelte'
import type { InboxFilter, InboxSnapshot } from 'tidings'

import { actionsOf, keyOf, viewOf, type Notifications } from '../adapter/views.js'
import { latest, valueOf, type MaybeGetter } from './getter.js'
import { useTidingsContext } from './provider.js'
import { current, fields, follow, type Current } from './readable.js'

/**
 * A view of the inbox: `useNotifications({ show: 'unread' })`, or
 * `useNotifications(() => ({ show }))` if the filter changes. Filters are compared by value. Read
 * its getters (`inbox.items`) where they are used: a destructured value does not change. The
 * functions are stable and need no `this`.
 */
export function useNotifications(filter?: MaybeGetter<InboxFilter | undefined>): Notifications {
  const { client, inbox, mounted } = useTidingsContext()
  const view = latest(
    () => keyOf(valueOf(filter)),
    (key) => viewOf(client.inbox, key),
  )
  const readable = () => (view() === client.inbox ? inbox : view())
  const snapshot = fields<InboxSnapshot>(readable, { keys: client.inbox.initial, mounted })
  return Object.freeze(Object.assign(snapshot, actionsOf(client.inbox), { loadMore: () => untrack(view).loadMore() }))
}

/** Unread items of the whole inbox: the number on the bell. */
export function useUnreadCount(): Current<number> {
  const { inbox, mounted } = useTidingsContext()
  return current(follow(() => inbox, mounted, ({ unread }) => unread))
}
