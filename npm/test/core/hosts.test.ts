// @vitest-environment jsdom
// Hosts that lack a feature, or throw on mere access to it.
import { createTidings, type Tidings, type TidingsOptions } from 'tidings'
import { channel } from 'tidings/channels'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { FakeServer } from './fake-server.js'

const LOOKED_AT = ['indexedDB', 'localStorage', 'sessionStorage', 'caches', 'crypto', 'BroadcastChannel'] as const

let server: FakeServer
let clients: Tidings[]
let undo: (() => void)[]

beforeEach(() => {
  server = new FakeServer()
  clients = []
  undo = []
})
afterEach(() => {
  clients.forEach((client) => client.close())
  undo.forEach((fn) => fn())
})

/** Gives the host a global until the test ends. */
function host(name: string, property: PropertyDescriptor) {
  const before = Object.getOwnPropertyDescriptor(globalThis, name)
  undo.push(() => void (before ? Object.defineProperty(globalThis, name, before) : Reflect.deleteProperty(globalThis, name)))
  Object.defineProperty(globalThis, name, { configurable: true, ...property })
}

const thrower = (name: string) => () => {
  throw new DOMException(`${name}: The operation is insecure.`, 'SecurityError')
}

function make(options: Partial<TidingsOptions> = {}) {
  const client = createTidings({ url: 'http://localhost:8787', ticket: async () => 'T', user: 'u1', ...options })
  clients.push(client)
  return client
}

test('creating looks at nothing of the host, and takes no chance and no time', () => {
  const looked: string[] = []
  for (const name of [...LOOKED_AT, 'TextEncoder', 'performance', 'setTimeout', 'AbortController', 'WebAssembly', 'fetch', 'navigator']) {
    const value: unknown = Reflect.get(globalThis, name)
    host(name, {
      get() {
        looked.push(name)
        return value
      },
    })
  }
  const now = vi.spyOn(Date, 'now')
  const random = vi.spyOn(Math, 'random')
  const client = make()
  channel(client, 'room:ä')
  client.inbox.view({ show: 'unread' })
  client.connection.get()
  expect(client.explain()).toContain('connect()')
  expect(looked).toEqual([])
  expect(now).not.toHaveBeenCalled()
  expect(random).not.toHaveBeenCalled()
})

describe.each([
  ['throws where one only looks at what it keeps things in', (name: string) => ({ get: thrower(name) })],
  ['has none of what it may keep things in', () => ({ value: undefined })],
])('a host that %s', (_, property) => {
  test('is one where everything is in memory', async () => {
    for (const name of LOOKED_AT) host(name, property(name))
    const client = make()
    const errors: string[] = []
    client.on('error', ({ code }) => errors.push(code))
    client.connection.subscribe(() => server.changed())
    const socket = await server.accept()
    client.inbox.subscribe(() => server.changed())
    await server.until(() => client.inbox.get().status === 'live')
    expect(client.connection.get()).toMatchObject({ durable: false, error: null })
    socket.say(server.notification())
    await server.until(() => client.inbox.get().items.length === 1)
    expect(errors).toEqual([])
  })
})

test('storage that refuses to open is told once, and the client goes on in memory', async () => {
  const warn = vi.fn()
  host('indexedDB', { value: { open: thrower('open'), deleteDatabase: thrower('deleteDatabase') } })
  const client = make({ logger: { debug() {}, warn, error() {} } })
  client.connection.subscribe(() => server.changed())
  await server.accept()
  await server.until(() => client.connection.get().status === 'connected' && !client.connection.get().durable)
  await vi.waitFor(() => expect(warn).toHaveBeenCalledTimes(1))
  expect(warn.mock.calls[0]?.[0]).toMatch(/insecure.*\[storage, url /)
})

test('without weak references views and rooms are the same all the same', () => {
  host('WeakRef', { value: undefined })
  const client = make()
  expect(client.inbox.view({ show: 'unread' })).toBe(client.inbox.view({ show: 'unread' }))
  expect(channel(client, 'room:1')).toBe(channel(client, 'room:1'))
})

test('a host without TextEncoder, as Jest’s jsdom is, is named where the core is wanted', async () => {
  for (const name of ['TextEncoder', 'TextDecoder', 'Response', 'DecompressionStream', 'fetch']) host(name, { value: undefined })
  vi.resetModules()
  const { createTidings: fresh } = await import('tidings')
  const warn = vi.fn()
  const client = fresh({ url: 'http://localhost:8787', ticket: async () => 'T', user: 'ä'.repeat(64), logger: { debug() {}, warn, error() {} } })
  expect(() => fresh({ url: '', ticket: async () => 'T', user: 'ä'.repeat(65) })).toThrow('128 bytes')
  expect(() => fresh({ url: '', ticket: async () => 'T', user: '\ud800' })).toThrow('128 bytes')
  const failed = new Promise((resolve) => client.connection.subscribe(({ status, error }) => status === 'failed' && resolve(error)))
  client.inbox.subscribe(() => {})
  expect(await failed).toMatchObject({ code: 'wasm_unavailable', retry: false, message: expect.stringMatching(/Response|DecompressionStream/) })
  await vi.waitFor(() => expect(warn).toHaveBeenCalledTimes(1))
  await expect(client.signOut()).resolves.toEqual({ discarded: 0 })
})
