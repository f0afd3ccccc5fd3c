import { fillInbox } from '../harness/sample.ts'
import { ROOT } from '../harness/paths.ts'
import { test } from '../harness/test.ts'

for (const colorScheme of ['light', 'dark'] as const) {
  test(`the inbox, ${colorScheme}`, async ({ inbox, server, page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await page.setViewportSize({ width: 1440, height: 618 })
    await fillInbox(server)
    await inbox.openLive()
    await inbox.press('Lunch at noon?', 'Mark read')
    await inbox.hasBadge(3)
    await page.mouse.move(0, 0)
    await page.screenshot({ path: `${ROOT}docs/images/inbox-${colorScheme}.png` })
  })
}
