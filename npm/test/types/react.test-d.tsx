// Checked by tsc, never run.
import type { InboxItem, Json, Message, Stored, Tidings } from 'tidings'
import { TidingsProvider, useChannel, useNotifications, useReadable, useSeen, useServerTime, useTidings, useTidingsEvent, useUnreadCount } from 'tidings/react'

declare const client: Tidings
declare const no: undefined
function is<T>(_value: T): void {}

export function Types({ item }: { item: InboxItem }): unknown {
  const { items, unread, markRead, loadMore } = useNotifications({ show: 'unread' })
  is<readonly InboxItem[]>(items)
  is<number>(unread)
  is<Promise<Stored>>(markRead([item, item.id]))
  is<Promise<void>>(loadMore())
  is<number>(useUnreadCount())
  is<number | null>(useServerTime({ every: 1000 }))
  is<Tidings>(useTidings())
  useServerTime({ every: no })
  useNotifications({ show: no, type: no })

  is<number>(useReadable(client.inbox, inbox => inbox.unseen))
  is<{ readonly pending: number }>(useReadable(client.outbox))
  // @ts-expect-error -- a selection has the selection's type
  is<string>(useReadable(client.inbox, inbox => inbox.unseen))

  const room = useChannel('room:42')
  is<readonly Message<Json>[]>(room.messages)
  is<Promise<Stored>>(room.publish({ text: 'hi' }))
  is<() => void>(room.on('message', ({ data, from }) => is<[Json, string | undefined]>([data, from?.user])))
  useChannel(null)
  // @ts-expect-error -- a channel has a namespace
  useChannel('42')

  useTidingsEvent('arrived', ({ title }) => is<string>(title))
  useTidingsEvent('failed', ({ error }) => is<string>(error.code))
  // @ts-expect-error -- there is no such event
  useTidingsEvent('arived', () => {})
  // @ts-expect-error -- there is no such view
  useNotifications({ show: 'deleted' })
  // @ts-expect-error -- results are read-only
  items.push(item)

  return [
    <li key={1} ref={useSeen(item)} />,
    <TidingsProvider key={2} client={client} user="u1" initial={{ items: [item], unread: 1 }} />,
    <TidingsProvider key={3} client={client} user={null} />,
    <TidingsProvider key={5} client={client} user={no} initial={no} children={no} />,
    <TidingsProvider key={6} client={client} user="u1" initial={{ user: no, items: [item], unread: 1, unseen: no, hasMore: no }} />,
    // @ts-expect-error -- a provider needs a client
    <TidingsProvider key={4} />,
  ]
}
