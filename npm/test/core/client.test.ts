// @vitest-environment jsdom
import { createTidings, isTidingsError, type InboxItem, type Tidings, type TidingsOptions } from 'tidings'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { EPOCH, FakeServer } from './fake-server.js'

let server: FakeServer
let clients: Tidings[]

beforeEach(() => {
  server = new FakeServer()
  clients = []
})
afterEach(() => clients.forEach((client) => client.close()))

function make(options: Partial<TidingsOptions> = {}): Tidings {
  const client = createTidings({ url: 'http://localhost:8787/rt/', ticket: async () => 'T', user: 'u1', storage: 'memory', ...options })
  clients.push(client)
  return client
}

/** A connected client with subscribers. */
async function live(options: Partial<TidingsOptions> = {}) {
  const client = make(options)
  client.inbox.subscribe(() => server.changed())
  client.connection.subscribe(() => server.changed())
  const socket = await server.accept()
  await server.until(() => client.inbox.get().status === 'live')
  return { client, socket }
}

describe('connecting', () => {
  test('does nothing until somebody looks', async () => {
    const ticket = vi.fn(async () => 'T')
    const client = make({ ticket })
    expect(client.connection.get()).toBe(client.connection.initial)
    expect(client.inbox.get()).toBe(client.inbox.initial)
    client.inbox.view({ show: 'unread' })
    expect(ticket).not.toHaveBeenCalled()
    client.inbox.subscribe(() => {})
    expect(client.connection.get().status).toBe('connecting')
    expect(ticket, 'beside the loading of the core').toHaveBeenCalledTimes(1)
  })

  test('goes to the socket below the base address, with the ticket in the first message', async () => {
    const { socket } = await live()
    expect(socket.url).toBe('ws://localhost:8787/rt/v1/ws')
    expect(socket.sent[0]).toMatchObject({ type: 'connect', ticket: 'T', client: { name: 'tidings-js', version: packageJson.version } })
  })

  test('keeps 1000 calls while the core loads, and refuses more', async () => {
    const client = make()
    const calls = Array.from({ length: 1_001 }, () => client.inbox.markAllRead())
    await expect(calls[1_000]).rejects.toMatchObject({ code: 'invalid_argument', message: expect.stringContaining('while the core loads') })
    server.answers['mark'] = (socket, { client_id, seq }) => socket.say({ type: 'ack', client_id, seq, channel: server.inbox, epoch: EPOCH, offset: 1, record_id: 'm' })
    server.answers['void'] = (socket, { client_id, seq }) => socket.say({ type: 'ack', client_id, seq, channel: server.inbox, epoch: EPOCH, offset: 0 })
    await server.accept()
    await expect(calls[999], 'the core takes it').resolves.toMatchObject({ channel: server.inbox })
  })

  test('asks for one ticket, however many look', async () => {
    const ticket = vi.fn(async () => ({ token: 'J' }))
    const { client, socket } = await live({ ticket })
    client.inbox.subscribe(() => {})
    client.outbox.subscribe(() => {})
    client.on('arrived', () => {})
    client.connect()
    expect(ticket).toHaveBeenCalledTimes(1)
    expect(socket.sent[0]).toMatchObject({ token: 'J' })
    expect(server.sockets).toHaveLength(1)
  })

  test('tells every state in order and never goes back to idle', async () => {
    const states: string[] = []
    const client = make()
    client.connection.subscribe(({ status }) => {
      if (states.at(-1) !== status) states.push(status)
      server.changed()
    })
    await server.accept()
    await server.until(() => client.connection.get().status === 'connected')
    expect(states).toEqual(['connecting', 'connected'])
  })

  test('a ticket function that answers null signs out, and nothing is hammered', async () => {
    const ticket = vi.fn(async () => null)
    const client = make({ ticket })
    client.connection.subscribe(() => server.changed())
    await server.until(() => client.connection.get().status === 'signed-out')
    expect(ticket).toHaveBeenCalledTimes(1)
    expect(server.sockets).toHaveLength(0)
  })

  test('a ticket function that throws is the cause of the error the app sees', async () => {
    const thrown = new Error('503 from the backend')
    const client = make({ ticket: () => { throw thrown } })
    client.connection.subscribe(() => server.changed())
    const { error } = await server.until(() => client.connection.get().status === 'waiting' && client.connection.get())
    expect(error).toMatchObject({ code: 'ticket_failed', fault: 'app', retry: true, cause: thrown })
    expect(error?.docs).toContain('#ticket_failed')
  })

  test('nobody signed in needs neither core nor ticket, until somebody signs in', async () => {
    const ticket = vi.fn(async () => 'T')
    const client = make({ user: null, ticket })
    client.connection.subscribe(() => server.changed())
    expect(client.connection.get().status).toBe('signed-out')
    expect(ticket).not.toHaveBeenCalled()
    client.setUser('u1')
    await server.accept()
    await server.until(() => client.connection.get().status === 'connected')
    expect(client.connection.get().user).toBe('u1')
  })

  test('a missing url is reported at connect, not at import', () => {
    const client = make({ url: undefined as never })
    client.connect()
    expect(client.connection.get()).toMatchObject({ status: 'failed', error: { code: 'url_missing' } })
    expect(client.explain()).toContain('url')
  })

  test('disconnect holds until connect, however many look', async () => {
    const { client, socket } = await live()
    client.disconnect()
    expect(client.connection.get().status).toBe('idle')
    expect(socket.readyState).toBe(3)
    client.inbox.view({ show: 'all' }).subscribe(() => {})
    expect(server.sockets).toHaveLength(1)
    client.connect()
    await server.accept(2)
  })

  test('a frame that is not text ends the connection, which comes back', async () => {
    const { client, socket } = await live()
    socket.raw(new ArrayBuffer(3))
    expect(socket.closedWith).toBe(3003)
    expect(client.connection.get().status).not.toBe('connected')
    client.retryNow()
    await server.accept(2)
  })
})

