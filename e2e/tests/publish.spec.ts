import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import { EVERY_FRAMEWORK, expect, test } from '../harness/test.ts'

const run = promisify(execFile)

test('a notification published over HTTP appears in an open page, with badge, toast and title', EVERY_FRAMEWORK, async ({ inbox, server, page }) => {
  await inbox.openLive()
  await server.publish({ to: { user: 'mina' }, title: 'Paid', message: 'Order 42' })
  await inbox.shows(['Paid'])
  await inbox.hasBadge(1)
  await expect(inbox.toast('Paid')).toBeVisible()
  await expect(page).toHaveTitle('(1) Tidings')
  await expect(inbox.item('Paid')).toContainText('Order 42')
})

test('what arrived while nobody looked is there on the next visit, newest first', async ({ inbox, server }) => {
  for (const title of ['first', 'second', 'third']) await server.publish({ to: { user: 'mina' }, title })
  await inbox.openLive()
  await inbox.shows(['third', 'second', 'first'])
  await inbox.hasBadge(3)
})

test('the form publishes to oneself and to everyone', EVERY_FRAMEWORK, async ({ inbox, page, another, browser }) => {
  await inbox.openLive()
  const elsewhere = await browser.newContext()
  const jun = await another(elsewhere)
  await jun.openLive()
  await jun.switchTo('Jun Mori')
  await jun.isLive()

  await page.getByLabel('Title').fill('Only for me')
  await page.getByRole('button', { name: 'Publish' }).click()
  await expect(page.getByText(/Stored in inbox:mina at offset \d+\./)).toBeVisible()
  await page.getByLabel('Everyone').check()
  await page.getByLabel('Title').fill('For all of us')
  await page.getByRole('button', { name: 'Publish' }).click()

  await inbox.shows(['For all of us', 'Only for me'])
  await jun.shows(['For all of us'])
  await inbox.hasBadge(2)
  await jun.hasBadge(1)
  await elsewhere.close()
})

test('the ready curl line works as it is', async ({ inbox, page }) => {
  await inbox.openLive()
  const line = await page.locator('.curl code').innerText()
  const { stdout } = await run('/bin/sh', ['-c', `${line} --silent --show-error --fail`])
  expect(JSON.parse(stdout).results).toHaveLength(1)
  await inbox.shows(['Hello from curl'])
})

test('older notifications are loaded page by page, each once', EVERY_FRAMEWORK, async ({ inbox, server, page }) => {
  const titles = Array.from({ length: 60 }, (_, at) => `Number ${at}`)
  for (const title of titles) await server.publish({ to: { user: 'mina' }, title })
  await inbox.openLive()
  const more = page.getByRole('button', { name: 'Load older' })
  await more.click()
  await inbox.shows([...titles].reverse())
  await expect(more).toHaveCount(0)
  await inbox.hasBadge(60)
})
