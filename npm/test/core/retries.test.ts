// @vitest-environment jsdom
// A part that failed to load loads again: by a timer, and as soon as the page is shown or online.
import type { Tidings, TidingsOptions } from 'tidings'
import { readFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { FakeServer } from './fake-server.js'

const core = new Uint8Array(await readFile('dist/core.wasm'))

let server: FakeServer
let clients: Tidings[]
/** Requests for the core so far, and whether the core is available. */
let tries: number
let there: boolean

beforeEach(() => {
  vi.resetModules()
  server = new FakeServer()
  clients = []
  tries = 0
  there = false
  vi.stubGlobal('fetch', async () => {
    tries += 1
    queueMicrotask(() => server.changed())
    if (!there) throw new TypeError('Failed to fetch')
    return new Response(core)
  })
})
afterEach(() => {
  clients.forEach((client) => client.close())
  vi.useRealTimers()
})

async function make(options: Partial<TidingsOptions> = {}) {
  const { createTidings } = await import('tidings/wasm')
  const client = createTidings({ url: 'http://localhost:8787', ticket: async () => 'T', user: 'u1', storage: 'memory', wasm: 'http://localhost/core.wasm', ...options })
  clients.push(client)
  client.connection.subscribe(() => server.changed())
  return client
}

const waits = (client: Tidings) => server.until(() => client.connection.get().status === 'waiting')

describe('a core that did not load', () => {
  test.each([
    ['a network', () => window.dispatchEvent(new Event('online'))],
    ['the focus', () => window.dispatchEvent(new Event('focus'))],
    ['a look', () => document.dispatchEvent(new Event('visibilitychange'))],
    ['its place out of the back/forward cache', () => window.dispatchEvent(new Event('pageshow'))],
  ])('is asked for again as soon as the page has %s', async (_, event) => {
    const client = await make()
    await waits(client)
    expect(client.connection.get()).toMatchObject({ attempt: 1, error: { code: 'wasm_unavailable', retry: true }, retryAt: expect.any(Number) })
    expect(client.explain()).toMatch(/fetch.*tries again/i)
    there = true
    event()
    await server.accept()
    await server.until(() => client.connection.get().status === 'connected')
    expect(tries).toBe(2)
    event()
    expect(tries, 'once').toBe(2)
  })

  test('is asked for again by itself, ever later, and what the app asked meanwhile is done then', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
    const client = await make()
    client.inbox.subscribe(() => server.changed())
    const done = vi.fn()
    void client.inbox.markAllRead().then(done, done)
    for (const [attempt, wait] of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].entries()) {
      await server.until(() => client.connection.get().attempt === attempt + 1)
      expect(client.connection.get().retryAt).toBe(Date.now() + wait)
      expect(client.connection.get().lost).toBe(attempt > 2)
      await vi.advanceTimersByTimeAsync(wait - 1)
      expect(tries).toBe(attempt + 1)
      if (attempt === 6) there = true
      await vi.advanceTimersByTimeAsync(1)
    }
    await server.accept()
    await server.until(() => client.connection.get().status === 'connected')
    expect(tries).toBe(8)
    await vi.waitFor(() => expect(done).toHaveBeenCalled())
  })

  test('is asked for at once by connect() and retryNow(), and not at all after close()', async () => {
    const client = await make()
    await waits(client)
    client.retryNow()
    await server.until(() => tries === 2)
    await waits(client)
    client.connect()
    await server.until(() => tries === 3)
    await waits(client)
    client.close()
    window.dispatchEvent(new Event('online'))
    await new Promise(setImmediate)
    expect(tries).toBe(3)
    expect(client.connection.get().status).toBe('closed')
  })

  test('is not in the way of another user, of nobody, and of signing out', async () => {
    const client = await make()
    await waits(client)
    const marked = client.inbox.markAllRead()
    await expect(client.signOut()).resolves.toEqual({ discarded: 0 })
    await expect(marked, 'not done for the next user').rejects.toMatchObject({ code: 'signed_out' })
    expect(client.connection.get().status).toBe('signed-out')
    client.setUser('u2')
    await waits(client)
    expect(client.connection.get().user).toBe('u2')
    const theirs = client.inbox.markAllRead()
    client.setUser('u3')
    await expect(theirs).rejects.toMatchObject({ code: 'signed_out' })
    client.disconnect()
    expect(client.connection.get().status).toBe('idle')
  })

  test('is told once, however often it does not come', async () => {
    const warn = vi.fn()
    const client = await make({ logger: { debug() {}, warn, error() {} } })
    for (const _ of [1, 2, 3]) {
      await waits(client)
      client.retryNow()
    }
    await waits(client)
    expect(warn).toHaveBeenCalledTimes(1)
    expect(warn.mock.calls[0]?.[0]).toMatch(/fetch.*\[wasm_unavailable, url http:\/\/localhost:8787\].*explain\(\)/)
  })
})
