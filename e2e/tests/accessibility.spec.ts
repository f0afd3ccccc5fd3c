import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'

import { EVERY_FRAMEWORK, expect, test } from '../harness/test.ts'
import { fillInbox } from '../harness/sample.ts'

async function hasNoBarrier(page: Page, what: string, picture: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze()
  expect(violations.map(({ id, nodes }) => `${what}: ${id} ${nodes[0]?.html}`)).toEqual([])
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), what).toBeLessThanOrEqual(0)
  await page.screenshot({ path: `results/${picture}.png` })
}

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [360, 1440]) {
    // Styles are the same in every framework; other parts are checked in two of the four variants.
    const details = (colorScheme === 'light') === (width === 360) ? EVERY_FRAMEWORK : {}
    test(`${colorScheme}, ${width} px wide: no page has a barrier that axe can find, nor a sideways scroll`, details, async ({ framework, inbox, server, page }) => {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await page.setViewportSize({ width, height: 900 })
      const check = (what: string): Promise<void> => hasNoBarrier(page, what, `${framework}-${what}-${colorScheme}-${width}`)

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

for (const [colorScheme, width] of [['light', 1440], ['dark', 360]] as const) {
  test(`${colorScheme}, ${width} px wide: rooms have no barrier that axe can find, nor a sideways scroll`, EVERY_FRAMEWORK, async ({ framework, room, anotherRoom, server, page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await page.setViewportSize({ width, height: 900 })
    const check = (what: string): Promise<void> => hasNoBarrier(page, what, `${framework}-room-${what}-${colorScheme}-${width}`)

    await room.openRoomLive()
    await expect(page.getByText('Nothing was said here yet')).toBeVisible()
    await check('empty')
    const jun = await anotherRoom('jun')
    await jun.openRoomLive()
    for (let line = 0; line < 60; line += 1) await server.say('room:harbour', { text: `The log of last week, line ${line}` })
    await jun.say('Is the boat in?')
    await room.say('Since noon. The crew is unloading, and the customs officer was here twice already.\nAnything else?')
    await jun.say('That is all, thank you!')
    await room.hasMessage('That is all, thank you!', 'sent')
    await check('talk')
    await page.reload()
    await room.isRoomLive()
    await room.log.getByRole('button', { name: 'Load older' }).scrollIntoViewIfNeeded()
    await check('older')
    await page.getByRole('link', { name: 'Notices' }).click()
    await room.isRoomLive()
    await room.say('May I write here?')
    await room.hasMessage('May I write here?', 'failed')
    await expect(room.toast('That did not work')).toBeVisible()
    await room.toast('That did not work').getByRole('button', { name: /^Dismiss/ }).click()
    await check('failed')
    await room.openRoom('a-room-of-nobody')
    await room.hasRoomStatus('refused')
    await check('refused')
    await room.openRoomLive()
    await server.kill()
    await expect(page.getByText('Connection lost.')).toBeVisible()
    await room.say('Still there?')
    await expect(page.getByText('1 waiting for a connection')).toBeVisible()
    await check('waiting')
  })
}

test('a room can be used from the keyboard alone', EVERY_FRAMEWORK, async ({ room, page }) => {
  await room.openRoomLive('notices')
  await room.composer.focus()
  await page.keyboard.type('one')
  await page.keyboard.press('Shift+Enter')
  await page.keyboard.type('two')
  await page.keyboard.press('Enter')
  await expect(room.composer).toHaveValue('')
  await expect(room.composer).toBeFocused()
  await room.hasMessage('one\ntwo', 'failed')

  // Back from the composer: discard, retry, then the list itself, which the arrow keys scroll.
  await page.keyboard.press('Shift+Tab')
  await expect(page.getByRole('button', { name: /^Discard: / })).toBeFocused()
  await page.keyboard.press('Shift+Tab')
  await expect(page.getByRole('button', { name: /^Retry: / })).toBeFocused()
  await page.keyboard.press('Shift+Tab')
  await expect(room.log).toBeFocused()
  await page.getByRole('button', { name: /^Discard: / }).focus()
  await page.keyboard.press('Enter')
  await room.says([])
  await expect(room.composer, 'the keyboard has a place to go on').toBeFocused()
})

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

  // The keyboard focus keeps its place in the list when an item leaves it.
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
