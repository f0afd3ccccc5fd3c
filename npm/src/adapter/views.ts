import type { Inbox, InboxActions, InboxFilter, InboxSnapshot, InboxView } from 'tidings'

/** The result of `useNotifications`: a view's snapshot and the actions on its items. */
export type Notifications = InboxSnapshot & InboxActions & Pick<InboxView, 'loadMore'>

/** The key of the inbox itself. */
export const WHOLE = ''

/** A filter as text. Filters with the same meaning give the same text. */
export function keyOf({ show = 'inbox', type = [] }: InboxFilter = {}): string {
  const types = typeof type === 'string' ? [type] : [...type].sort()
  return show === 'inbox' && types.length === 0 ? WHOLE : JSON.stringify({ show, type: types })
}

/** The view of a filter's key. */
export function viewOf(inbox: Inbox, key: string): InboxView {
  return key === WHOLE ? inbox : inbox.view(JSON.parse(key) as InboxFilter)
}

/** The actions on a view's items. */
export function actionsOf({ markRead, markUnread, markSeen, archive, unarchive }: InboxView): InboxActions {
  return { markRead, markUnread, markSeen, archive, unarchive }
}
