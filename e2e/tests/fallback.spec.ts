// The transport that a page uses through the real nginx. No transport loses or doubles anything.
import type { Browser, BrowserContext, WebSocket } from '@playwright/test'

import { expect, test } from '../harness/behind-nginx.ts'
import type { InboxPage } from '../harness/inbox-page.ts'
import type { Server } from '../harness/server.ts'

const to = { user: 'mina' }

// It takes a while until a network shows its faults: a stream that is held back, connections that
// are cut when idle.
test.describe.configure({ timeout: 180_000 })

interface World {
  readonly inbox: InboxPage
  readonly server: Server
  readonly browser: Browser
  readonly another: (context: BrowserContext) => Promise<InboxPage>
}

/**
 * A notification arrives, a mark is stored, and after kills of the server nothing is lost or
 * doubled.
 */
async function losesNothing({ inbox, server, browser, another }: World): Promise<void> {
  await server.publish({ to, title: 'Read me' })
  await inbox.shows(['Read me'])
  await expect(inbox.toast('Read me')).toHaveCount(1)
  await inbox.press('Read me', 'Mark read')
  await expect(inbox.item('Read me')).toHaveAttribute('data-read', 'true')
  await expect(inbox.item('Read me'), 'the server has it').toHaveAttribute('data-pending', 'false')

  const titles = Array.from({ length: 24 }, (_, at) => `Number ${at}`)
  for (const [at, title] of titles.entries()) {
    const publishing = server.publishInsistently({ to, title })
    if (at % 12 === 5) {
      await server.kill()
      await server.startAgain()
    }
    await publishing
  }
  const all = ['Read me', ...titles].reverse()
  await inbox.retryUntilLive()
  await inbox.shows(all)
  await inbox.hasBadge(titles.length)

  // A new browser shows the same.
  const elsewhere = await browser.newContext()
  const other = await another(elsewhere)
  await other.open()
  // It must find out again which transport the network lets through.
  await expect(other.page.getByRole('tabpanel')).toHaveAttribute('aria-busy', 'false', { timeout: 60_000 })
  await other.shows(all)
  await expect(other.item('Read me')).toHaveAttribute('data-read', 'true')
  await elsewhere.close()
}

test.describe('through the shipped configuration', () => {
  test('a page goes by WebSocket', async ({ inbox, server, browser, another }) => {
    await inbox.openLive()
    await inbox.isBy('ws')
    await losesNothing({ inbox, server, browser, another })
  })
})

test.describe('through a proxy without WebSocket settings', () => {
  test.use({ kind: 'plain' })

  test('a page goes by a stream', async ({ inbox, server, browser, another }) => {
    await inbox.openLive()
    await inbox.isBy('sse')
    await losesNothing({ inbox, server, browser, another })
  })

  test('a page goes up to WebSocket when another network lets it, and nobody sees it', async ({ inbox, nginx, server, page }) => {
    await inbox.openLive()
    await inbox.isBy('sse')
    await server.publish({ to, title: 'before' })
    await inbox.shows(['before'])
    const states = await inbox.states()
    expect(states.at(-1)).toBe('connected by sse')

    await nginx.reload('shipped')
    await page.evaluate(() => dispatchEvent(new Event('online')))
    const titles = ['before']
    for (const title of Array.from({ length: 20 }, (_, at) => `during ${at}`)) {
      titles.unshift(title)
      await server.publish({ to, title })
    }
    await inbox.isBy('ws')
    titles.unshift('after')
    await server.publish({ to, title: 'after' })
    await inbox.shows(titles)
    await inbox.hasBadge(titles.length)
    expect(await inbox.states()).toEqual([...states, 'connected by ws'])
    await inbox.press('after', 'Mark read')
    await expect(inbox.item('after')).toHaveAttribute('data-pending', 'false')
    await inbox.hasBadge(titles.length - 1)
  })

  test.describe('a policy against requests', () => {
    // Chromium does not count a page that the test itself serves as local.
    test.use({ permissions: ['local-network-access'] })

    test('is named as the cause, and WebSocket is tried again', async ({ inbox, nginx, page, server }) => {
      await page.route(`${inbox.url}/`, async route => {
        const response = await route.fetch()
        const policy = response.headers()['content-security-policy'] ?? ''
        expect(policy).toContain(`connect-src 'self' ${nginx.url} `)
        const sockets = `${nginx.url.replace('http', 'ws')}/v1/ws`
        const headers = { ...response.headers(), 'content-security-policy': policy.replace(/connect-src [^;]*/, `connect-src 'self' ${sockets}`) }
        await route.fulfill({ response, headers })
      })
      await inbox.open()
      await expect(page.getByTestId('connection')).toHaveAttribute('title', /Content-Security-Policy.*connect-src/, { timeout: 40_000 })
      await nginx.reload('shipped')
      await inbox.retryUntilLive()
      await inbox.isBy('ws')
      await server.publish({ to, title: 'Through at last' })
      await inbox.shows(['Through at last'])
    })
  })

  test.describe('a session that lasts ten seconds', () => {
    test.use({ sessionTtlMs: 10_000 })

    test('is refreshed in time, and nobody sees it', async ({ inbox, server }) => {
      await inbox.openLive()
      await inbox.isBy('sse')
      const [states, tickets] = [await inbox.states(), inbox.tickets]
      await expect.poll(() => inbox.tickets, { timeout: 60_000 }).toBe(tickets + 3)
      await server.publish({ to, title: 'Still here' })
      await inbox.shows(['Still here'])
      expect(await inbox.states()).toEqual(states)
    })
  })
})

test.describe('through a proxy that buffers', () => {
  test.use({ kind: 'buffering' })

  test('a page polls', async ({ inbox, server, browser, another }) => {
    await inbox.open()
    await inbox.isBy('poll', 90_000)
    await inbox.isLive()
    await losesNothing({ inbox, server, browser, another })
  })
})

test.describe('through a proxy that cuts links after 5 s of silence', () => {
  test.use({ kind: 'impatient' })

  test('a page stays with WebSocket, and learns to break the silence', async ({ inbox, server, browser, another }) => {
    const pongs = new Map<WebSocket, number>()
    inbox.page.on('websocket', socket => {
      socket.on('framereceived', ({ payload }) => {
        if (/"type":"pong"/.test(String(payload))) pongs.set(socket, (pongs.get(socket) ?? 0) + 1)
      })
    })
    await inbox.openLive()
    // Pings are between one and five seconds apart; without them, the connection would have been
    // cut.
    await expect.poll(() => Math.max(0, ...pongs.values()), { timeout: 120_000 }).toBeGreaterThanOrEqual(8)
    expect(inbox.sockets.length, 'two cuts at most').toBeLessThanOrEqual(3)
    expect(inbox.sockets.at(-1)?.isClosed()).toBe(false)
    expect((await inbox.states()).filter(state => state.includes(' by '))).toEqual(inbox.sockets.map(() => 'connected by ws'))
    await losesNothing({ inbox, server, browser, another })
  })
})