describe('snapshots', () => {
  test('are frozen, items and payloads included', async () => {
    const { client, socket } = await live()
    socket.say(server.notification({ data: { deep: { er: [1] } } }))
    const inbox = client.inbox.get()
    const item = inbox.items[0] as InboxItem & { data: { deep: object } }
    for (const value of [inbox, inbox.items, item, item.data, item.data.deep]) expect(Object.isFrozen(value)).toBe(true)
  })

  test('keep their identity while their content stays, item by item', async () => {
    const { client, socket } = await live()
    socket.say(server.notification(), server.notification())
    const before = client.inbox.get()
    expect(client.inbox.get()).toBe(before)
    client.inbox.subscribe(() => {})()
    expect(client.inbox.get()).toBe(before)
    void client.inbox.markRead('n2')
    const after = client.inbox.get()
    expect(after).not.toBe(before)
    expect(after.items[0]).not.toBe(before.items[0])
    expect(after.items[1], 'the other item').toBe(before.items[1])
  })

  test('change in one step: a subscriber of one sees the others up to date', async () => {
    const { client, socket } = await live()
    const counts: [number, number, number][] = []
    const unread = client.inbox.view({ show: 'unread' })
    unread.subscribe((view) => counts.push([view.items.length, client.inbox.get().unread, client.inbox.get().items.length]))
    socket.say(server.notification())
    void client.inbox.markRead('n1')
    expect(counts).toEqual([[0, 0, 0], [1, 1, 1], [0, 0, 1]])
  })

  test('items have safe links, made from routing if need be', async () => {
    const { client, socket } = await live()
    socket.say(
      server.notification({ url: 'javascript:alert(1)' }),
      server.notification({ data: { routing: { type: 'navigate', path: '/orders/:id', params: { id: 'a/b', tab: 'x' } } } }),
      server.notification({ url: 'https://example.com/x' }),
    )
    expect(client.inbox.get().items.map((item) => item.url)).toEqual(['https://example.com/x', '/orders/a%2Fb?tab=x', undefined])
  })

  test('a body without anything is still an item', async () => {
    const { client, socket } = await live()
    socket.say({ ...server.notification(), data: 7 })
    expect(client.inbox.get().items[0]).toMatchObject({ id: 'n1', title: '', data: null })
  })

  test('equal filters give the same view', () => {
    const { inbox } = make()
    expect(inbox.view({ type: ['b', 'a', 'b'] })).toBe(inbox.view({ show: 'inbox', type: ['a', 'b'] }))
    expect(inbox.view({ show: 'archived' })).not.toBe(inbox.view({ show: 'unread' }))
    expect(inbox.view({})).toBe(inbox.view({ show: 'inbox' }))
  })
})

