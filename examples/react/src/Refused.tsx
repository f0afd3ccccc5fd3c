import type { TidingsError } from 'tidings'

import { Icon } from './Icon'

/** The server refuses this user, with a reason. */
export function Refused({ error }: { error: TidingsError | null }) {
  return (
    <div className="empty" role="alert">
      <Icon name="close" />
      <p className="empty-title">You can’t enter this room</p>
      <p>{error?.code === 'forbidden' ? 'You are not one of its members. Ask one of them to add you.' : error?.message}</p>
      {error && (
        <p>
          <a href={error.docs} target="_blank" rel="noopener noreferrer">
            About “{error.code}”
          </a>
        </p>
      )}
    </div>
  )
}
