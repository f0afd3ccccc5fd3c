import { savedInboxes } from '../harness/saved.ts'
import { EVERY_FRAMEWORK, expect, test } from '../harness/test.ts'

test('kill -9 while publishing: every acknowledged notification is shown once, in order, without a reload', EVERY_FRAMEWORK, async ({ inbox, server, page }) => {
  await inbox.openLive()
  await page.evaluate(() => Object.assign(window, { samePage: true }))

  const titles = Array.from({ length: 45 }, (_, at) => `Number ${at}`)
  for (const [at, title] of titles.entries()) {
    const publishing = server.publishInsistently({ to: { user: 'mina' }, title })
    // Kills the server during a request, which is then repeated with its key until there is an
    // answer.
    if (at % 12 === 5) {
      await server.kill()
      await server.startAgain()
    }
    await publishing
  }

  await inbox.shows([...titles].reverse())
  await inbox.hasBadge(titles.length)
  expect(await page.evaluate(() => 'samePage' in window)).toBe(true)
})

test('open pages of several browsers agree after a restart', async ({ inbox, server, another, browser }) => {
  const elsewhere = await browser.newContext()
  const second = await another(elsewhere)
  await inbox.openLive()
  await second.openLive()
  await server.publish({ to: { user: 'mina' }, title: 'before' })
  await server.kill()
  await server.startAgain()
  await server.publish({ to: { user: 'mina' }, title: 'after' })
  for (const view of [inbox, second]) {
    await view.shows(['after', 'before'])
    await view.hasBadge(2)
  }
  await elsewhere.close()
})

test('a server that stays away is said so, with a way to try at once', EVERY_FRAMEWORK, async ({ inbox, server, page }) => {
  await server.publish({ to: { user: 'mina' }, title: 'Paid' })
  await inbox.openLive()
  await server.kill()
  await expect(page.getByText('Connection lost.')).toBeVisible()
  await inbox.shows(['Paid'])
  const asked = inbox.tickets
  await page.getByRole('button', { name: 'Retry now' }).click()
  await expect.poll(() => inbox.tickets).toBeGreaterThan(asked)
  await server.startAgain()
  await inbox.retryUntilLive()
  await expect(page.getByText('Connection lost.')).toHaveCount(0)
})

test('the saved inbox is shown at once after a reload, before there is a connection', EVERY_FRAMEWORK, async ({ inbox, server, page }) => {
  for (const title of ['one', 'two']) await server.publish({ to: { user: 'mina' }, title })
  await inbox.openLive()
  await inbox.press('one', 'Mark read')
  await expect.poll(() => savedInboxes(page)).toMatch(/\\"read\\":true/)
  await server.kill()
  await page.reload()
  await inbox.shows(['two', 'one'])
  await expect(inbox.item('one')).toHaveAttribute('data-read', 'true')
  await inbox.hasBadge(1)
  await expect(page.getByText('As last seen')).toBeVisible()
})