describe('subscribing', () => {
  test('calls at once, and after the end no more', async () => {
    const { client, socket } = await live()
    const seen: number[] = []
    const off = client.inbox.subscribe(({ unread }) => seen.push(unread))
    expect(seen).toEqual([0])
    off()
    off()
    socket.say(server.notification())
    expect(seen).toEqual([0])
  })

  test('a callback may call back in: nobody misses a value, hears it twice or out of order', async () => {
    const { client, socket } = await live()
    const seen: boolean[][] = [[], []]
    const off = client.inbox.subscribe(({ items: [item] }) => {
      if (item === undefined) return
      seen[0]?.push(item.read)
      if (!item.read) void client.inbox.markRead(item)
      expect(client.inbox.get().items[0]?.read, 'shown at once').toBe(true)
    })
    client.inbox.subscribe(({ items: [item] }) => item && seen[1]?.push(item.read))
    socket.say(server.notification())
    off()
    expect(seen[0]).toEqual([false, true])
    expect(seen[1]?.at(-1)).toBe(true)
    expect(seen[1]?.filter((read) => read)).toHaveLength(1)
  })

  test('a callback that throws is reported and stops nobody else', async () => {
    const error = vi.fn()
    const { client, socket } = await live({ logger: { debug() {}, warn() {}, error } })
    const thrown = new Error('mine')
    const seen: number[] = []
    client.inbox.subscribe(({ unread }) => { if (unread > 0) throw thrown })
    client.inbox.subscribe(({ unread }) => seen.push(unread))
    socket.say(server.notification())
    expect(error).toHaveBeenCalledWith(expect.any(String), thrown)
    expect(seen).toEqual([0, 1])
  })

  test('an arrival is told once, after the snapshot that holds it', async () => {
    const { client, socket } = await live()
    const arrived: [InboxItem, boolean][] = []
    client.on('arrived', (item) => arrived.push([item, client.inbox.get().items.includes(item)]))
    const notification = server.notification()
    socket.say(notification, notification)
    expect(arrived).toHaveLength(1)
    expect(arrived[0]?.[0].title).toBe('Title 1')
    expect(arrived[0]?.[1]).toBe(true)
  })
})

describe('intents', () => {
  async function marked() {
    const { client, socket } = await live()
    socket.say(server.notification())
    const promise = client.inbox.archive(client.inbox.get().items[0] as InboxItem)
    const sent = await server.until(() => socket.sent.find(({ type }) => type === 'mark'))
    return { client, socket, promise, sent: { client_id: sent['client_id'], seq: sent['seq'] }, whole: sent }
  }

  test('show at once, stay pending until the log has them, and resolve with where they are', async () => {
    const { client, socket, promise, sent, whole } = await marked()
    expect(whole).toMatchObject({ epochs: { inbox: EPOCH }, offsets: { inbox: [1] }, set: { archived: true } })
    expect(client.inbox.get().items).toHaveLength(0)
    expect(client.inbox.view({ show: 'archived' }).get().items[0]).toMatchObject({ archived: true, pending: true })
    expect(client.outbox.get().pending).toBe(1)
    socket.say(
      { type: 'marked', channel: 'inbox:u1', offset: 2, id: 'm2', at: Date.now(), ...sent, offsets: { inbox: [1] }, set: { archived: true }, counts: { inbox: { unread: 0, unseen: 0 }, system: { unread: 0, unseen: 0, at: 0 } } },
      { type: 'ack', ...sent, channel: 'inbox:u1', epoch: EPOCH, offset: 2, record_id: 'm2' },
    )
    expect(await promise).toEqual({ channel: 'inbox:u1', epoch: EPOCH, offset: 2, id: 'm2' })
    expect(client.inbox.view({ show: 'archived' }).get().items[0]).toMatchObject({ archived: true, pending: false })
    expect(client.outbox.get().pending).toBe(0)
  })

  test('a refusal rolls back, rejects, is told and stays in the outbox until discarded', async () => {
    const { client, socket, promise, sent } = await marked()
    const failed = vi.fn()
    client.on('failed', failed)
    socket.say({ type: 'error', ...sent, channel: 'inbox:u1', code: 'forbidden', message: 'no', retry: 'never' })
    await expect(promise).rejects.toMatchObject({ name: 'TidingsError', code: 'forbidden', fault: 'app', retry: false })
    expect(client.inbox.get().items).toHaveLength(1)
    const [entry] = client.outbox.get().failed
    expect(entry).toMatchObject({ kind: 'mark', channel: 'inbox:u1', error: { code: 'forbidden' } })
    expect(failed).toHaveBeenCalledExactlyOnceWith(entry)
    client.outbox.discard(entry?.id ?? '')
    expect(client.outbox.get().failed).toHaveLength(0)
  })

  test('made before the core is there, they are kept in order', async () => {
    const client = make()
    server.items = [1, 2].map((offset) => ({ channel: 'inbox:u1', offset, id: `n${offset}`, kind: 'k', at: offset, seen: false, read: false, archived: false, data: { title: 't' } }))
    server.offset = 2
    client.connection.subscribe(() => server.changed())
    const unknown = client.inbox.markRead('n9')
    await server.accept()
    await expect(unknown).rejects.toMatchObject({ code: 'not_found' })
  })

  test('wrong arguments throw at once, before anything is loaded', () => {
    const { inbox, outbox } = make()
    for (const bad of [undefined, null, 7, '', {}, [{ id: 3 }], ['n1', '']]) {
      expect(() => inbox.markRead(bad as never), JSON.stringify(bad)).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
    }
    expect(() => inbox.view({ show: 'seen' as never })).toThrow(/show/)
    expect(() => inbox.view({ type: [''] })).toThrow(/type/)
    expect(() => outbox.retry('x')).toThrow(/outbox/)
    expect(server.sockets).toHaveLength(0)
  })
})

