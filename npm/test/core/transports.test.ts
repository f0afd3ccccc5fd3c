// @vitest-environment jsdom
// The HTTP transports, with the real client and its compiled core, over a stand-in for `fetch`.
import { createTidings, type Tidings, type TidingsOptions } from 'tidings'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FakeServer, FakeSocket } from './fake-server.js'

let server: FakeServer
let client: Tidings | undefined
let asked: Asked[]

/** A request of the client. */
interface Asked {
  readonly path: string
  readonly body: string
  readonly aborted: () => boolean
  /** Sends a part of the answer. */
  say(text: string): void
  end(): void
}

beforeEach(() => {
  server = new FakeServer()
  asked = []
  vi.stubGlobal('fetch', async (url: string, { body, signal }: { body: string; signal: AbortSignal }) => {
    let stream!: ReadableStreamDefaultController<Uint8Array>
    const answer = new ReadableStream<Uint8Array>({ start: (controller) => void (stream = controller) })
    signal.addEventListener('abort', () => stream.error(signal.reason))
    asked.push({
      path: url.replace('http://localhost:8787/rt/v1/', ''),
      body,
      aborted: () => signal.aborted,
      say: (text) => stream.enqueue(new TextEncoder().encode(text)),
      end: () => stream.close(),
    })
    queueMicrotask(() => server.changed())
    return new Response(answer)
  })
})
afterEach(() => client?.close())

function make(options: Partial<TidingsOptions>): Tidings {
  client = createTidings({ url: 'http://localhost:8787/rt/', ticket: async () => 'T', user: 'u1', storage: 'memory', ...options })
  client.connection.subscribe(() => server.changed())
  client.inbox.subscribe(() => server.changed())
  return client
}

const request = (path: RegExp, count = 1) => server.until(() => asked.filter((one) => path.test(one.path))[count - 1])

/** The server's messages to a new connection. */
function welcome(): string[] {
  const socket = new FakeSocket('')
  server.sockets.pop()
  const said: string[] = []
  socket.addEventListener('message', (event) => said.push(...(event as MessageEvent<string>).data.split('\n')))
  server.welcome(socket)
  return said
}

const events = (...messages: string[]) => messages.map((message) => `data: ${message}\n\n`).join('')

test('where there is no WebSocket a client goes by a stream, and its changes go up by requests', async () => {
  vi.stubGlobal('WebSocket', undefined)
  const { connection, inbox } = make({})
  const stream = await request(/^sse\?/)
  expect(JSON.parse(stream.body)).toMatchObject({ type: 'connect', ticket: 'T' })
  stream.say(`retry: 500\n\n:\n\n${events(...welcome())}`)
  await server.until(() => inbox.get().status === 'live')
  expect(connection.get()).toMatchObject({ status: 'connected', transport: 'sse' })
  stream.say(events(JSON.stringify(server.notification())))
  await server.until(() => inbox.get().unread === 1)
  void inbox.markAllRead()
  const post = await request(/^sessions\/s1\/messages$/)
  expect(JSON.parse(post.body)).toMatchObject({ type: 'mark', set: { read: true } })
})

test('a list of transports is kept to, in its order', async () => {
  const { connection } = make({ transports: ['poll', 'ws'] })
  const poll = await request(/^poll\?/)
  poll.say([JSON.stringify({ session: 's1', session_token: 't1', cursors: {} }), ...welcome(), ''].join('\n'))
  poll.end()
  await server.until(() => connection.get().status === 'connected')
  expect(connection.get().transport).toBe('poll')
  expect(server.sockets).toHaveLength(0)
  // The next request uses the session of the first answer.
  const next = await request(/^poll\?wait=[1-9]/)
  expect(JSON.parse(next.body)).toMatchObject({ session_token: 't1' })
})

test('a client that is closed aborts its requests', async () => {
  const { close } = make({ transports: ['sse'] })
  const stream = await request(/^sse\?/)
  close()
  expect(stream.aborted()).toBe(true)
})

test('WebSocket alone never asks by a request', async () => {
  const { connection, retryNow } = make({ transports: ['ws'] })
  for (const count of [1, 2, 3]) {
    const socket = await server.until(() => server.sockets[count - 1])
    socket.end()
    await server.until(() => connection.get().status === 'waiting')
    retryNow()
  }
  expect(asked).toEqual([])
})
