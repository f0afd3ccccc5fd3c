import { Demo } from '../harness/demo.ts'
import { InboxPage } from '../harness/inbox-page.ts'
import { publish, publishInsistently } from '../harness/server.ts'
import { expect, test as base } from '../harness/test.ts'

// `cargo xtask demo --cluster`, as a developer tries it: two nodes, PostgreSQL, Redis and nginx.
const test = base.extend<{ demo: Demo }>({
  demo: async ({}, use, info) => {
    const demo = new Demo()
    await use(demo)
    await demo.stop()
    if (info.status !== info.expectedStatus) await info.attach('demo', { body: demo.output })
  },
})

test('the demo of a cluster shows what either node takes, brings back what is killed, and leaves nothing behind', async ({ demo, page }) => {
  await demo.started()
  const inbox = new InboxPage(page, demo.page)
  await inbox.openLive()
  const to = { user: 'mina' }
  const titles: string[] = []
  // The page is connected to one of the nodes.
  for (const node of demo.nodes) {
    titles.unshift(`by ${node}`)
    await publish(node, { to, title: titles[0]! })
    await inbox.shows(titles)
  }
  const parts = demo.parts
  expect(parts.map(({ name }) => name)).toEqual([
    expect.stringMatching(/^the node/), expect.stringMatching(/^the node/), 'Redis', 'PostgreSQL',
  ])
  for (const [at, { pid, name }] of parts.entries()) {
    process.kill(pid, 'SIGKILL')
    titles.unshift(`without ${name}`)
    await publishInsistently(demo.url, { to, title: titles[0]! })
    await inbox.shows(titles)
    await demo.says(/It is back/, at + 1)
  }
  titles.unshift('with all of them')
  await publishInsistently(demo.url, { to, title: titles[0]! })
  await inbox.shows(titles)
  await inbox.hasBadge(titles.length)

  expect(await demo.interrupt()).toBe(0)
  expect(await demo.remains()).toEqual([])
})

test('the demo of a cluster leaves nothing behind when it is interrupted while it starts', async ({ demo }) => {
  await demo.says(/Starting PostgreSQL/)
  expect(await demo.interrupt()).toBe(0)
  expect(demo.output).not.toMatch(/End +Ctrl-C/)
  expect(await demo.remains()).toEqual([])
})
