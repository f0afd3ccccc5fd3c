// @vitest-environment jsdom
// Clients that hot reloads leave behind in a page in development.
import { createTidings, type Tidings, type TidingsOptions } from 'tidings'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FakeServer } from './fake-server.js'

let server: FakeServer
let clients: Tidings[]
const logger = { debug: vi.fn(), warn: vi.fn(), error: vi.fn() }

beforeEach(() => {
  vi.resetAllMocks()
  vi.stubEnv('NODE_ENV', 'development')
  Reflect.deleteProperty(globalThis, Symbol.for('tidings.development'))
  server = new FakeServer()
  clients = []
})
afterEach(() => {
  clients.forEach((client) => client.close())
  vi.unstubAllEnvs()
})

/** The app's module, run again after each edit. */
function edited(options: Partial<TidingsOptions> = {}) {
  const client = createTidings({ url: 'http://localhost:8787', ticket: async () => 'T', user: 'u1', storage: 'memory', logger, ...options })
  clients.push(client)
  client.connection.subscribe(() => server.changed())
  client.inbox.subscribe(() => server.changed())
  client.on('arrived', () => arrived++)
  return client
}
let arrived = 0

const open = () => server.sockets.filter(({ readyState }) => readyState === 1).length
const statuses = () => clients.map((client) => client.connection.get().status)

test('the newest client of a url and user is the only one, after three edits', async () => {
  arrived = 0
  for (const edit of [1, 2, 3, 4]) {
    edited(edit === 3 ? { user: undefined as never } : {})
    await server.accept(edit)
    await server.until(() => clients[edit - 1]?.inbox.get().status === 'live')
  }
  await vi.waitFor(() => expect(statuses()).toEqual(['closed', 'closed', 'closed', 'connected']))
  expect(open()).toBe(1)
  server.socket.say(server.notification())
  await vi.waitFor(() => expect(arrived).toBe(1))
  expect(logger.warn).toHaveBeenCalledTimes(3)
  expect(logger.warn.mock.calls[0]?.[0]).toMatch(/hot reload/)
})

test('one of another user or server is none of them, nor one that only was made', async () => {
  edited()
  await server.accept(1)
  server.user = 'u2'
  edited({ user: 'u2' })
  await server.accept(2)
  server.user = 'u1'
  edited({ url: 'http://localhost:8788' })
  await server.accept(3)
  createTidings({ url: 'http://localhost:8787', ticket: async () => 'T', user: 'u1', storage: 'memory' })
  await server.until(() => statuses().every((status) => status === 'connected'))
  expect(logger.warn).not.toHaveBeenCalled()
})

test('an older one that is told to connect again closes no newer', async () => {
  edited()
  await server.accept(1)
  server.user = 'u2'
  edited({ user: 'u2' })
  await server.accept(2)
  await server.until(() => statuses().every((status) => status === 'connected'))
  // Give the older client the newer one's user.
  clients[0]?.setUser('u2')
  await server.accept(3)
  clients[0]?.disconnect()
  clients[0]?.connect()
  await server.accept(4)
  await server.until(() => statuses().every((status) => status === 'connected'))
  expect(logger.warn).not.toHaveBeenCalledWith(expect.stringContaining('hot reload'))
})

test('as its visitors get it, a page may have two', async () => {
  vi.stubEnv('NODE_ENV', 'production')
  for (const count of [1, 2]) {
    edited()
    await server.accept(count)
  }
  await server.until(() => statuses().every((status) => status === 'connected'))
})

test('two copies of the package are named, once', async () => {
  edited({ user: 'u7' })
  vi.resetModules()
  const copy = await import('tidings')
  const warn = vi.fn()
  for (const user of ['u8', 'u9']) {
    const client = copy.createTidings({ url: 'http://localhost:8787', ticket: async () => 'T', user, storage: 'memory', logger: { debug() {}, warn, error() {} } })
    clients.push(client as Tidings)
    client.connect()
  }
  await vi.waitFor(() => expect(warn).toHaveBeenCalledWith(expect.stringContaining('npm ls tidings')))
  expect(warn.mock.calls.filter(([text]) => String(text).includes('npm ls'))).toHaveLength(1)
})
