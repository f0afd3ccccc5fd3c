// The code that a page loads until its first inbox is shown, and the actions that wait for the
// deferred part.
import type { Route } from '@playwright/test'

import { expect, test } from '../harness/test.ts'

// A browser may remember a failed import, so the second try adds a query.
const DEFERRED = /\/deferred-[^/]+\.js(\?|$)/

test('a first inbox does without the rest of the core, and what happens meanwhile waits for it', async ({ inbox, server, page }) => {
  for (const title of ['first', 'second']) await server.publish({ to: { user: 'mina' }, title })
  const held: Route[] = []
  await page.route(DEFERRED, route => void held.push(route))

  await inbox.open()
  await inbox.isLive()
  await inbox.shows(['second', 'first'])
  await inbox.hasBadge(2)
  await expect.poll(() => held.length, 'asked for once the inbox is there').toBe(1)

  await server.publish({ to: { user: 'mina' }, title: 'third' })
  await inbox.press('first', 'Mark read')
  // Only the deferred part can show both.
  await inbox.shows(['second', 'first'])

  await held[0]?.continue()
  await inbox.shows(['third', 'second', 'first'])
  await expect(inbox.toast('third')).toHaveCount(1)
  await inbox.hasBadge(2)
  expect(inbox.sockets, 'over the same connection').toHaveLength(1)
})

test('a rest that did not load is asked for again', async ({ inbox, server, page }) => {
  let tries = 0
  await page.route(DEFERRED, route => {
    tries += 1
    return tries === 1 ? route.abort() : route.continue()
  })
  await inbox.open()
  await inbox.isLive()
  await server.publish({ to: { user: 'mina' }, title: 'Paid' })
  await inbox.shows(['Paid'])
  expect(tries).toBe(2)
})

test('a first part that did not load is asked for again, and what the page shows meanwhile says why', async ({ inbox, server, page }) => {
  await server.publish({ to: { user: 'mina' }, title: 'Paid' })
  let tries = 0
  let there = false
  await page.route(/\/startup-[^/]+\.js/, route => {
    tries += 1
    return there ? route.continue() : route.abort()
  })
  const warned = page.waitForEvent('console', message => message.text().includes('[wasm_unavailable'))
  await inbox.open()
  await inbox.hasState('waiting')
  expect((await warned).text()).toContain('explain()')
  there = true
  // The page has a sign that the network is back, so it tries at once.
  await page.evaluate(() => window.dispatchEvent(new Event('online')))
  await inbox.isLive()
  await inbox.shows(['Paid'])
  expect(tries).toBeGreaterThan(1)
})
