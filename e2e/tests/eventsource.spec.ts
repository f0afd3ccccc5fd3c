import { createServer, type Server as PageServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

import { EventSource as NpmEventSource } from 'eventsource'

import { expect, test } from '../harness/test.ts'
import { ticket, type Message } from '../harness/wire.ts'

// Clients without the SDK: a browser's own EventSource, and npm's.

const to = { user: 'mina' }
const TITLES = Array.from({ length: 30 }, (_, at) => `Number ${at}`)

/** Publishes all titles, and kills the server twice meanwhile. */
async function publishThroughDeaths(server: import('../harness/server.ts').Server): Promise<void> {
  for (const [at, title] of TITLES.entries()) {
    const publishing = server.publishInsistently({ to, title })
    if (at % 12 === 5) {
      await server.kill()
      await server.startAgain()
    }
    await publishing
  }
}

/** An empty page of another origin than the server's. */
async function emptyPage(): Promise<{ url: string; stop: () => void }> {
  const page: PageServer = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<!doctype html>'))
  page.listen(0, '127.0.0.1')
  await once(page, 'listening')
  return { url: `http://127.0.0.1:${(page.address() as AddressInfo).port}/`, stop: () => page.close() }
}

declare global {
  interface Window {
    received: { data: string; id: string }[]
    source: EventSource
    givenUp: number
  }
}

test("a browser's EventSource resumes by itself after kill -9, with nothing lost and nothing doubled", async ({ page, server }) => {
  const empty = await emptyPage()
  await page.goto(empty.url)
  await page.evaluate(address => {
    window.received = []
    window.source = new EventSource(address)
    window.source.onmessage = ({ data, lastEventId }) => window.received.push({ data, id: lastEventId })
  }, `${server.url}/v1/sse?ticket=${await ticket(server)}`)
  const messages = async () => (await page.evaluate(() => window.received)).map(({ data }) => JSON.parse(data) as Message)
  await expect.poll(async () => (await messages()).some(({ type }) => type === 'snapshot')).toBe(true)

  await publishThroughDeaths(server)

  const titles = async () =>
    (await messages()).filter(({ type }) => type === 'notification').map(({ data }) => (data as { title: string }).title)
  await expect.poll(async () => (await titles()).length, { timeout: 40_000 }).toBe(TITLES.length)
  expect(await titles()).toEqual(TITLES)
  // There is one snapshot, so the client resumed and did not start again.
  expect((await messages()).filter(({ type }) => type === 'snapshot')).toHaveLength(1)
  const ids = await page.evaluate(() => window.received.map(({ id }) => id))
  expect(ids.every(id => id.includes('~'))).toBe(true)
  await page.evaluate(() => window.source.close())
  empty.stop()
})

test("a browser's EventSource gives up where it should, and a page goes on with a new ticket and the cursor", async ({ page, server }) => {
  const empty = await emptyPage()
  await page.goto(empty.url)
  const open = (address: string) =>
    page.evaluate(address => {
      window.received = []
      window.givenUp = 0
      window.source = new EventSource(address)
      window.source.onmessage = ({ data, lastEventId }) => window.received.push({ data, id: lastEventId })
      window.source.onerror = () => {
        if (window.source.readyState === EventSource.CLOSED) window.givenUp += 1
      }
    }, address)
  // Final: 204. If a new credential is needed: 401.
  for (const query of ['channels=nonsense', 'ticket=tk_none']) {
    await open(`${server.url}/v1/sse?${query}`)
    await expect.poll(() => page.evaluate(() => window.givenUp)).toBe(1)
  }
  await open(`${server.url}/v1/sse?ticket=${await ticket(server)}`)
  await expect.poll(() => page.evaluate(() => window.received.length)).toBe(4)
  const revoked = await fetch(`${server.url}/v1/revocations`, {
    method: 'POST',
    headers: { Authorization: 'Bearer dev', 'Content-Type': 'application/json' },
    body: JSON.stringify({ user: 'mina' }),
  })
  expect(revoked.status).toBe(202)
  // The stream ends, the client reconnects with the revoked credential, and gets 401.
  await expect.poll(() => page.evaluate(() => window.givenUp), { timeout: 30_000 }).toBe(1)
  const last = await page.evaluate(() => window.received.at(-1)!)
  expect(JSON.parse(last.data)).toMatchObject({ type: 'error', code: 'revoked' })
  await server.publish({ to, title: 'meanwhile' })
  await open(`${server.url}/v1/sse?cursor=${last.id.split('~')[0]}&ticket=${await ticket(server)}`)
  await expect.poll(() => page.evaluate(() => window.received.length)).toBe(4)
  const types = await page.evaluate(() => window.received.map(({ data }) => (JSON.parse(data) as { type: string }).type))
  expect(types).toEqual(['connected', 'subscribed', 'subscribed', 'notification'])
  await page.evaluate(() => window.source.close())
  empty.stop()
})

test("a ticket for one origin opens an EventSource of its pages, named or the server's own, and of no others", async ({ page, server }) => {
  const empty = await emptyPage()
  const elsewhere = new URL(empty.url).origin
  const received = (origin: string) =>
    ticket(server, 'mina', origin).then(ticket =>
      page.evaluate(
        address =>
          new Promise<string>(resolve => {
            const source = new EventSource(address)
            const end = (how: string) => {
              resolve(how)
              source.close()
            }
            source.onmessage = ({ data }) => end((JSON.parse(data as string) as { type: string }).type)
            source.onerror = () => end(source.readyState === EventSource.CLOSED ? 'refused' : 'cut off')
          }),
        `${server.url}/v1/sse?ticket=${ticket}`,
      ),
    )
  // Any answer of the server is a page of its origin: browsers send no `Origin` from there.
  await page.goto(`${server.url}/healthz`)
  expect(await received(server.url)).toBe('connected')
  expect(await received(elsewhere)).toBe('refused')
  await page.goto(empty.url)
  expect(await received(elsewhere)).toBe('connected')
  expect(await received(server.url)).toBe('refused')
  empty.stop()
})

test("npm's eventsource resumes by itself after kill -9, with nothing lost and nothing doubled", async ({ server }) => {
  const source = new NpmEventSource(`${server.url}/v1/sse?ticket=${await ticket(server)}`)
  const received: Message[] = []
  const ids: string[] = []
  source.onmessage = ({ data, lastEventId }) => {
    received.push(JSON.parse(data as string) as Message)
    ids.push(lastEventId)
  }
  await expect.poll(() => received.some(({ type }) => type === 'snapshot')).toBe(true)

  await publishThroughDeaths(server)

  const titles = () =>
    received.filter(({ type }) => type === 'notification').map(({ data }) => (data as { title: string }).title)
  await expect.poll(() => titles().length, { timeout: 40_000 }).toBe(TITLES.length)
  source.close()
  expect(titles()).toEqual(TITLES)
  expect(received.filter(({ type }) => type === 'snapshot')).toHaveLength(1)
  // The client forgets the last id at an event without one, so each event has an id.
  expect(ids.every(id => id.includes('~'))).toBe(true)
})
