// Clicks that leave the page.
import type { Page } from '@playwright/test'

import { expect, test } from '../harness/test.ts'

const DEFERRED = /\/deferred-[^/]+\.js$/
const ELSEWHERE = '/elsewhere'
const TITLES = Array.from({ length: 10 }, (_, at) => `Number ${at}`)

/** Marks an item read and follows a link at once; the next page loads immediately. */
async function readAndLeave(page: Page, title: string): Promise<void> {
  await Promise.all([
    page.waitForURL(`**${ELSEWHERE}`),
    page.evaluate(
      ([label, address]) => {
        document.querySelector<HTMLButtonElement>(`button[aria-label="${label}"]`)?.click()
        location.href = address ?? ''
      },
      [`Mark read: ${title}`, ELSEWHERE],
    ),
  ])
}

test.beforeEach(async ({ page, server }) => {
  await page.route(`**${ELSEWHERE}`, route => route.fulfill({ contentType: 'text/html', body: 'elsewhere' }))
  for (const title of TITLES) await server.publish({ to: { user: 'mina' }, title })
})

for (const early of [true, false]) {
  test(`a mark made by the click that leaves the page is made, ${early ? 'before' : 'after'} the rest of the core is there`, async ({ inbox, page, another, browser }) => {
    if (early) await page.route(DEFERRED, () => {})
    for (const title of TITLES) {
      if (early) {
        await inbox.open()
        await inbox.isLive()
      } else await inbox.openLive()
      await expect(inbox.item(title)).toBeVisible()
      await readAndLeave(page, title)
    }
    await page.unroute(DEFERRED)
    await inbox.openLive()
    await inbox.hasBadge(0)
    await expect(page.locator('[data-pending="true"]')).toHaveCount(0)
    await expect.poll(() => page.evaluate(() => Object.keys(localStorage).filter(key => key.startsWith('tidings\n')))).toEqual([])
    // Another browser shows it, too.
    const elsewhere = await browser.newContext()
    const second = await another(elsewhere)
    await second.openLive()
    await second.hasBadge(0)
    await elsewhere.close()
  })
}

test('a mark left by a tab that was closed at once is made by one that is open', async ({ inbox, page, another }) => {
  await inbox.openLive()
  const other = await another()
  await other.open()
  await other.isLive()
  await other.page.evaluate(() => document.querySelector<HTMLButtonElement>('button[aria-label="Mark read: Number 3"]')?.click())
  await other.page.close()
  await expect(inbox.item('Number 3')).toHaveAttribute('data-read', 'true', { timeout: 60_000 })
  await inbox.hasBadge(9)
  await expect(page.locator('[data-pending="true"]')).toHaveCount(0)
})

test('a page that may write nothing at once works as before', async ({ inbox, page }) => {
  await page.addInitScript(() => {
    Object.defineProperty(window, 'localStorage', {
      get() {
        throw new DOMException('refused', 'SecurityError')
      },
    })
  })
  await inbox.openLive()
  await inbox.press('Number 3', 'Mark read')
  await expect(page.locator('[data-pending="true"]')).toHaveCount(0)
  await inbox.hasBadge(9)
})
