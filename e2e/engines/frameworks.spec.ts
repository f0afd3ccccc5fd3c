import { STRICT_PAGE } from '../harness/paths.ts'
import { expect, test } from './test.ts'

const to = { user: 'mina' }

test.describe('under StrictMode', () => {
  test.use({ pageFolder: STRICT_PAGE })

  test('the page connects with one ticket and shows everything once', async ({ app, server, front }) => {
    await app.openLive()
    await server.publish({ to, title: 'Once' })
    await app.shows(['Once'])
    await app.hasToasts(1)
    expect(front.tickets).toBe(1)
  })
})

test.describe('the Svelte page', () => {
  test.use({ framework: 'svelte' })

  test('shows, marks and says what it should, and sends after a reload what was not sent', async ({ app, server }) => {
    await app.openLive()
    await server.publish({ to, title: 'one' })
    await app.shows(['one'])
    await app.hasToasts(1)
    await app.press('Mark read: one')
    await app.isRead('one')
    await app.isPending('one', false)
    await app.openRoomLive()
    await app.say('hello')
    await app.allSent()
    await server.kill()
    await app.hasState('waiting')
    await app.say('unsent')
    await app.hasSaved('unsent')
    await app.tab.reload()
    await app.says(['hello', 'unsent'])
    await server.startAgain()
    await app.retryUntilLive()
    await app.isRoomLive()
    await app.allSent()
    expect(await server.messages('room:harbour')).toEqual([{ text: 'hello' }, { text: 'unsent' }])
  })
})
