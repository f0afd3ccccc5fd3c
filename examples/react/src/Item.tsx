import type { InboxItem } from 'tidings'
import { useSeen } from 'tidings/react'

import { Icon, iconOf } from './Icon'
import { Link } from './location'
import { Time } from './Time'

interface ItemProps {
  readonly item: InboxItem
  readonly onRead: (read: boolean) => void
  readonly onArchive: () => void
  readonly onUnarchive: () => void
}

export function Item({ item, onRead, onArchive, onUnarchive }: ItemProps) {
  return (
    <li className="item" ref={useSeen(item)} data-id={item.id} data-read={item.read} data-pending={item.pending}>
      <span className="item-icon" data-type={item.type} aria-hidden="true">
        <Icon name={iconOf(item.type)} />
      </span>
      <div className="item-text">
        <p className="item-title">
          {!item.read && <span className="visually-hidden">Unread: </span>}
          {item.url === undefined ? (
            item.title
          ) : (
            <Link href={item.url} onClick={() => !item.read && onRead(true)}>
              {item.title}
            </Link>
          )}
        </p>
        {item.message && <p className="item-message">{item.message}</p>}
        <p className="item-meta">
          <Time at={item.at} />
          <span className="item-type">{item.type.replace('_', ' ')}</span>
        </p>
      </div>
      <div className="item-actions">
        <button
          className="icon-button"
          title={item.read ? 'Mark unread' : 'Mark read'}
          aria-label={`${item.read ? 'Mark unread' : 'Mark read'}: ${item.title}`}
          onClick={() => onRead(!item.read)}
        >
          <Icon name={item.read ? 'unread' : 'check'} />
        </button>
        <button
          className="icon-button"
          data-action="archive"
          title={item.archived ? 'Move to inbox' : 'Archive'}
          aria-label={`${item.archived ? 'Move to inbox' : 'Archive'}: ${item.title}`}
          onClick={item.archived ? onUnarchive : onArchive}
        >
          <Icon name={item.archived ? 'restore' : 'archive'} />
        </button>
      </div>
    </li>
  )
}
