// Checked by tsc, never run.
import type { Connection, InboxFilter, InboxItem, Json, Message, Stored, Tidings } from 'tidings'
import {
  setTidings,
  useChannel,
  useConnection,
  useNotifications,
  useReadable,
  useSeen,
  useServerTime,
  useTidings,
  useTidingsEvent,
  useUnreadCount,
  type MaybeGetter,
} from 'tidings/svelte'

declare const client: Tidings
declare const item: InboxItem
declare const element: HTMLElement
declare const filter: MaybeGetter<InboxFilter>
function is<T>(_value: T): void {}

setTidings(client)
setTidings(client, 'u1')
setTidings(client, () => null, { initial: { items: [item], unread: 1 } })
setTidings(client, 'u1', { initial: () => ({ items: [item], unread: 1 }) })
declare const no: undefined
setTidings(client, no, { initial: no })
useServerTime({ every: no })
useNotifications({ show: no, type: no })
// @ts-expect-error -- a user is a string or null
setTidings(client, () => 1)
// @ts-expect-error -- a client is needed
setTidings()
is<Tidings>(useTidings())

const inbox = useNotifications({ show: 'unread' })
useNotifications(filter)
useNotifications(() => ({ type: ['payment'] }))
is<readonly InboxItem[]>(inbox.items)
is<Promise<Stored>>(inbox.markRead([item, item.id]))
is<Promise<void>>(inbox.loadMore())
// @ts-expect-error -- there is no such view
useNotifications(() => ({ show: 'deleted' }))
// @ts-expect-error -- results are read-only
inbox.items.push(item)
// @ts-expect-error -- their fields are read-only too
inbox.unread = 1
// @ts-expect-error -- views are not stores: the client's readables are
inbox.subscribe(() => {})

const room = useChannel(() => 'room:42' as const)
is<readonly Message<Json>[]>(room.messages)
is<Promise<Stored>>(room.publish({ text: 'hi' }))
useChannel(null)
// @ts-expect-error -- a channel has a namespace
useChannel('42')

is<number>(useUnreadCount().current)
is<Connection['status']>(useConnection().status)
is<number | null>(useServerTime({ every: 1000 }).current)
is<number | null>(useServerTime(() => ({ every: 1000 })).current)

is<number>(useReadable(client.inbox, (value) => value.unseen).current)
is<{ readonly pending: number }>(useReadable(() => client.outbox).current)
// @ts-expect-error -- a selection has the selection's type
is<string>(useReadable(client.inbox, (value) => value.unseen).current)

useTidingsEvent('arrived', ({ title }) => is<string>(title))
useTidingsEvent('failed', ({ error }) => is<string>(error.code))
// @ts-expect-error -- there is no such event
useTidingsEvent('arived', () => {})

const seen = useSeen()
is<(element: Element) => void | (() => void)>(seen(item))
is<() => void>(seen(element, item).destroy)
// @ts-expect-error -- an item, not its id
seen(item.id)
