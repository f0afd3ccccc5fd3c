// @vitest-environment jsdom
import 'fake-indexeddb/auto'
import { createTidings, type FailedIntent, type Tidings, type TidingsOptions } from 'tidings'
import { channel } from 'tidings/channels'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { EPOCH, FakeServer, type FakeSocket, type Sent } from './fake-server.js'
import { Locks } from './locks.js'

let server: FakeServer
let clients: Tidings[]

beforeEach(() => {
  server = new FakeServer()
  clients = []
  localStorage.clear()
  Object.defineProperty(navigator, 'locks', { configurable: true, value: new Locks() })
  server.offset = 2
  server.unread = 2
  server.items = [2, 1].map((offset) => item(offset))
  for (const type of ['mark', 'void', 'publish']) server.answers[type] = ack
})
afterEach(() => clients.forEach((client) => client.close()))

const item = (offset: number) => ({
  channel: server.inbox,
  offset,
  id: `n${offset}`,
  kind: 'message',
  at: offset,
  seen: false,
  read: false,
  archived: false,
  data: { type: 'message', title: `Title ${offset}` },
})

const ack = (socket: FakeSocket, { type, id, client_id, seq }: Sent) =>
  socket.say({ type: 'ack', id, client_id, seq, channel: server.inbox, epoch: EPOCH, offset: server.offset, ...(type !== 'void' && { record_id: `r${String(seq)}` }) })

function make(options: Partial<TidingsOptions> = {}): Tidings {
  const client = createTidings({ url: 'http://localhost:8787', ticket: async () => 'T', user: 'u1', storage: 'memory', ...options })
  clients.push(client)
  return client
}

const marks = () => server.sockets.flatMap(({ sent }) => sent.filter(({ type }) => type === 'mark'))

/** Collects a refusal from all the ways in which the client reports it. */
async function refusals(client: Tidings, call: () => Promise<unknown>, code: string) {
  const failed: FailedIntent[] = []
  client.on('failed', (intent) => failed.push(intent))
  await expect(call()).rejects.toMatchObject({ code })
  await vi.waitFor(() => expect(failed).toMatchObject([{ error: { code } }]))
  expect(client.outbox.get().failed).toMatchObject([{ error: { code } }])
}

describe('before anything is loaded', () => {
  test.each([
    ['markAllSeen', (client: Tidings) => client.inbox.markAllSeen(), { up_to: { inbox: 2 } }],
    ['markAllRead', (client: Tidings) => client.inbox.markAllRead(), { up_to: { inbox: 2 } }],
    ['archiveAll', (client: Tidings) => client.inbox.archiveAll(), { up_to: { inbox: 2 } }],
    ['markRead', (client: Tidings) => client.inbox.markRead('n2'), { offsets: { inbox: [2] } }],
    ['archive', (client: Tidings) => client.inbox.archive(['n1', 'n2']), { offsets: { inbox: [1, 2] } }],
  ])('%s waits for it and is done', async (_, call, what) => {
    const client = make()
    const done = call(client)
    await server.accept()
    await expect(done).resolves.toMatchObject({ channel: server.inbox })
    expect(marks()).toMatchObject([what])
    expect(client.outbox.get()).toEqual({ pending: 0, failed: [] })
  })

  test('an item that is nowhere is refused in every way', async () => {
    const client = make()
    void server.accept()
    await refusals(client, () => client.inbox.markRead('nobody'), 'not_found')
  })
})

describe('refused by the client itself', () => {
  test('a message that is too long is in its room, in the outbox and an event', async () => {
    const client = make()
    const room = channel(client, 'room:1')
    room.join()
    const data = { text: 'x'.repeat(20_000) }
    void server.accept()
    await refusals(client, () => room.publish(data), 'too_large')
    expect(room.get().messages).toMatchObject([{ data, pending: false, failed: { code: 'too_large' } }])
    client.outbox.discard(client.outbox.get().failed[0]?.id ?? '')
    await vi.waitFor(() => expect(room.get().messages).toEqual([]))
  })

  test('nobody signed in', async () => {
    const client = make({ user: null })
    client.connect()
    await refusals(client, () => channel(client, 'room:1').publish('hello'), 'signed_out')
  })

  test('what JSON would change throws at once, and names where', () => {
    const room = channel(make(), 'room:1')
    expect(() => room.publish({ list: [Number.NaN] })).toThrow(expect.objectContaining({ code: 'invalid_argument', message: expect.stringContaining('`data.list[0]` is NaN') }))
    expect(() => room.publish({ text: '😀'.slice(0, 1) })).toThrow(/surrogate/)
  })
})