describe('users', () => {
  test('another user sees nothing of the first, and the connection is theirs', async () => {
    const { client, socket } = await live({ ticket: async ({ user }) => `ticket of ${user}` })
    socket.say(server.notification())
    const seen: (readonly [string | null, number, string])[] = []
    client.inbox.subscribe((inbox) => seen.push([client.connection.get().user, inbox.items.length, inbox.status]))
    server.user = 'u2'
    server.offset = 0
    server.unread = 0
    client.setUser('u2')
    expect(client.inbox.get()).toBe(client.inbox.initial)
    expect(seen.filter(([user, items]) => user === 'u2' && items > 0)).toEqual([])
    expect(socket.readyState).toBe(3)
    const second = await server.accept(2)
    expect(second.sent[0]).toMatchObject({ ticket: 'ticket of u2' })
    await server.until(() => client.inbox.get().status === 'live')
  })

  test('a ticket of another user shows nothing', async () => {
    server.user = 'mallory'
    const client = make()
    client.connection.subscribe(() => server.changed())
    await server.accept()
    await server.until(() => client.connection.get().status === 'failed')
    expect(client.connection.get().error?.code).toBe('user_mismatch')
    expect(client.inbox.get().items).toHaveLength(0)
  })

  test('signing out forgets everything and says what was thrown away', async () => {
    const { client, socket } = await live()
    socket.say(server.notification())
    void client.inbox.markRead('n1')
    expect(await client.signOut({ unsent: 'discard' })).toEqual({ discarded: 1 })
    expect(client.inbox.get()).toBe(client.inbox.initial)
    expect(client.connection.get().status).toBe('signed-out')
    expect(socket.readyState).toBe(3)
  })
})

describe('the end', () => {
  test('close is final, and says so to whoever still asks', async () => {
    const { client, socket } = await live()
    socket.say(server.notification())
    const waiting = client.inbox.markAllRead()
    client.close()
    expect(client.connection.get().status).toBe('closed')
    expect(socket.readyState).toBe(3)
    await expect(waiting).rejects.toMatchObject({ code: 'closed' })
    await expect(client.inbox.markAllRead()).rejects.toMatchObject({ code: 'closed' })
    client.connect()
    client.setUser('u2')
    expect(client.connection.get().status).toBe('closed')
    expect(server.sockets).toHaveLength(1)
  })

  test('a core that traps is rebuilt once, then fails', async () => {
    const { client, socket } = await live()
    const { Core } = await import('../../dist/glue.js')
    const errors: string[] = []
    client.on('error', ({ code }) => errors.push(code))
    const trap = () =>
      vi.spyOn(Core.prototype, 'run').mockImplementationOnce(() => {
        throw new WebAssembly.RuntimeError('unreachable')
      })
    socket.say(server.notification())
    const lost = client.inbox.markAllRead()
    trap()
    client.retryNow()
    await expect(lost).rejects.toMatchObject({ code: 'internal' })
    expect(socket.readyState, 'the broken core can no longer close it').toBe(3)
    const second = await server.accept(2)
    await server.until(() => client.inbox.get().status === 'live')
    second.say(server.notification())
    expect(client.inbox.get().items.map(({ id }) => id)).toEqual(['n2'])
    trap()
    client.retryNow()
    expect(client.connection.get()).toMatchObject({ status: 'failed', error: { code: 'internal' } })
    expect(errors).toEqual(['internal', 'internal'])
    await Promise.resolve()
    client.connect()
    await server.accept(3)
    await server.until(() => client.connection.get().status === 'connected')
  })

  test('errors are known over two copies of the package', () => {
    const foreign = Object.assign(new Error('x'), { [Symbol.for('tidings.error')]: true })
    expect(isTidingsError(foreign)).toBe(true)
    expect(isTidingsError(new Error('x'))).toBe(false)
    expect(isTidingsError(null)).toBe(false)
  })
})
