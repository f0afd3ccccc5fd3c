import { expect, test } from '../harness/test.ts'

test('kill -9 while publishing: every acknowledged notification is shown once, in order, without a reload', async ({ inbox, server, page }) => {
  await inbox.openLive()
  await page.evaluate(() => Object.assign(window, { samePage: true }))

  const titles = Array.from({ length: 45 }, (_, at) => `Number ${at}`)
  const publishing = (async () => {
    for (const title of titles) await server.publishInsistently({ to: { user: 'mina' }, title })
  })()
  for (const seen of ['Number 5', 'Number 15', 'Number 25']) {
    await expect(inbox.titles.filter({ hasText: seen })).toHaveCount(1)
    await server.kill()
    await server.startAgain()
  }
  await publishing

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

test('a server that stays away is said so, with a way to try at once', async ({ inbox, server, page }) => {
  await server.publish({ to: { user: 'mina' }, title: 'Paid' })
  await inbox.openLive()
  await server.kill()
  await expect(page.getByText('Connection lost.')).toBeVisible()
  await inbox.shows(['Paid'])
  await server.startAgain()
  await page.getByRole('button', { name: 'Retry now' }).click()
  await inbox.isLive()
  await expect(page.getByText('Connection lost.')).toHaveCount(0)
})

test('the saved inbox is shown at once after a reload, before there is a connection', async ({ inbox, server, page }) => {
  for (const title of ['one', 'two']) await server.publish({ to: { user: 'mina' }, title })
  await inbox.openLive()
  await inbox.press('one', 'Mark read')
  await expect(page.locator('[data-pending="true"]')).toHaveCount(0)
  await server.kill()
  await page.reload()
  await inbox.shows(['two', 'one'])
  await expect(inbox.item('one')).toHaveAttribute('data-read', 'true')
  await inbox.hasBadge(1)
  await expect(page.getByText('As last seen')).toBeVisible()
})
