// Pages that a browser keeps after the user left them, and how they disturb the next page.
import { expect, test } from './test.ts'

const to = { user: 'mina' }

test('bfcache: back from another page the app is live, shows what came meanwhile, and works', async ({ app, server }) => {
  await server.publish({ to, title: 'before' })
  await app.openLive()
  await app.shows(['before'])
  await app.tab.evaluate(() => addEventListener('pageshow', ({ persisted }) => Object.assign(window, { persisted })))
  await app.leave()
  await app.hasText('Elsewhere')
  await server.publish({ to, title: 'meanwhile' })
  await app.tab.back()
  await app.shows(['meanwhile', 'before'])
  await app.isLive()
  await app.press('Mark read: before')
  await app.isPending('before', false)
  await app.hasBadge(1)
  // Chromium and WebKit kept the page. Firefox does not keep a page with an open socket, and loads
  // it again.
  const kept = await app.tab.evaluate(() => 'persisted' in window)
  test.info().annotations.push({ type: 'bfcache', description: kept ? 'the page itself came back' : 'the page was loaded anew' })
})

test('a page that was left while it wrote does not keep the next one from what is stored', async ({ app, server }) => {
  await server.publish({ to, title: 'one' })
  await app.openLive()
  await app.press('Mark read: one')
  await app.isPending('one', false)
  await app.leave()
  await app.openRoomLive()
  await server.kill()
  await app.hasState('waiting')
  await app.say('unsent')
  await app.hasSaved('unsent')
  await app.tab.reload()
  await app.says(['unsent'])
  await server.startAgain()
  await app.retryUntilLive()
  await app.isRoomLive()
  await app.allSent()
  expect(await server.messages('room:harbour')).toEqual([{ text: 'unsent' }])
})
