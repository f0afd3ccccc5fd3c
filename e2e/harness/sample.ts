import type { Server } from './server.ts'

/** A typical inbox: several types, with and without links. */
export async function fillInbox(server: Server): Promise<void> {
  const order = { routing: { type: 'navigate', path: '/orders/42', params: { tab: 'receipt' } } }
  const notices = [
    { type: 'comment', title: 'Lunch at noon?', message: 'Jun commented on “Team calendar”.' },
    { type: 'team_invite', title: 'Jun invited you to “Harbour”', message: 'Four people are in this team.' },
    { type: 'payment', title: 'Payment received', message: '€ 42.00 for order 42. Thank you!', data: order },
  ]
  for (const notice of notices) await server.publish({ to: { user: 'mina' }, ...notice })
  await server.publish({ to: { everyone: true }, type: 'system', title: 'New: saved searches', message: 'Find them beside the search box.' })
}
