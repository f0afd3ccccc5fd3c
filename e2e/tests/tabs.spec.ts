// Many tabs of one browser, through a proxy without WebSocket settings: with HTTP/1.1, they have
// only six connections together.
import { expect, test } from '../harness/behind-nginx.ts'
import type { InboxPage } from '../harness/inbox-page.ts'

test.describe.configure({ timeout: 240_000 })
test.use({ kind: 'plain' })

test('seven tabs are all connected, two by streams, and requests of the app get through', async ({ another, nginx, server }) => {
  const tabs: InboxPage[] = []
  for (let tab = 0; tab < 7; tab++) {
    tabs.push(await another())
    await tabs[tab]!.open()
    await tabs[tab]!.hasState('connected')
  }
  const by = await Promise.all(tabs.map(({ page }) => page.getByTestId('connection').getAttribute('data-transport')))
  expect(by.filter(transport => transport === 'sse')).toHaveLength(2)
  expect(by.filter(transport => transport === 'poll')).toHaveLength(5)

  // A request that gets no connection hangs as long as the streams are open.
  for (const { page } of tabs) {
    const status = await page.evaluate(url => fetch(url, { mode: 'no-cors', cache: 'no-store', signal: AbortSignal.timeout(15_000) }).then(() => 'answered', String), `${nginx.url}/healthz`)
    expect(status).toBe('answered')
  }
  await server.publish({ to: { user: 'mina' }, title: 'For all' })
  for (const tab of tabs) await tab.shows(['For all'])
})
