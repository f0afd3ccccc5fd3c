import { useId, useRef, useState } from 'react'
import type { InboxItem } from 'tidings'
import { useNotifications, useTidings, useUnreadCount } from 'tidings/react'

import { EmptyInbox } from './EmptyInbox'
import { Item } from './Item'
import { Tabs } from './Tabs'
import { useToasts } from './toast-list'

export type Show = 'inbox' | 'unread' | 'archived'

/**
 * Marks show at once, without waiting. A refused mark is rolled back, and Toasts shows the error.
 */
export function Inbox() {
  const [show, setShow] = useState<Show>('inbox')
  const inbox = useNotifications({ show })
  const unread = useUnreadCount()
  const tidings = useTidings()
  const toasts = useToasts()
  const list = useRef<HTMLUListElement>(null)
  const panel = useId()

  function archive(item: InboxItem) {
    focusBeside(list.current, item.id)
    void inbox.archive(item)
    toasts.show({ title: 'Archived', message: item.title, action: { label: 'Undo', run: () => inbox.unarchive(item) } })
  }

  return (
    <section className="card inbox" aria-labelledby={`${panel}-title`}>
      <header className="inbox-head">
        <h1 id={`${panel}-title`}>Inbox</h1>
        {inbox.status === 'cached' && <span className="note">As last seen</span>}
        <button
          className="button quiet"
          disabled={unread === 0}
          onClick={() => void tidings.inbox.markAllRead()}
        >
          Mark all read
        </button>
      </header>
      <Tabs
        label="Show"
        panel={panel}
        value={show}
        onChange={setShow}
        tabs={[
          { value: 'inbox', label: 'Inbox' },
          { value: 'unread', label: 'Unread', count: unread },
          { value: 'archived', label: 'Archived' },
        ]}
      />
      <div role="tabpanel" id={panel} aria-labelledby={`${panel}-${show}`} aria-busy={inbox.status === 'loading'}>
        {inbox.status === 'loading' ? (
          <Skeleton />
        ) : inbox.items.length === 0 ? (
          <EmptyInbox show={show} />
        ) : (
          <ul className="items" ref={list}>
            {inbox.items.map(item => (
              <Item
                key={item.id}
                item={item}
                onRead={read => void (read ? inbox.markRead(item) : inbox.markUnread(item))}
                onArchive={() => archive(item)}
                onUnarchive={() => void inbox.unarchive(item)}
              />
            ))}
          </ul>
        )}
        {inbox.error && (
          <p className="inbox-error" role="alert">
            {inbox.error.message}
          </p>
        )}
        {inbox.hasMore && (
          <button className="button more" disabled={inbox.loadingMore} onClick={() => void inbox.loadMore()}>
            {inbox.loadingMore ? 'Loading…' : 'Load older'}
          </button>
        )}
      </div>
    </section>
  )
}

/** Keeps the keyboard focus in the list when its item is removed. */
function focusBeside(list: HTMLUListElement | null, id: string) {
  const item = list?.querySelector(`[data-id="${CSS.escape(id)}"]`)
  if (!item?.contains(document.activeElement)) return
  const beside = item.nextElementSibling ?? item.previousElementSibling
  const target = beside?.querySelector<HTMLElement>('[data-action="archive"]') ?? document.getElementById('main')
  target?.focus()
}

function Skeleton() {
  return (
    <div className="skeleton">
      <span className="visually-hidden">Loading…</span>
      {[0, 1, 2, 3].map(row => (
        <div key={row} aria-hidden="true" />
      ))}
    </div>
  )
}
