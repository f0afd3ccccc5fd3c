import AxeBuilder from '@axe-core/playwright'

import { EVERY_FRAMEWORK, expect, test } from '../harness/test.ts'
import { fillInbox } from '../harness/sample.ts'

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [360, 1440]) {
    // Styles are the same in every framework; what is not is seen in two of the four.
    const details = (colorScheme === 'light') === (width === 360) ? EVERY_FRAMEWORK : {}
    test(`${colorScheme}, ${width} px wide: no page has a barrier that axe can find, nor a sideways scroll`, details, async ({ framework, inbox, server, page }) => {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await page.setViewportSize({ width, height: 900 })
      const check = async (what: string): Promise<void> => {
        const { violations } = await new AxeBuilder({ page }).analyze()
        expect(violations.map(({ id, nodes }) => `${what}: ${id} ${nodes[0]?.html}`)).toEqual([])
        expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), what).toBeLessThanOrEqual(0)
        await page.screenshot({ path: `results/${framework}-${what}-${colorScheme}-${width}.png` })
      }

      await inbox.openLive()
      await expect(page.getByText('Nothing here yet')).toBeVisible()
      await check('empty')
      await fillInbox(server)
      await inbox.hasBadge(4)
      await check('inbox')
      await inbox.press('Lunch at noon?', 'Archive')
      await expect(inbox.toast('Archived')).toBeVisible()
      await check('undo')
      await inbox.item('Payment received').getByRole('link').click()
      await check('route')
      await page.goBack()
      await server.kill()
      await expect(page.getByText('Connection lost.')).toBeVisible()
      await check('lost')
      await server.startAgain()
      await inbox.retryUntilLive()
      await inbox.switchTo('Sign out')
      await expect(page.getByRole('heading', { name: 'You are signed out' })).toBeVisible()
      await check('signed-out')
    })
  }
}

test('everything can be done from the keyboard', EVERY_FRAMEWORK, async ({ inbox, server, page }) => {
  for (const title of ['one', 'two']) await server.publish({ to: { user: 'mina' }, title })
  await inbox.openLive()
  await inbox.shows(['two', 'one'])
  await page.keyboard.press('Tab')
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('main')).toBeFocused()

  await page.getByRole('tab', { name: 'Inbox' }).focus()
  await page.keyboard.press('ArrowRight')
  await expect(page.getByRole('tab', { name: /^Unread/ })).toBeFocused()
  await expect(page.getByRole('tab', { name: /^Unread/ })).toHaveAttribute('aria-selected', 'true')
  await page.keyboard.press('Home')

  // The keyboard keeps its place in the list when an item leaves it.
  await page.getByRole('button', { name: 'Archive: two' }).focus()
  await page.keyboard.press('Enter')
  await inbox.shows(['one'])
  await expect(page.getByRole('button', { name: 'Archive: one' })).toBeFocused()
})

test('the chosen theme wins over the system’s and survives a reload', EVERY_FRAMEWORK, async ({ inbox, page }) => {
  await page.emulateMedia({ colorScheme: 'light' })
  await inbox.openLive()
  const background = (): Promise<string> => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
  const light = await background()
  await page.getByRole('button', { name: 'Use the dark theme' }).click()
  const dark = await background()
  expect(dark).not.toBe(light)
  await page.reload()
  expect(await background()).toBe(dark)
})
