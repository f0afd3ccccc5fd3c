import { useEffect, useState } from 'react'
import type { ChannelView } from 'tidings/react'

import { authorOf } from './Message'

const ANNOUNCED_MAX = 5

/**
 * Reads out new messages of other users. The list is no live region: it would also read out older
 * and own messages.
 */
export function Announcer({ on }: Pick<ChannelView<`room:${string}`>, 'on'>) {
  const [announced, setAnnounced] = useState<readonly { readonly key: string; readonly text: string }[]>([])

  useEffect(
    () =>
      on('message', message => {
        if (message.from?.self) return
        const text = `${authorOf(message)}: ${message.data.text}`
        setAnnounced(before => [...before, { key: message.key, text }].slice(-ANNOUNCED_MAX))
      }),
    [on],
  )

  return (
    <div className="visually-hidden" role="log" aria-label="New messages">
      {announced.map(({ key, text }) => (
        <p key={key}>{text}</p>
      ))}
    </div>
  )
}
