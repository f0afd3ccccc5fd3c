import { afterEach, expect, test, vi } from 'vitest'
import { devTicket } from 'tidings/dev'

afterEach(() => vi.unstubAllGlobals())

const context = (user?: string) => ({ user, url: 'http://localhost:9876/rt', attempt: 1, signal: new AbortController().signal })

test('asks the client’s server, or another one that is named, for a token of the user', async () => {
  const fetch = vi.fn(async (..._: Parameters<typeof globalThis.fetch>) => Response.json({ token: 'J' }))
  vi.stubGlobal('fetch', fetch)
  expect(await devTicket('u1')(context())).toEqual({ token: 'J' })
  expect(await devTicket(undefined, { url: 'http://localhost:9/' })(context('u2'))).toEqual({ token: 'J' })
  expect(fetch.mock.calls.map(([url, init]) => [url, init?.body])).toEqual([
    ['http://localhost:9876/rt/dev/tokens', '{"user":"u1"}'],
    ['http://localhost:9/dev/tokens', '{"user":"u2"}'],
  ])
})

test('says what is wrong when there is no --dev server, or no user', async () => {
  vi.stubGlobal('fetch', async () => new Response('', { status: 404 }))
  await expect(devTicket('u1')(context())).rejects.toThrow(/404.*--dev/)
  await expect(devTicket()(context())).rejects.toThrow(/user/)
})

test.each(['localhost', '127.0.0.1', '[::1]', 'app.localhost'])('works on %s', (hostname) => {
  vi.stubGlobal('location', { hostname })
  expect(() => devTicket('u1')).not.toThrow()
})

test.each(['example.com', '127.0.0.1.example.com', 'localhost.example.com'])('refuses on %s', (hostname) => {
  vi.stubGlobal('location', { hostname })
  expect(() => devTicket('u1')).toThrow(/localhost only/)
})
