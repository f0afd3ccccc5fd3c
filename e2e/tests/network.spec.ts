import { expect, test } from '../harness/test.ts'

// Heartbeats short enough to wait for.
test.use({ serverConfig: '[limits]\nheartbeat_ms = 1000\ntimeout_ms = 1000\nidle_ms = 2000\n' })

test('a link that passes nothing any more, yet looks open, is noticed and replaced', async ({ inbox, server, network }) => {
  await inbox.openLive()
  network.stall()
  await server.publish({ to: { user: 'mina' }, title: 'Across a dead link' })
  await inbox.shows(['Across a dead link'])
  await inbox.isLive()
  expect(inbox.sockets.length).toBeGreaterThan(1)
})

test('a cut link comes back by itself, and nothing published meanwhile is missing', async ({ inbox, server, network }) => {
  await inbox.openLive()
  for (const title of ['one', 'two', 'three']) {
    network.refuse(true)
    network.cut()
    await server.publish({ to: { user: 'mina' }, title })
    network.refuse(false)
  }
  await inbox.shows(['three', 'two', 'one'])
  await inbox.hasBadge(3)
})

test('a browser that goes offline says so and catches up when it is back', async ({ inbox, server, context, page }) => {
  await inbox.openLive()
  await context.setOffline(true)
  await inbox.hasState('offline')
  await expect(page.getByText('You are offline.')).toBeVisible()
  await server.publish({ to: { user: 'mina' }, title: 'Meanwhile' })
  await context.setOffline(false)
  await inbox.isLive()
  await inbox.shows(['Meanwhile'])
  await expect(page.getByText('You are offline.')).toHaveCount(0)
})
