// @vitest-environment jsdom
// Apps wrap a client in framework state, frozen drafts or proxies. It must work the same in all of
// them.
import { produce } from 'immer'
import { observable } from 'mobx'
import { createTidings, type Tidings } from 'tidings'
import { channel } from 'tidings/channels'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { reactive, readonly } from 'vue'
import { EPOCH, FakeServer } from './fake-server.js'

let server: FakeServer
let made: Tidings

beforeEach(() => {
  server = new FakeServer()
  server.answers['subscribe'] = (socket, { id }) =>
    socket.say({ type: 'subscribed', id, channel: 'room:1', epoch: EPOCH, first: 1, top: 0, offset: 0, recovered: false })
  server.answers['history'] = (socket, { id }) => socket.say({ type: 'page', id, channel: 'room:1', epoch: EPOCH, offset: 0, more: false, messages: [] })
  made = createTidings({ url: 'http://localhost:8787', ticket: async () => 'T', user: 'u1', storage: 'memory' })
})
afterEach(() => made.close())

/** Wraps every value that is read through it, including the results of functions. */
function membrane<T>(value: T): T {
  if (typeof value === 'function') {
    return function (this: unknown, ...args: unknown[]) {
      return membrane(Reflect.apply(value, this, args) as unknown)
    } as T
  }
  if (typeof value !== 'object' || value === null || value instanceof Promise || value instanceof Set || value instanceof Map || Object.isFrozen(value)) return value
  return new Proxy(value, { get: (target, key) => membrane(Reflect.get(target, key) as unknown) })
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(frozen)
  return value
}

const svelteState = (client: Tidings) => {
  const state = $state(client)
  return state
}

const wraps: Record<string, (client: Tidings) => Tidings> = {
  'Svelte’s $state': svelteState,
  'Svelte’s $state.raw in $state': (client) => {
    const state = $state({ deep: client })
    return state.deep
  },
  'Vue’s reactive': (client) => reactive(client as object) as Tidings,
  'Vue’s readonly': (client) => readonly(client as object) as Tidings,
  'MobX’s observable': (client) => observable(client),
  'a frozen draft of Immer': (client) => produce<{ client: unknown }>({ client: null }, (draft) => void (draft.client = client)).client as Tidings,
  'a deep freeze': frozen,
  'a membrane of proxies': membrane,
  'a spread copy': (client) => ({ ...client }),
  'a prototype': (client) => Object.create(client) as Tidings,
}

describe.each(Object.entries(wraps))('through %s', (_, wrap) => {
  test('the inbox and rooms do what they do without', async () => {
    const client = wrap(made)
    const room = channel(client, 'room:1')
    room.subscribe(() => server.changed())
    client.inbox.subscribe(() => server.changed())
    client.on('error', (error) => {
      throw error
    })
    const received: unknown[] = []
    room.on('message', ({ data }) => received.push(data))
    const socket = await server.accept()
    await server.until(() => room.get().status === 'live' && client.inbox.get().status === 'live')
    for (const text of ['one', 'two']) {
      const offset = received.length + 1
      socket.say({ type: 'message', channel: 'room:1', offset, id: `r${offset}`, at: offset, from: { user: 'u2' }, data: text })
      await server.until(() => room.get().messages.length === offset)
    }
    expect(received).toEqual(['one', 'two'])
    expect(channel(client, 'room:1').get().messages.map(({ data }) => data)).toEqual(['one', 'two'])
    expect(channel(made, 'room:1').get(), 'the same room').toBe(room.get())
    socket.say(server.notification())
    expect(client.inbox.get().items.map(({ id }) => id)).toEqual(['n1'])
    expect(client.inbox.get()).toBe(client.inbox.get())
    expect(client.inbox.view({ show: 'unread' }).get().items).toHaveLength(1)
    expect(client.connection.get()).toMatchObject({ status: 'connected', error: null })
  })
})

test('options may be wrapped or frozen too', async () => {
  const options = $state({ url: 'http://localhost:8787', ticket: async () => 'T', user: 'u1', storage: 'memory' as const, backoff: { base: 5 }, transports: ['ws' as const] })
  for (const wrapped of [options, reactive(options), frozen({ url: 'http://localhost:8787', ticket: async () => 'T', backoff: { base: 5 }, transports: ['ws' as const] })]) {
    const client = createTidings(wrapped)
    client.connect()
    await server.accept(server.sockets.length + 1)
    client.close()
  }
})