describe('the same user again', () => {
  test('starts again after the ticket function said that nobody is signed in', async () => {
    const ticket = vi.fn(async (): Promise<string | null> => null)
    const client = make({ ticket })
    client.connection.subscribe(() => server.changed())
    await server.until(() => client.connection.get().status === 'signed-out')
    ticket.mockResolvedValue('T')
    client.setUser('u1')
    await server.accept()
    await server.until(() => client.connection.get().status === 'connected')
    client.setUser('u1')
    expect(ticket).toHaveBeenCalledTimes(2)
  })
})

/** The rows in the journal. */
const written = () => Object.keys(localStorage).filter((key) => key.startsWith('tidings\n'))

describe('a page that does not live to load its core', () => {
  const durable = { storage: 'auto' } as const

  test('leaves its intents to the next one, which sends them once', async () => {
    const one = make({ ...durable, user: 'early' })
    server.user = 'early'
    server.items = [item(2)]
    const calls = [one.inbox.markRead('n2'), channel(one, 'room:1').publish({ text: 'bye' }), one.inbox.markAllSeen()]
    expect(written()).toHaveLength(3)
    one.close()
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'closed' })
    const two = make({ ...durable, user: 'early' })
    two.inbox.subscribe(() => server.changed())
    const socket = await server.accept()
    const sent = () => socket.sent.filter(({ client_id }) => client_id !== undefined)
    await vi.waitFor(() => expect(sent()).toMatchObject([{ offsets: { inbox: [2] }, set: { read: true } }, { channel: 'room:1', data: { text: 'bye' } }, { set: { seen: true } }]))
    await vi.waitFor(() => expect(written()).toEqual([]))
    expect(new Set(sent().map(({ client_id, seq }) => `${String(client_id)} ${String(seq)}`)).size).toBe(3)
  })

  test('which another user never gets', async () => {
    const one = make({ ...durable, user: 'ann' })
    void channel(one, 'room:1').publish({ text: 'mine' })
    one.close()
    server.user = 'bob'
    const two = make({ ...durable, user: 'bob' })
    two.inbox.subscribe(() => server.changed())
    const socket = await server.accept()
    await vi.waitFor(() => expect(two.inbox.get().status).toBe('live'))
    await two.inbox.markAllSeen()
    expect(socket.sent.filter(({ type }) => type === 'publish')).toEqual([])
    expect(written()).toHaveLength(1)
  })

  test('nor one who is set before the core is there', async () => {
    const one = make({ ...durable, user: 'ann' })
    const call = channel(one, 'room:1').publish({ text: 'mine' })
    server.user = 'bob'
    one.setUser('bob')
    await expect(call).rejects.toMatchObject({ code: 'signed_out' })
    one.inbox.subscribe(() => server.changed())
    const socket = await server.accept()
    await one.inbox.markAllSeen()
    expect(socket.sent.filter(({ type }) => type === 'publish')).toEqual([])
    expect(written()).toHaveLength(1)
  })

  test('signing out wipes them', async () => {
    const one = make({ ...durable, user: 'u1' })
    void channel(one, 'room:1').publish({ text: 'mine' })
    await server.accept()
    server.answers['publish'] = () => {}
    expect(await one.signOut({ unsent: 'discard' })).toEqual({ discarded: 1 })
    expect(written()).toEqual([])
  })

  test('a page that lives takes its own over, and nothing is left', async () => {
    const one = make({ ...durable, user: 'u1' })
    const done = one.inbox.markRead('n2')
    expect(written()).toHaveLength(1)
    await server.accept()
    await done
    expect(marks()).toHaveLength(1)
    await vi.waitFor(() => expect(written()).toEqual([]))
  })

  test('of nobody in particular, or where nothing is to be stored, nothing is written', () => {
    void make({ ...durable, user: undefined as never }).inbox.markAllSeen()
    void make({ storage: 'memory' }).inbox.markAllSeen()
    expect(written()).toEqual([])
  })
})

describe('arrivals', () => {
  test('are told once in a browser, however many pages listen', async () => {
    server.user = 'twice'
    const told: string[] = []
    for (const page of [1, 2]) {
      const client = make({ storage: 'auto', user: 'twice' })
      client.on('arrived', ({ id }) => told.push(`${page} ${id}`))
      client.inbox.subscribe(() => server.changed())
      await server.accept(page)
      await vi.waitFor(() => expect(client.inbox.get().status).toBe('live'))
    }
    await vi.waitFor(() => expect(clients.every((client) => client.now() !== null)).toBe(true))
    const note = server.notification()
    for (const socket of server.sockets) socket.say(note)
    const last = server.notification()
    for (const socket of server.sockets) socket.say(last)
    await vi.waitFor(() => expect(told).toHaveLength(2))
    await clients[0]?.inbox.markAllSeen()
    expect(told.map((text) => text.slice(2))).toEqual(['n3', 'n4'])
  })
})
