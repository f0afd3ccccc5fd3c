import { useEffect } from 'react'
import { useUnreadCount } from 'tidings/react'

import { Icon } from './Icon'
import { Link } from './location'

/** The link to the inbox, with the number of unread notifications. The tab's title shows it too. */
export function Bell() {
  const unread = useUnreadCount()
  const shown = unread > 99 ? '99+' : String(unread)

  useEffect(() => {
    document.title = unread > 0 ? `(${shown}) Tidings` : 'Tidings'
  }, [unread, shown])

  return (
    <Link className="icon-button bell" href="/" aria-label={unread > 0 ? `Inbox, ${unread} unread` : 'Inbox, nothing unread'}>
      <Icon name="bell" />
      {unread > 0 && (
        <span className="badge" aria-hidden="true" data-testid="badge">
          {shown}
        </span>
      )}
    </Link>
  )
}
