import { test } from './test.ts'
import type { App } from './app.ts'
import type { Server } from '../harness/server.ts'

const to = { user: 'mina' }

test.describe.configure({ timeout: 180_000 })

/**
 * A notification arrives, a mark is stored, and after a kill of the server nothing is lost or
 * doubled.
 */
async function losesNothing(app: App, server: Server): Promise<void> {
  await server.publish({ to, title: 'Read me' })
  await app.shows(['Read me'])
  await app.hasToasts(1)
  await app.press('Mark read: Read me')
  await app.isRead('Read me')
  await app.isPending('Read me', false)
  const titles = Array.from({ length: 8 }, (_, at) => `Number ${at}`)
  for (const [at, title] of titles.entries()) {
    const publishing = server.publishInsistently({ to, title })
    if (at === 4) {
      await server.kill()
      await server.startAgain()
    }
    await publishing
  }
  await app.retryUntilLive()
  await app.shows(['Read me', ...titles].reverse())
  await app.hasBadge(titles.length)
}

test.describe('through a proxy without WebSocket settings', () => {
  test.use({ through: 'plain' })

  test('a page goes by a stream of server-sent events, and loses nothing', async ({ app, server }) => {
    await app.openLive()
    await app.isBy('sse')
    await losesNothing(app, server)
  })
})

test.describe('through a proxy that buffers', () => {
  test.use({ through: 'buffering' })

  test('a page polls, and loses nothing', async ({ app, server }) => {
    await app.open()
    await app.isBy('poll')
    await app.isLive()
    await losesNothing(app, server)
  })
})
