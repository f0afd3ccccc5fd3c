/** Types with an app's own payloads: compiled by `npm run typecheck`, never run. */

import { createTidings, type InboxItem, type Tidings, type TidingsError } from 'tidings'
import { devTicket } from 'tidings/dev'
import { createTidingsServer, type Identified, type InitialInbox, type NewNotification } from 'tidings/server'

interface Order {
  orderId: string
}

declare module 'tidings' {
  interface Register {
    notifications: {
      payment: Order
      comment: { postId: string; by: string }
      /** Older backends sent no payload. */
      reminder: { taskId: string; note?: string } | undefined
      ping: null
      call: { at: Date }
    }
    channels: { room: { message: { text: string } }; log: { message: { at: Date; lines: Map<string, string> } } }
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
    case 'reminder':
      is<Equal<typeof item.data, { taskId: string; note?: string } | null>>()
      // @ts-expect-error -- an optional payload is read as null
      void item.data.taskId
      return item.data?.taskId ?? ''
    default:
      // A newer backend may send a type that this version does not know.
      return item.title
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
void api.notify({ to: { group: 'g' }, type: 'payment', title: 't', data: { orderId: 'o' } })
// @ts-expect-error -- readers of a payment are promised an order
void api.notify({ to: { user: 'u1' }, type: 'payment', title: 't' })
// @ts-expect-error -- the order has to be complete
void api.notify({ to: { user: 'u1' }, type: 'comment', title: 't', data: { postId: 'p' } })
// @ts-expect-error -- `undefined` is no order
void api.notify({ to: { user: 'u1' }, type: 'payment', title: 't', data: undefined })
void api.notify({ to: { user: 'u1' }, type: 'reminder', title: 't' })
void api.notify({ to: { user: 'u1' }, type: 'reminder', title: 't', data: { taskId: 'x' } })
void api.notify({ to: { user: 'u1' }, type: 'ping', title: 't' })
// @ts-expect-error -- a date would arrive as a string
void api.notify({ to: { user: 'u1' }, type: 'call', title: 't', data: { at: new Date() } })
// @ts-expect-error -- a map would arrive as an empty object
void api.publish('log:1', { at: 'now', lines: new Map() })
// @ts-expect-error -- no such type
void api.notify({ to: { user: 'u1' }, type: 'refund', title: 't' })
declare const prepared: NewNotification<'payment'>
void api.notify(prepared)
declare const either: NewNotification
void api.notify(either)
void (async () => is<Equal<Awaited<ReturnType<typeof api.inbox>>, InitialInbox>>())
void api.publish('room:1', { text: 'hi' })
// @ts-expect-error -- messages of rooms have text
void api.publish('room:1', { words: 'hi' })
// @ts-expect-error -- no such namespace
void api.publish('chat:1', {})
api.ticketHandler((request: Request) => ({ user: request.url, info: { name: 'Mina' } }))
// @ts-expect-error -- `info` has the type that the app registered
api.ticketHandler((request: Request) => ({ user: request.url, info: { nick: 'Mina' } }))
api.ticketHandler((event: { request: Request; locals: { id: string } }) => ({ user: event.locals.id }))
api.nodeTicketHandler((request: { user: { id: string } }) => ({ user: request.user.id }))
api.ticketHandler(async () => ({ user: null }))
api.ticketHandler(async () => undefined, { origins: ['https://app.example.com'] })

// Under `exactOptionalPropertyTypes` an app may pass on an option that is undefined.
declare const no: undefined
createTidings({ url: 'https://x', ticket: devTicket(no, { url: no }), user: no, storage: no, heartbeat: no, transports: no, keep: no, keepChannels: no, keepDays: no, wasm: no, logger: no })
createTidings({ url: 'https://x', ticket: devTicket(), backoff: no })
createTidings({ url: 'https://x', ticket: devTicket(), backoff: { base: no, cap: no, maxAttempts: no } })
client.inbox.view({ show: no, type: no })
void client.signOut({ unsent: no })
createTidingsServer({ url: no, apiKey: no, logger: no })
void api.notify({ to: { user: 'u1' }, type: 'ping', title: 't', message: no, url: no, data: no }, { key: no })
void api.publish('room:1', { text: 'hi' }, { key: no })
void api.inbox('u1', { limit: no })
void api.ticket({ user: 'u1', info: no, channels: no, sessionTtlMs: no, origin: no })
api.ticketHandler((): Identified => ({ user: no, info: no, channels: no }), { origins: no })
