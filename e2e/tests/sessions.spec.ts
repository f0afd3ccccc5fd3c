import { EVERY_FRAMEWORK, expect, test } from '../harness/test.ts'
import { STRICT_PAGE } from '../harness/paths.ts'
import { savedText } from '../harness/saved.ts'

test.describe('a session that lasts ten seconds', () => {
  test.use({ sessionTtlMs: 10_000 })

  test('is refreshed in time, on the same connection', async ({ inbox, server }) => {
    await inbox.openLive()
    await expect.poll(() => inbox.tickets, { timeout: 40_000 }).toBeGreaterThanOrEqual(3)
    await server.publish({ to: { user: 'mina' }, title: 'Still here' })
    await inbox.shows(['Still here'])
    expect(inbox.sockets).toHaveLength(1)
  })
})

test('another user on the same page sees nothing of the first', EVERY_FRAMEWORK, async ({ inbox, server, page }) => {
  await server.publish({ to: { user: 'mina' }, title: 'Secret of Mina' })
  await server.publish({ to: { user: 'jun' }, title: 'Secret of Jun' })
  await inbox.openLive()
  await inbox.shows(['Secret of Mina'])

  // From the moment Jun is signed in, the page must not show Mina's notification for even one
  // frame.
  await page.evaluate(() => {
    const leaks: string[] = []
    new MutationObserver(() => {
      const jun = document.querySelector<HTMLSelectElement>('select.user')?.value === 'jun'
      if (jun && document.body.innerText.includes('Secret of Mina')) leaks.push(document.body.innerText)
    }).observe(document.body, { childList: true, subtree: true, characterData: true, attributes: true })
    Object.assign(window, { leaks })
  })
  await inbox.switchTo('Jun Mori')
  await inbox.shows(['Secret of Jun'])
  await inbox.isLive()
  await server.publish({ to: { user: 'mina' }, title: 'Another secret of Mina' })
  await server.publish({ to: { user: 'jun' }, title: 'News for Jun' })
  await inbox.shows(['News for Jun', 'Secret of Jun'])
  await inbox.hasBadge(2)
  expect(await page.evaluate(() => (window as unknown as { leaks: string[] }).leaks)).toEqual([])

  await inbox.switchTo('Mina Park')
  await inbox.shows(['Another secret of Mina', 'Secret of Mina'])
})

test('signing out leaves nothing in the browser', EVERY_FRAMEWORK, async ({ inbox, server, page }) => {
  await server.publish({ to: { user: 'mina' }, title: 'Secret of Mina' })
  await inbox.openLive()
  await inbox.shows(['Secret of Mina'])
  await expect.poll(() => savedText(page)).toContain('Secret of Mina')
  await inbox.switchTo('Sign out')
  await expect(page.getByRole('heading', { name: 'You are signed out' })).toBeVisible()
  await expect(page.getByText('Secret of Mina')).toHaveCount(0)
  await inbox.hasState('signed-out')
  await expect.poll(() => savedText(page)).not.toContain('Secret of Mina')
  await server.kill()
  await page.reload()
  await page.getByRole('main').getByRole('button', { name: 'Mina Park' }).click()
  await inbox.hasState('waiting')
  await expect(page.getByText('Secret of Mina')).toHaveCount(0)
})

for (const [how, status] of [['a session that ended', 401], ['a backend that fails', 500]] as const) {
  test(`of a revoked user, ${how} ${status === 401 ? 'leaves nothing' : 'leaves everything'} in the browser`, async ({ inbox, server, page }) => {
    await server.publish({ to: { user: 'mina' }, title: 'Secret of Mina' })
    await inbox.openLive()
    await expect.poll(() => savedText(page)).toContain('Secret of Mina')
    await page.route('**/api/tidings-ticket', route => route.fulfill({ status, json: {} }))
    await server.revoke('mina')
    await inbox.hasState(status === 401 ? 'signed-out' : 'waiting')
    if (status === 401) {
      await expect.poll(() => savedText(page)).not.toContain('Secret of Mina')
      await expect(page.getByText('Secret of Mina')).toHaveCount(0)
    } else {
      await inbox.shows(['Secret of Mina'])
      expect(await savedText(page)).toContain('Secret of Mina')
    }
  })
}

test('what was stored and not looked at for a month is neither shown nor kept', EVERY_FRAMEWORK, async ({ inbox, server, page }) => {
  await server.publish({ to: { user: 'mina' }, title: 'Secret of Mina' })
  await server.publish({ to: { user: 'jun' }, title: 'News for Jun' })
  await inbox.openLive()
  await expect.poll(() => savedText(page)).toContain('Secret of Mina')
  await inbox.switchTo('Jun Mori')
  await inbox.shows(['News for Jun'])
  await expect.poll(() => savedText(page)).toContain('News for Jun')

  await page.clock.setFixedTime(Date.now() + 31 * 86_400_000)
  await server.kill()
  await page.reload()
  await inbox.hasState('waiting')
  await expect(page.getByText('News for Jun')).toHaveCount(0)
  await server.startAgain()
  await inbox.retryUntilLive()
  await inbox.shows(['News for Jun'])
  await expect.poll(() => savedText(page)).not.toContain('Secret of Mina')
})

test('signing in as another user in a second tab is told to the first, which shows nothing of theirs', async ({ inbox, server, another, page }) => {
  await server.publish({ to: { user: 'jun' }, title: 'Secret of Jun' })
  await inbox.openLive()
  const other = await another()
  await other.openLive()
  await other.switchTo('Jun Mori')
  await other.shows(['Secret of Jun'])
  await server.kill()
  await server.startAgain()
  await inbox.hasState('failed')
  await expect(page.getByRole('alert')).toContainText('user_mismatch')
  await expect(page.getByText('Secret of Jun')).toHaveCount(0)
})

test.describe('under StrictMode', () => {
  test.use({ pageFolder: STRICT_PAGE })

  test('the page opens one connection with one ticket and shows everything once', async ({ inbox, server, page }) => {
    await inbox.openLive()
    await server.publish({ to: { user: 'mina' }, title: 'Once' })
    await inbox.shows(['Once'])
    await expect(page.locator('.toast')).toHaveCount(1)
    expect(inbox.sockets).toHaveLength(1)
    expect(inbox.tickets).toBe(1)
  })
})
