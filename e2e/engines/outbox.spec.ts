import { expect, test } from './test.ts'

test('what was not sent is shown at once after a reload, and sent once', async ({ app, server }) => {
  await app.openRoomLive()
  await server.kill()
  await app.hasState('waiting')
  await app.say('one', 'two')
  await app.hasText('2 waiting for a connection')
  await app.hasSaved('two')
  // Twice: messages that came back after the first visit must not disappear with the second.
  for (let visit = 0; visit < 2; visit += 1) {
    await app.tab.reload()
    await app.says(['one', 'two'])
    await app.hasMessages('pending', 'pending')
  }
  await app.say('three')
  await server.startAgain()
  await app.retryUntilLive()
  await app.isRoomLive()
  await app.allSent()
  await app.says(['one', 'two', 'three'])
  expect(await server.messages('room:harbour')).toEqual(['one', 'two', 'three'].map(text => ({ text })))
  await app.hasSaved('"publish\\', false)
})

for (const end of ['crash', 'close'] as const) {
  test(`what a tab that ${end === 'crash' ? 'crashed' : 'was closed'} had not sent is sent by another, once`, async ({ app, anotherTab, server, network, engine }) => {
    test.skip(engine === 'webkit' && end === 'crash', 'WebKitWebDriver ends the session of all tabs when the process of one dies')
    const other = await anotherTab()
    await app.openRoomLive()
    await other.openRoomLive()
    network.refuse(true)
    network.cut()
    await app.hasState('waiting')
    await app.say('one', 'two')
    await other.hasSaved('two')
    await app.tab[end]()
    network.refuse(false)
    await other.retryUntilLive()
    await other.says(['one', 'two'])
    await other.allSent()
    expect(await server.messages('room:harbour')).toEqual([{ text: 'one' }, { text: 'two' }])
  })
}
