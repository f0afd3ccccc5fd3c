import { EVERY_FRAMEWORK, expect, test } from '../harness/test.ts'
import type { InboxPage } from '../harness/inbox-page.ts'

const TICKET = '**/api/tidings-ticket'

/**
 * Moves the page's clock by a minute, second by second, so that answers arrive between its timers.
 */
async function passMinute({ page }: InboxPage): Promise<void> {
  for (let second = 0; second < 60; second += 1) await page.clock.runFor(1000)
}

test('a ticket the server refuses is said so, and is not asked for again and again', async ({ inbox, page, server }) => {
  let given = 0
  await page.route(TICKET, route => {
    given += 1
    return route.fulfill({ json: { ticket: 'nonsense' } })
  })
  await page.clock.install()
  await inbox.open()
  await inbox.hasState('waiting')
  await passMinute(inbox)
  // Waits are random, from 0 up to 1, 2, 4, … 30 s: without them there would be hundreds of
  // attempts.
  expect(given).toBeGreaterThan(1)
  expect(given).toBeLessThanOrEqual(25)
  await expect(page.getByText('Connection lost.')).toBeVisible()

  await page.unroute(TICKET)
  await passMinute(inbox)
  await inbox.isLive()
  await server.publish({ to: { user: 'mina' }, title: 'Welcome back' })
  await inbox.shows(['Welcome back'])
})

test('a backend that fails to give tickets is not hammered either', async ({ inbox, page }) => {
  let asked = 0
  await page.route(TICKET, route => {
    asked += 1
    return route.fulfill({ status: 500, json: {} })
  })
  await page.clock.install()
  await inbox.open()
  await inbox.hasState('waiting')
  await passMinute(inbox)
  expect(asked).toBeGreaterThan(1)
  expect(asked).toBeLessThanOrEqual(25)
  expect(inbox.sockets).toHaveLength(0)
})

test('a backend that says "signed out" ends the attempts until somebody asks for another', EVERY_FRAMEWORK, async ({ inbox, page }) => {
  await page.route(TICKET, route => route.fulfill({ status: 401, json: {} }))
  await page.clock.install()
  await inbox.open()
  await inbox.hasState('signed-out')
  await passMinute(inbox)
  expect(inbox.tickets).toBe(1)
  await expect(page.getByRole('alert')).toContainText('Your session has ended.')
  await expect(page.getByRole('heading', { name: 'You are signed out' })).toBeVisible()
  await expect(page.getByText('Loading…')).toHaveCount(0)
  await page.unroute(TICKET)
  await page.getByRole('button', { name: 'Try again' }).click()
  await inbox.isLive()
})

test('the same user signs in again after the session ended', EVERY_FRAMEWORK, async ({ inbox, page }) => {
  await page.route(TICKET, route => route.fulfill({ status: 401, json: {} }))
  await inbox.open()
  await inbox.hasState('signed-out')
  await page.unroute(TICKET)
  await page.getByRole('main').getByRole('button', { name: 'Mina' }).click()
  await inbox.isLive()
})
