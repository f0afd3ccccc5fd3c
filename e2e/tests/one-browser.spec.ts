// Several tabs of one browser, each with its own connection.
import { savedText } from '../harness/saved.ts'
import { expect, test } from '../harness/test.ts'

test('who signs out in one tab is signed out in the other, and nothing is written again', async ({ inbox, another, server }) => {
  await server.publish({ to: { user: 'mina' }, title: 'Secret' })
  await inbox.openLive()
  const other = await another()
  await other.openLive()
  await other.shows(['Secret'])
  await expect.poll(() => savedText(other.page)).toContain('Secret')
  await inbox.switchTo('Sign out')
  await other.hasState('signed-out')
  await other.shows([])
  await server.publish({ to: { user: 'mina' }, title: 'Another secret' })
  await expect.poll(() => savedText(other.page)).not.toContain('ecret')
  expect(await other.page.evaluate(() => JSON.stringify(localStorage))).not.toContain('mina')

  await inbox.switchTo('Mina Park')
  await inbox.shows(['Another secret', 'Secret'])
  await inbox.hasState('connected')
})

test('an arrival is told once, to the tab that people look at', async ({ inbox, another, server }) => {
  await inbox.openLive()
  const other = await another()
  await other.openLive()
  await server.publish({ to: { user: 'mina' }, title: 'Paid' })
  for (const tab of [inbox, other]) await tab.shows(['Paid'])
  const toasts = async () => (await inbox.toast('Paid').count()) + (await other.toast('Paid').count())
  await expect.poll(toasts).toBe(1)
  await server.publish({ to: { user: 'mina' }, title: 'Sent' })
  const later = async () => (await inbox.toast('Sent').count()) + (await other.toast('Sent').count())
  await expect.poll(later).toBe(1)
  expect(await toasts()).toBeLessThanOrEqual(1)
})

test('a page that reloads as soon as something arrives is not told again', async ({ inbox, page, server }) => {
  await page.addInitScript(() => {
    new MutationObserver(() => {
      if (!document.querySelector('.toast')?.textContent?.includes('Paid')) return
      sessionStorage.setItem('reloads', String(Number(sessionStorage.getItem('reloads')) + 1))
      location.reload()
    }).observe(document, { childList: true, subtree: true })
  })
  await inbox.openLive()
  await server.publish({ to: { user: 'mina' }, title: 'Paid' })
  const reloads = () => page.evaluate(() => Number(sessionStorage.getItem('reloads'))).catch(() => 0)
  await expect.poll(reloads).toBe(1)
  await inbox.isLive()
  await expect.poll(() => inbox.hasDeferred()).toBe(true)
  await server.publish({ to: { user: 'mina' }, title: 'Sent' })
  await expect(inbox.toast('Sent')).toBeVisible()
  expect(await reloads()).toBe(1)
})
