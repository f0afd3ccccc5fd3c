/** Types with an app's own payloads: compiled by `npm run typecheck`, never run. */

import { createTidings, type InboxItem, type Tidings, type TidingsError } from 'tidings'
import { createTidingsServer } from 'tidings/server'

interface Order {
  orderId: string
}

declare module 'tidings' {
  interface Register {
    notifications: { payment: Order; comment: { postId: string; by: string } }
    channels: { room: { message: { text: string } } }
    user: { name: string }
  }
}

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const is = <_ extends true>() => {}

export const client: Tidings = createTidings({ url: () => 'https://x', ticket: async ({ user, signal }) => (signal.aborted || user === undefined ? null : { token: user }) })

// The union of items is closed: `switch` narrows, and an interface is a fine payload.
export function title(item: InboxItem): string {
  switch (item.type) {
    case 'payment':
      is<Equal<typeof item.data, Order>>()
      return item.data.orderId
    case 'comment':
      return item.data.by
  }
}

client.on('arrived', (item) => is<Equal<typeof item, InboxItem>>())
client.on('error', (error) => is<Equal<typeof error, TidingsError>>())
client.inbox.view({ type: ['payment'] })
// @ts-expect-error -- no such type
client.inbox.view({ type: 'refund' })
// @ts-expect-error -- no such state
client.inbox.view({ show: 'seen' })
// @ts-expect-error -- no such event
client.on('arrive', () => {})
// @ts-expect-error -- snapshots can't be written
client.inbox.get().items[0] = undefined
// @ts-expect-error -- a user is a string or null
client.setUser(undefined)
// @ts-expect-error -- a ticket function is needed
createTidings({ url: 'https://x' })
// @ts-expect-error -- a ticket, a token or null
createTidings({ url: 'https://x', ticket: async () => undefined })

const { markRead } = client.inbox
is<Equal<Awaited<ReturnType<typeof markRead>>['offset'], number>>()
void markRead('n1')
void markRead(client.inbox.get().items)

const api = createTidingsServer({ url: 'https://x', apiKey: 'k' })
void api.notify({ to: { everyone: true }, type: 'payment', title: 't', data: { orderId: 'o' } })
// @ts-expect-error -- the payload is of another type
void api.notify({ to: { user: 'u1' }, type: 'payment', title: 't', data: { postId: 'p' } })
// @ts-expect-error -- no such target
void api.notify({ to: { group: 'g' }, type: 'payment', title: 't' })
void api.publish('room:1', { text: 'hi' })
// @ts-expect-error -- messages of rooms have text
void api.publish('room:1', { words: 'hi' })
// @ts-expect-error -- no such namespace
void api.publish('chat:1', {})
api.ticketHandler((request: Request) => ({ user: request.url, info: { name: 'Mina' } }))
// @ts-expect-error -- `info` is what the app registered
api.ticketHandler((request: Request) => ({ user: request.url, info: { nick: 'Mina' } }))
api.ticketHandler((event: { request: Request; locals: { id: string } }) => ({ user: event.locals.id }))
api.nodeTicketHandler((request: { user: { id: string } }) => ({ user: request.user.id }))
