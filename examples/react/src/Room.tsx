import { Fragment, useId, useRef } from 'react'
import { useChannel, useConnection, useTidings } from 'tidings/react'

import { Composer } from './Composer'
import { EmptyRoom } from './EmptyRoom'
import { Announcer } from './Announcer'
import { Message } from './Message'
import { Refused } from './Refused'
import { useAnchor } from './anchor'

/**
 * Own messages show at once: pending until the server has stored them, failed if it refused them.
 */
export function Room({ channel, title }: { channel: `room:${string}`; title: string }) {
  const room = useChannel(channel)
  const { status } = useConnection()
  const tidings = useTidings()
  const id = useId()
  const list = useAnchor(room.messages)
  const composer = useRef<HTMLTextAreaElement>(null)
  const waiting = room.messages.filter(({ pending }) => pending).length
  const { gap } = room
  const afterGap = gap && room.messages.find(({ offset }) => offset !== null && offset > gap.to)
  const loading = room.status === 'idle' || room.status === 'joining'

  /** The pressed button disappears: move the keyboard focus to the composer. */
  function settle(act: () => unknown) {
    composer.current?.focus()
    void act()
  }

  return (
    <section className="card room" aria-labelledby={`${id}-title`} data-status={room.status}>
      <header className="room-head">
        <h1 id={`${id}-title`}>{title}</h1>
        {room.status === 'catching-up' && <span className="note">As last seen</span>}
      </header>
      {room.status === 'refused' ? (
        <Refused error={room.error} />
      ) : (
        <div
          className="room-log"
          ref={list}
          role="region"
          aria-label={`Messages in ${title}`}
          aria-busy={loading || room.loadingMore}
          tabIndex={0}
        >
          {room.hasMore && (
            <button className="button more" disabled={room.loadingMore} onClick={() => void room.loadMore()}>
              {room.loadingMore ? 'Loading…' : 'Load older'}
            </button>
          )}
          {room.error && (
            <p className="inbox-error" role="alert">
              {room.error.message}
            </p>
          )}
          {room.messages.length > 0 ? (
            <ol className="messages">
              {room.messages.map(message => (
                <Fragment key={message.key}>
                  {message === afterGap && <li className="room-gap">Messages are missing here: the server keeps them no longer.</li>}
                  <Message
                    message={message}
                    onRetry={() => settle(() => tidings.outbox.retry(message.key))}
                    onDiscard={() => settle(() => tidings.outbox.discard(message.key))}
                  />
                </Fragment>
              ))}
            </ol>
          ) : loading && status !== 'offline' ? (
            <p className="note room-loading">Loading…</p>
          ) : (
            <EmptyRoom offline={loading} />
          )}
        </div>
      )}
      <Announcer on={room.on} />
      <p className="room-waiting" role="status">
        {waiting > 0 && status !== 'connected' && `${waiting} waiting for a connection`}
      </p>
      {room.status !== 'refused' && <Composer ref={composer} title={title} onSend={text => void room.publish({ text })} />}
    </section>
  )
}
