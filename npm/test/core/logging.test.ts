// @vitest-environment jsdom
// The warnings that a developer gets without asking: each fault once, with the place to look at.
import { createTidings, type Tidings, type TidingsOptions } from 'tidings'
import { channel } from 'tidings/channels'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FakeServer } from './fake-server.js'

let server: FakeServer
let clients: Tidings[]
const logger = { debug: vi.fn(), warn: vi.fn(), error: vi.fn() }

beforeEach(() => {
  vi.resetAllMocks()
  server = new FakeServer()
  clients = []
})
afterEach(() => {
  vi.useRealTimers()
  clients.forEach((client) => client.close())
})

function make(options: Partial<TidingsOptions> = {}) {
  const client = createTidings({ url: 'http://me:secret@localhost:8787/rt/?key=secret#x', ticket: async () => 'T', user: 'u1', storage: 'memory', logger, ...options })
  clients.push(client)
  client.connection.subscribe(() => server.changed())
  return client
}

const warned = async (times = 1) => {
  await vi.waitFor(() => expect(logger.warn).toHaveBeenCalledTimes(times))
  return String(logger.warn.mock.calls.at(-1)?.[0])
}
const after = (status: string, client: Tidings) => server.until(() => client.connection.get().status === status)

test('a change of nobody known yet, once: nothing writes it down', async () => {
  const client = make({ user: undefined, storage: 'auto' })
  for (const mark of [1, 2]) void client.inbox.markRead(`n${mark}`)
  expect(await warned()).toContain('the option `user`')
  await server.accept()
  await server.until(() => client.connection.get().status === 'connected')
  expect(logger.warn).toHaveBeenCalledTimes(1)
})

test.each([['somebody', 'u1'], ['nobody', null]])('and none of %s, whose call is kept or refused', async (_, user) => {
  const client = make({ user, storage: 'auto' })
  client.connect()
  void client.inbox.markRead('n1')
  await (user === null ? vi.waitFor(() => expect(client.outbox.get().failed).toHaveLength(1), 10_000) : server.accept())
  expect(logger.warn.mock.calls.flat().join()).not.toContain('the option `user`')
})

test('a connection', async () => {
  make()
  await server.accept()
  await vi.waitFor(() => expect(logger.debug).toHaveBeenCalledExactlyOnceWith('tidings: connected to http://localhost:8787/rt as u1 by ws'))
  expect(logger.warn).not.toHaveBeenCalled()
})

test('a server that is away, once, however often it is tried', async () => {
  const client = make({ backoff: { base: 1, cap: 1 }, transports: ['ws'] })
  for (const attempt of [1, 2, 3]) (await server.until(() => server.sockets[attempt - 1])).end()
  const text = await warned()
  expect(text).toMatch(/\[network, url http:\/\/localhost:8787\/rt\].*explain\(\).*#network/)
  expect(text).not.toContain('secret')
  expect(client.explain()).toContain('network')
})

test('a ticket route that fails, and why', async () => {
  make({ ticket: async () => { throw new Error('ticket: 500') } })
  expect(await warned()).toMatch(/ticket: 500.*\[ticket_failed, /)
  expect(logger.warn.mock.calls[0]?.[1]).toMatchObject({ code: 'ticket_failed', cause: { message: 'ticket: 500' } })
})

test('a ticket function that takes too long, as such', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
  const signals: AbortSignal[] = []
  const client = make({ ticket: ({ signal }) => new Promise((_, reject) => {
    signals.push(signal)
    signal.addEventListener('abort', () => reject(signal.reason as Error))
  }) })
  await server.until(() => signals.length === 1)
  await vi.waitFor(async () => {
    await vi.advanceTimersByTimeAsync(1_000)
    expect(client.connection.get()).toMatchObject({ status: 'waiting', error: { code: 'ticket_timeout', fault: 'app', retry: true } })
  }, { timeout: 20_000 })
  expect(signals[0]?.aborted).toBe(true)
  expect(await warned()).toContain('[ticket_timeout, ')
})

test('a ticket that the server does not know', async () => {
  server.answers['connect'] = (socket) => socket.say({ type: 'error', code: 'ticket_invalid', retry: 'ticket', message: 'The ticket is unknown.' })
  make()
  await server.accept()
  expect(await warned()).toMatch(/The ticket is unknown.*\[ticket_invalid, /)
})

test.each([
  ['nothing', ''],
  ['no scheme', '127.0.0.1:8787'],
])('an address that is %s', async (_, url) => {
  make({ url })
  expect(await warned()).toContain('[url_missing, url unknown]')
})

test('an option that nobody knows, by its name', async () => {
  make({ heartBeat: 5_000 } as Partial<TidingsOptions>)
  await server.accept()
  expect(await warned()).toContain('`heartBeat`')
})

test('nothing of options that are known', async () => {
  const client = make({ keep: 1, keepChannels: 1, heartbeat: 5_000, backoff: {}, transports: ['ws'] })
  await server.accept()
  await after('connected', client)
  await vi.waitFor(() => expect(logger.debug).toHaveBeenCalled())
  expect(logger.warn).not.toHaveBeenCalled()
})

test('without a logger, on the console', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  make({ url: '', logger: undefined as never })
  await vi.waitFor(() => expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('[url_missing'), expect.anything()))
})

test('an event that nobody tells throws, by its name', () => {
  const client = make()
  expect(() => client.on('arrive' as never, () => {})).toThrow('`event` must be one of arrived,gap,failed,error')
  expect(() => channel(client, 'room:1').on('mesage' as never, () => {})).toThrow('`message` or `gap`')
})
