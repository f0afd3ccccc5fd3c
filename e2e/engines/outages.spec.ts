import { expect, test } from './test.ts'

const to = { user: 'mina' }

test('offline: with nothing within reach, the app’s own backend neither, the page keeps what it has, and catches up', async ({ app, server, network, front }) => {
  await server.publish({ to, title: 'before' })
  await app.openLive()
  await app.shows(['before'])
  network.refuse(true)
  front.refuse(true)
  network.cut()
  await app.hasState('waiting')
  await app.hasText('Connection lost.')
  await server.publish({ to, title: 'meanwhile' })
  await app.shows(['before'])
  network.refuse(false)
  front.refuse(false)
  await app.retryUntilLive()
  await app.shows(['meanwhile', 'before'])
  await app.hasBadge(2)
  await app.lacksText('Connection lost.')
})

test('the saved inbox is shown after a reload, before there is a connection', async ({ app, server }) => {
  for (const title of ['one', 'two']) await server.publish({ to, title })
  await app.openLive()
  await app.press('Mark read: one')
  await app.isPending('one', false)
  // The outbox row of the mark may be on disk before the inbox that shows the mark. By then there
  // is an inbox, too.
  await app.hasSaved('\\"read\\":true')
  await server.kill()
  await app.tab.reload()
  await app.shows(['two', 'one'])
  await app.isRead('one')
  await app.hasBadge(1)
  await app.hasText('As last seen')
})

test.describe('with short heartbeats', () => {
  test.use({ serverConfig: '[limits]\nheartbeat_ms = 1000\ntimeout_ms = 1000\nidle_ms = 2000\n' })

  test('half-open: a link that passes nothing any more, yet looks open, is noticed and replaced', async ({ app, server, network, front }) => {
    await app.openLive()
    const before = front.tickets
    network.stall()
    await server.publish({ to, title: 'Across a dead link' })
    await app.shows(['Across a dead link'])
    await app.isLive()
    expect(front.tickets).toBeGreaterThan(before)
  })
})
