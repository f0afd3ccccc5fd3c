import { Icon } from './Icon'

/** `offline`: whether the room has messages is not known yet. */
export function EmptyRoom({ offline }: { offline: boolean }) {
  return (
    <div className="empty">
      <Icon name="rooms" />
      <p className="empty-title">{offline ? 'Nothing of this room is in this browser' : 'Nothing was said here yet'}</p>
      <p>{offline ? 'It comes with the connection. What you write is sent then.' : 'Say something, and everybody in the room has it at once.'}</p>
    </div>
  )
}
