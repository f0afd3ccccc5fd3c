// @vitest-environment jsdom
import { createTidings, type ChannelSnapshot, type Json, type Tidings, type TidingsOptions } from 'tidings'
import { channel } from 'tidings/channels'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EPOCH, FakeServer, type FakeSocket, type Sent } from './fake-server.js'

let server: FakeServer
let clients: Tidings[]
/** The room's log, and the answers by lane. */
let log: object[]
let lanes: Map<string, object>

beforeEach(() => {
  server = new FakeServer()
  clients = []
  log = []
  lanes = new Map()
  server.answers['subscribe'] = (socket, { id, since }) => {
    const from = (since as { offset?: number } | undefined)?.offset
    const offset = from ?? log.length
    socket.say({ type: 'subscribed', id, channel: 'room:1', epoch: EPOCH, first: 1, top: log.length, offset, recovered: from !== undefined }, ...log.slice(offset))
  }
  server.answers['unsubscribe'] = (socket, { id }) => socket.say({ type: 'unsubscribed', id, channel: 'room:1' })
  server.answers['history'] = (socket, { id, before }) =>
    socket.say({ type: 'page', id, channel: 'room:1', epoch: EPOCH, offset: log.length, more: false, messages: log.slice(0, Number(before) - 1).reverse() })
  server.answers['publish'] = publish
})
afterEach(() => clients.forEach((client) => client.close()))

function publish(socket: FakeSocket, { id, client_id, seq, data }: Sent) {
  const lane = `${String(client_id)}/${String(seq)}`
  const before = lanes.get(lane)
  if (before !== undefined) return socket.say({ ...before, id, duplicate: true })
  const record = append(data as Json, { client_id, seq, from: { user: 'u1', info: { name: 'Mina' } } })
  const ack = { type: 'ack', id, client_id, seq, channel: 'room:1', epoch: EPOCH, offset: record.offset, record_id: record.id }
  lanes.set(lane, ack)
  socket.say(ack, record)
}

function append(data: Json, over: object = {}) {
  const offset = log.length + 1
  const record = { type: 'message', channel: 'room:1', offset, id: `r${offset}`, at: offset, from: { user: 'u2' }, ...over, data }
  log.push(record)
  return record
}

function make(options: Partial<TidingsOptions> = {}) {
  const client = createTidings({ url: 'http://localhost:8787', ticket: async () => 'T', user: 'u1', storage: 'memory', ...options })
  clients.push(client)
  return client
}

async function joined() {
  const client = make()
  const room = channel(client, 'room:1')
  room.subscribe(() => server.changed())
  client.outbox.subscribe(() => server.changed())
  const socket = await server.accept()
  await server.until(() => room.get().status === 'live' && !room.get().loadingMore)
  return { client, room, socket }
}

const texts = ({ messages }: ChannelSnapshot<Json>) => messages.map(({ data }) => data)

describe('a channel', () => {
  test('is the same for the same name, and joins nothing by itself', () => {
    const client = make()
    const room = channel(client, 'room:1')
    expect(channel(client, 'room:1')).toBe(room)
    expect(room.get()).toBe(room.initial)
    expect(client.connection.get().status).toBe('idle')
    expect(() => channel(client, 'inbox:u1')).toThrow('inbox')
    expect(() => channel(client, '42' as never)).toThrow('namespace:name')
    for (const name of ['room:*', 'room:a*b', 'room:a\nb'] as const) expect(() => channel(client, name), name).toThrow('without `*`')
    expect(() => channel({} as Tidings, 'room:1')).toThrow('createTidings')
  })

  test('opens with what was said before, and tells what comes', async () => {
    append('before')
    const { room, socket } = await joined()
    expect(texts(room.get())).toEqual(['before'])
    const received: unknown[] = []
    room.on('message', ({ data, from }) => received.push([data, from?.user, from?.self]))
    const [before] = room.get().messages
    socket.say(append({ text: 'hi' }))
    await server.until(() => room.get().messages.length === 2)
    expect(received).toEqual([[{ text: 'hi' }, 'u2', false]])
    expect(room.get().messages[0], 'what did not change is the same object').toBe(before)
    expect(Object.isFrozen(room.get().messages[1]?.data)).toBe(true)
  })

  test('shows an own message at once, and keeps its key when it is stored', async () => {
    const { client, room } = await joined()
    delete server.answers['publish']
    const stored = room.publish({ text: 'mine' })
    const [pending] = await server.until(() => room.get().messages.length === 1 && room.get().messages)
    expect(pending).toMatchObject({ pending: true, offset: null, data: { text: 'mine' }, from: { user: 'u1', self: true } })
    expect(client.outbox.get().pending).toBe(1)
    const sent = await server.until(() => server.socket.sent.find(({ type }) => type === 'publish'))
    publish(server.socket, sent)
    expect(await stored).toMatchObject({ channel: 'room:1', offset: 1, id: 'r1' })
    expect(room.get().messages).toHaveLength(1)
    expect(room.get().messages[0]).toMatchObject({ key: pending?.key, id: 'r1', pending: false, from: { info: { name: 'Mina' } } })
    expect(client.outbox.get().pending).toBe(0)
  })

  test('shows a refusal, to be tried again', async () => {
    const { client, room } = await joined()
    server.answers['publish'] = (socket, { id, client_id, seq }) =>
      socket.say({ type: 'error', id, client_id, seq, channel: 'room:1', code: 'forbidden', message: 'no', retry: 'never' })
    await expect(room.publish('x')).rejects.toMatchObject({ code: 'forbidden' })
    expect(room.get().messages[0]?.failed).toMatchObject({ code: 'forbidden' })
    const [failed] = client.outbox.get().failed
    expect(failed).toMatchObject({ kind: 'publish', channel: 'room:1', id: room.get().messages[0]?.key })
    server.answers['publish'] = publish
    await client.outbox.retry(failed?.id ?? '')
    await server.until(() => room.get().messages[0]?.offset === 1)
    expect(client.outbox.get().failed).toEqual([])
    expect(texts(room.get())).toEqual(['x'])
  })

  test('is refused without the right, and says why', async () => {
    server.answers['subscribe'] = (socket, { id }) => socket.say({ type: 'error', id, channel: 'room:1', code: 'forbidden', message: 'no', retry: 'never' })
    const client = make()
    const room = channel(client, 'room:1')
    room.subscribe(() => server.changed())
    await server.accept()
    await server.until(() => room.get().status === 'refused')
    expect(room.get().error).toMatchObject({ code: 'forbidden', fault: 'app' })
  })

  test('goes on after a cut where it was', async () => {
    const { client, room, socket } = await joined()
    socket.say(append('one'))
    await server.until(() => room.get().messages.length === 1)
    socket.end()
    append('two')
    await server.until(() => client.connection.get().status === 'waiting')
    client.retryNow()
    const again = await server.accept(2)
    await server.until(() => room.get().messages.length === 2)
    expect(again.sent.find(({ type }) => type === 'subscribe')).toMatchObject({ since: { epoch: EPOCH, offset: 1 } })
    expect(texts(room.get())).toEqual(['one', 'two'])
  })

  test('what JSON can’t say is refused at once', () => {
    const room = channel(make(), 'room:1')
    expect(() => room.publish(undefined as never)).toThrow('JSON')
  })
})
