import { expect, test } from './test.ts'

const to = { user: 'mina' }

test('what is published is shown at once and counted, and a mark made here is the server’s', async ({ app, server }) => {
  await app.openLive()
  await server.publish({ to, title: 'one' })
  await app.shows(['one'])
  await app.hasToasts(1)
  await server.publish({ to, title: 'two' })
  await app.shows(['two', 'one'])
  await app.hasBadge(2)
  await app.press('Mark read: one')
  await app.isRead('one')
  await app.isPending('one', false)
  await app.hasBadge(1)
  await app.tab.reload()
  await app.isLive()
  await app.isRead('one')
  await app.isRead('two', false)
})

test('kill -9 while publishing: every acknowledged notification is shown once, in order, without a reload', async ({ app, server }) => {
  await app.openLive()
  await app.tab.evaluate(() => void Object.assign(window, { samePage: true }))
  const titles = Array.from({ length: 24 }, (_, at) => `Number ${at}`)
  for (const [at, title] of titles.entries()) {
    const publishing = server.publishInsistently({ to, title })
    // Kills the server during a request, which is then repeated with its key until there is an
    // answer.
    if (at % 12 === 5) {
      await server.kill()
      await server.startAgain()
    }
    await publishing
  }
  await app.shows([...titles].reverse())
  await app.hasBadge(titles.length)
  expect(await app.tab.evaluate(() => 'samePage' in window)).toBe(true)
})

test('a deep link is followed inside the page, and the tab’s history leads back', async ({ app, server }) => {
  await app.openLive()
  const data = { routing: { type: 'navigate', path: '/orders/42', params: { tab: 'receipt' } } }
  await server.publish({ to, title: 'Paid', type: 'payment', data })
  await app.shows(['Paid'])
  await app.press('Paid')
  await app.hasText('/orders/42')
  await app.hasBadge(0)
  await app.tab.back()
  await app.shows(['Paid'])
  await app.isRead('Paid')
})
