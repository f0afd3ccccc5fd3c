import { Icon, type IconName } from './Icon'
import type { Show } from './Inbox'

const TEXTS: Record<Show, { icon: IconName; title: string; text: string }> = {
  inbox: { icon: 'bell', title: 'Nothing here yet', text: 'Publish a notification and it appears here at once.' },
  unread: { icon: 'check', title: 'All caught up', text: 'There is nothing left to read.' },
  archived: { icon: 'archive', title: 'Nothing archived', text: 'What you archive is kept here.' },
}

export function EmptyInbox({ show }: { show: Show }) {
  const { icon, title, text } = TEXTS[show]
  return (
    <div className="empty">
      <Icon name={icon} />
      <p className="empty-title">{title}</p>
      <p>{text}</p>
    </div>
  )
}
