import type { Message as MessageOf, MessageOf as DataOf } from 'tidings'

import { Icon } from './Icon'
import { Time } from './Time'

interface MessageProps {
  readonly message: MessageOf<DataOf<'room:harbour'>>
  readonly onRetry: () => void
  readonly onDiscard: () => void
}

export function Message({ message, onRetry, onDiscard }: MessageProps) {
  const { from, data, at, pending, failed } = message
  const own = from?.self ?? false
  const state = failed ? 'failed' : pending ? 'pending' : 'sent'
  return (
    <li className="message" data-own={own} data-state={state}>
      <p className="message-meta">
        <span className="message-author">{authorOf(message)}</span>
        <Time at={at} />
      </p>
      <p className="message-text">{data.text}</p>
      {own && (
        <p className="message-state">
          {state === 'sent' ? (
            <>
              <Icon name="check" /> Sent
            </>
          ) : state === 'pending' ? (
            'Sending…'
          ) : (
            <>
              <span className="message-failed">Not sent. {failed?.code === 'forbidden' ? 'You may not write here.' : failed?.message}</span>
              <button className="button quiet" onClick={onRetry} aria-label={`Retry: ${data.text}`}>
                Retry
              </button>
              <button className="button quiet" onClick={onDiscard} aria-label={`Discard: ${data.text}`}>
                Discard
              </button>
            </>
          )}
        </p>
      )}
    </li>
  )
}

/** Messages of a backend have no author. */
export function authorOf({ from }: MessageProps['message']) {
  if (from === null) return 'The office'
  return from.self ? 'You' : (from.info?.name ?? from.user)
}
