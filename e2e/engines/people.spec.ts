import { expect, test } from './test.ts'

test('two tabs: a mark made in one is seen in the other, and what both say through a kill -9 is there once, in one order', async ({ app, anotherTab, server }) => {
  const other = await anotherTab()
  const tabs = [app, other]
  await server.publish({ to: { user: 'mina' }, title: 'one' })
  for (const tab of tabs) await tab.openLive()
  await app.press('Mark read: one')
  for (const tab of tabs) {
    await tab.isRead('one')
    await tab.hasBadge(0)
  }

  for (const tab of tabs) await tab.openRoomLive()
  const lines = tabs.map((_, tab) => Array.from({ length: 5 }, (_, at) => `tab ${tab}, line ${at}`))
  await app.say(...lines[0]!.slice(0, 2))
  await server.kill()
  await app.say(...lines[0]!.slice(2))
  await other.say(...lines[1]!)
  await server.startAgain()
  for (const tab of tabs) await tab.retryUntilLive()
  for (const tab of tabs) {
    await tab.until('all messages', selector => document.querySelectorAll(selector).length, 10, '.message')
    await tab.allSent()
  }
  const stored = (await server.messages('room:harbour')).map(data => (data as { text: string }).text)
  expect([...stored].sort()).toEqual(lines.flat().sort())
  for (const own of lines) expect(stored.filter(text => own.includes(text)), 'what one tab says stays in its order').toEqual(own)
  for (const tab of tabs) await tab.says(stored)
})

test('two users in browsers of their own have what the other says at once', async ({ app, elsewhere }) => {
  const jun = await elsewhere()
  await jun.signIn('jun')
  await app.openRoomLive()
  await jun.openRoomLive()
  await app.say('Is the boat in?')
  await jun.says(['Is the boat in?'])
  await jun.say('Since noon.')
  for (const one of [app, jun]) {
    await one.says(['Is the boat in?', 'Since noon.'])
    await one.allSent()
  }
  await app.hasText('Jun Mori')
  await jun.hasText('Mina Park')
})

test('another user on the same page sees nothing of the first, and signing out leaves nothing in the browser', async ({ app, server }) => {
  await server.publish({ to: { user: 'mina' }, title: 'Secret of Mina' })
  await server.publish({ to: { user: 'jun' }, title: 'News for Jun' })
  await app.openLive()
  await app.shows(['Secret of Mina'])
  await app.hasSaved('Secret of Mina')
  await app.switchTo('jun')
  await app.shows(['News for Jun'])
  await app.isLive()
  await app.hasBadge(1)
  await app.switchTo('mina')
  await app.shows(['Secret of Mina'])
  await app.switchTo('')
  await app.hasText('You are signed out')
  await app.hasState('signed-out')
  await app.hasSaved('Secret of Mina', false)
})
