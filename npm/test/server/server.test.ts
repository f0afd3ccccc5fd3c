import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createTidingsServer, type Identity } from 'tidings/server'

interface Got {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: unknown
}
type Reply = (response: ServerResponse, got: Got) => void

let http: Server
let url: string
let got: Got[]
let replies: Reply[]

/** A real server. Each request gets the next reply, and the last reply repeats. */
beforeEach(async () => {
  got = []
  replies = []
  http = await listen(async (request, response) => {
    const body = await text(request)
    const entry = { method: request.method, path: request.url, headers: request.headers, body: body === '' ? undefined : JSON.parse(body) }
    got.push(entry)
    const reply = replies.length > 1 ? replies.shift() : replies[0]
    reply?.(response, entry)
  })
  url = address(http)
})
afterEach(() => {
  http.closeAllConnections()
  http.close()
})

async function listen(handler: (request: IncomingMessage, response: ServerResponse) => unknown): Promise<Server> {
  const server = createServer((request, response) => void handler(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

const address = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

const json = (status: number, body: object, headers: Record<string, string> = {}): Reply => (response) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
const problem = (status: number, code: string, headers = {}) =>
  json(status, { type: 'about:blank', title: 'Title.', status, code, detail: 'Detail.', request_id: 'r1' }, headers)
const stored = { channel: 'inbox:u1', epoch: 'AAAAAAAA', offset: 3, notification_id: 'n3' }

const api = () => createTidingsServer({ url: `${url}/`, apiKey: 'k' })
const note = { to: { user: 'u1' }, type: 'payment', title: 'Paid', data: { orderId: 'o1' } } as const

describe('calls', () => {
  test('notify says who, what and with which key, and answers where it is stored', async () => {
    replies = [json(201, { results: [stored] })]
    expect(await api().notify(note, { key: 'o1' })).toEqual([{ channel: 'inbox:u1', epoch: 'AAAAAAAA', offset: 3, id: 'n3' }])
    expect(got[0]).toMatchObject({ method: 'POST', path: '/v1/notifications', body: note })
    expect(got[0]?.headers).toMatchObject({ authorization: 'Bearer k', 'content-type': 'application/json', 'idempotency-key': 'o1' })
  })

  test('without a key each call has its own, and repeats it when it tries again', async () => {
    replies = [problem(503, 'storage_unavailable', { 'retry-after': '0' }), json(201, { results: [stored] })]
    await api().notify(note)
    await api().notify(note)
    const keys = got.map(({ headers }) => headers['idempotency-key'])
    expect(keys).toHaveLength(3)
    expect(keys[0]).toBe(keys[1])
    expect(keys[2]).not.toBe(keys[1])
  })

  test('an answer that never came is asked for again, with the same key', async () => {
    replies = [(response) => response.destroy(), json(201, { results: [stored] })]
    expect(await api().notify(note, { key: 'o1' })).toHaveLength(1)
    expect(got.map(({ headers }) => headers['idempotency-key'])).toEqual(['o1', 'o1'])
  })

  test('a refusal is final, and speaks', async () => {
    replies = [problem(422, 'idempotency_mismatch')]
    await expect(api().notify(note, { key: 'o1' })).rejects.toMatchObject({
      name: 'TidingsError', code: 'idempotency_mismatch', fault: 'app', retry: false, message: 'Detail. (request r1)',
    })
    expect(got).toHaveLength(1)
  })

  test('what stays broken is given up after three attempts', async () => {
    replies = [problem(503, 'storage_unavailable', { 'retry-after': '0' })]
    await expect(api().ticket({ user: 'u1' })).rejects.toMatchObject({ code: 'storage_unavailable', fault: 'server', retry: true })
    expect(got).toHaveLength(3)
  })

  test('a server that wants a long pause gets it from somebody else', async () => {
    replies = [problem(429, 'flood', { 'retry-after': '60' })]
    await expect(api().notify(note)).rejects.toMatchObject({ code: 'flood', retry: true })
    expect(got).toHaveLength(1)
  })

  test('a proxy\'s page is an error too', async () => {
    replies = [(response) => response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>nginx</h1>')]
    await expect(api().notify(note)).rejects.toMatchObject({ code: 'bad_request', message: 'The server answered 404.' })
  })

  test('nobody there is the network\'s fault, and names the address', async () => {
    const gone = await listen(() => {})
    const dead = address(gone)
    await new Promise((resolve) => gone.close(resolve))
    await expect(createTidingsServer({ url: dead, apiKey: 'k' }).revoke({ user: 'u1' })).rejects.toMatchObject({
      code: 'network', fault: 'network', retry: true, message: expect.stringContaining(dead), cause: expect.anything(),
    })
  })

  test('publish, ticket and revoke reach their addresses', async () => {
    replies = [json(201, { epoch: 'AAAAAAAA', offset: 1, id: 'm1' }), json(201, { ticket: 'T', expires_at: '2026-11-21T00:00:00Z' }), (response) => response.writeHead(202).end()]
    const server = api()
    expect(await server.publish('room:a/b', { hello: 1 })).toEqual({ channel: 'room:a/b', epoch: 'AAAAAAAA', offset: 1, id: 'm1' })
    expect(await server.ticket({ user: 'u1', sessionTtlMs: 5_000, origin: 'https://a' })).toEqual({ ticket: 'T', expires_at: '2026-11-21T00:00:00Z' })
    expect(await server.revoke({ jti: 'j' })).toBeUndefined()
    expect(got.map(({ path, body }) => [path, body])).toEqual([
      ['/v1/channels/room%3Aa%2Fb/messages', { data: { hello: 1 } }],
      ['/v1/tickets', { user: 'u1', session_ttl_ms: 5_000, origin: 'https://a' }],
      ['/v1/revocations', { jti: 'j' }],
    ])
  })

  test('a first inbox is what the client would show', async () => {
    const data = { type: 'payment', title: 'Paid', url: 'javascript:alert(1)', data: { orderId: 'o1' } }
    const one = { channel: 'inbox:u/1', offset: 3, id: 'n3', kind: 'payment', at: 1_000, read: false, seen: true, archived: false, data }
    const bare = { channel: 'system:all', offset: 1, id: 'n1', kind: 'note', at: 500, read: true, seen: true, archived: true, data: null }
    const counts = { inbox: { unread: 1, unseen: 2 }, system: { unread: 3, unseen: 4 } }
    replies = [json(200, { items: [one, bare], counts, epoch: 'AAAAAAAA', offset: 3, next: 'i3.' }), json(200, { items: [], counts, epoch: 'AAAAAAAA', offset: 3 })]
    const first = await api().inbox('u/1')
    expect(first).toEqual({
      user: 'u/1',
      items: [
        { id: 'n3', type: 'payment', title: 'Paid', data: { orderId: 'o1' }, at: 1_000, read: false, seen: true, archived: false, pending: false },
        { id: 'n1', type: 'note', title: '', data: null, at: 500, read: true, seen: true, archived: true, pending: false },
      ],
      unread: 4,
      unseen: 6,
      hasMore: true,
    })
    expect(structuredClone(first)).toEqual(first)
    expect(await api().inbox('u1', { limit: 5 })).toMatchObject({ items: [], hasMore: false })
    expect(got.map(({ method, path, body }) => [method, path, body])).toEqual([
      ['GET', '/v1/inbox?user=u%2F1', undefined],
      ['GET', '/v1/inbox?user=u1&limit=5', undefined],
    ])
    await expect(api().inbox('')).rejects.toMatchObject({ code: 'invalid_argument' })
  })

  test.each([
    [{ url: 'localhost', apiKey: 'k' }, /`url`.*https:/],
    [{ url: '127.0.0.1:8787', apiKey: 'k' }, /`url`/],
    [{ url: 'http://localhost', apiKey: 7 as unknown as string }, /apiKey/],
  ])('wrong options throw at once: %j', (options, message) => {
    expect(() => createTidingsServer(options)).toThrow(message)
  })

  test.each([
    [{ url: undefined, apiKey: 'k' }, 'url_missing', /`url`.*environment/],
    [{ url: '', apiKey: 'k' }, 'url_missing', /`url`/],
    [{ url: 'http://localhost', apiKey: undefined }, 'invalid_argument', /`apiKey`.*environment/],
  ])('what a build has no environment for is missed by the first call: %j', async (options, code, message) => {
    const server = createTidingsServer(options)
    await expect(server.notify(note)).rejects.toMatchObject({ name: 'TidingsError', code, message: expect.stringMatching(message) })
  })

  test('in a browser it throws: the key would be public', () => {
    vi.stubGlobal('document', {})
    expect(api).toThrow(/browser/)
  })
})

describe('the ticket route', () => {
  const identify = (user: string | null) => () => (user === null ? null : ({ user } satisfies Identity))
  const issued = json(201, { ticket: 'T', expires_at: '2026-11-21T00:00:00Z' })
  const post = (headers: Record<string, string> = {}) => new Request('https://app.example.com/api/ticket', { method: 'POST', headers })

  test('gives a ticket of whom the app names, to be kept by nobody', async () => {
    replies = [issued]
    const response = await api().ticketHandler(async (request) => ({ user: request.headers.get('x-user') ?? '' }))(post({ 'x-user': 'u1' }))
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.json()).toEqual({ ticket: 'T', expires_at: '2026-11-21T00:00:00Z' })
    expect(got[0]?.body).toEqual({ user: 'u1' })
  })

  test('takes an object that holds the request, as SvelteKit\'s', async () => {
    replies = [issued]
    const handler = api().ticketHandler(({ locals }: { request: Request; locals: { user: string } }) => ({ user: locals.user }))
    expect((await handler({ request: post(), locals: { user: 'u7' } })).status).toBe(200)
    expect(got[0]?.body).toEqual({ user: 'u7' })
  })

  test.each([
    [{ origin: 'https://evil.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'sec-fetch-site': 'same-site', origin: 'https://app.example.com' }, 403],
    [{ 'sec-fetch-site': 'none' }, 403],
    [{ 'sec-fetch-site': 'same-origin' }, 200],
    [{ origin: 'https://app.example.com' }, 200],
    [{ origin: 'https://app.example.com', host: 'inner:3000' }, 403],
    [{ origin: 'https://app.example.com', host: 'inner:3000', 'x-forwarded-host': 'app.example.com' }, 200],
    [{ origin: 'https://app.example.com', host: 'inner:3000', 'x-forwarded-host': 'APP.example.com:443, inner' }, 200],
    [{ origin: 'https://app.example.com', host: 'app.example.com:443' }, 200],
    [{ origin: 'http://app.example.com', host: 'app.example.com:443' }, 403],
    [{ origin: 'https://app.example.com', host: 'app.example.com:8443' }, 403],
    [{ origin: 'tauri://localhost', host: 'localhost' }, 200],
    [{}, 200],
  ])('a request with %j answers %i', async (headers, status) => {
    replies = [issued]
    vi.spyOn(console, 'error').mockImplementation(() => {})
    expect((await api().ticketHandler(identify('u1'))(post(headers))).status).toBe(status)
    expect(got).toHaveLength(status === 200 ? 1 : 0)
  })

  describe('pages of other origins', () => {
    const origins = ['https://app.example.com', 'http://localhost:5173/', 'HTTPS://Shop.Example:443', 'tauri://localhost']
    const handler = (logger?: { error(message: string): void }) =>
      createTidingsServer({ url, apiKey: 'k', logger }).ticketHandler(identify('u1'), { origins })
    const ask = (headers: Record<string, string>, method = 'POST') => new Request('https://api.example.com/ticket', { method, headers })

    test.each(['https://app.example.com', 'http://localhost:5173', 'https://shop.example', 'tauri://localhost'])('%s may ask when it is listed, and may read the answer', async (origin) => {
      replies = [issued]
      const response = await handler()(ask({ origin, 'sec-fetch-site': 'cross-site' }))
      expect(response.status).toBe(200)
      expect(Object.fromEntries(response.headers)).toMatchObject({ 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true', vary: 'Origin' })
    })

    test('also what it is refused, so that its ticket function sees a 401', async () => {
      const nobody = createTidingsServer({ url, apiKey: 'k' }).ticketHandler(identify(null), { origins })
      const response = await nobody(ask({ origin: 'https://app.example.com' }))
      expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([401, 'https://app.example.com'])
    })

    test('a preflight is answered, and asks nobody', async () => {
      const response = await handler()(ask({ origin: 'https://app.example.com', 'access-control-request-headers': 'authorization' }, 'OPTIONS'))
      expect(response.status).toBe(204)
      expect(Object.fromEntries(response.headers)).toMatchObject({ 'access-control-allow-methods': 'POST', 'access-control-allow-headers': 'authorization' })
      expect((await handler({ error: () => {} })(ask({ origin: 'https://evil.example' }, 'OPTIONS'))).status).toBe(403)
      expect(got).toHaveLength(0)
    })

    test('the host\'s own pages still may, without a word of CORS', async () => {
      replies = [issued]
      const response = await handler()(ask({ 'sec-fetch-site': 'same-origin', origin: 'https://api.example.com' }))
      expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([200, null])
    })

    test.each(['https://app.example.com.evil.test', 'https://app.example.com:444', 'http://app.example.com', 'null', 'tauri://other'])('%s may not, and the answer and the log name the option, once', async (origin) => {
      const error = vi.fn()
      const refusing = handler({ error })
      const response = await refusing(ask({ origin, 'sec-fetch-site': 'cross-site' }))
      expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([403, null])
      expect(await response.json()).toMatchObject({ code: 'origin_refused', detail: expect.stringContaining(`{ origins: ["${origin}"] }`) })
      await refusing(ask({ origin, 'sec-fetch-site': 'cross-site' }))
      expect(error.mock.calls).toEqual([[expect.stringContaining(origin)]])
    })

    test.each(['https://*.example.com', '*', 'app.example.com', 'https://app.example.com/path', 'https://user@app.example.com', '', 'mailto:x', undefined as unknown as string])('%j is no origin, and says so at once', (entry) => {
      expect(() => api().ticketHandler(identify('u1'), { origins: [entry] })).toThrow(/`origins`/)
    })
  })

  test('nobody signed in is 401, another method 405, and neither asks the server', async () => {
    const handler = api().ticketHandler(identify(null))
    expect((await handler(post())).status).toBe(401)
    expect((await handler(new Request('https://app.example.com/x'))).status).toBe(405)
    expect(got).toHaveLength(0)
  })

  test('when the server has no ticket the page is told to try later, and the log why', async () => {
    replies = [problem(401, 'unauthorized')]
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const response = await api().ticketHandler(identify('u1'))(post())
    expect(response.status).toBe(503)
    expect(await response.text()).not.toContain('Detail')
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(log).toHaveBeenCalledWith(expect.stringContaining('Detail'), expect.anything())
  })

  test.each([null, undefined, ''])('a user of %j is nobody: 401, and the client stops asking', async (user) => {
    expect((await api().ticketHandler(async () => ({ user }))(post())).status).toBe(401)
    expect(got).toHaveLength(0)
  })

  test.each([
    [new Error('database'), 'database'],
    ['database', 'database'],
    [Object.assign(new Error('upstream'), { status: 404 }), 'upstream'],
  ])('what the app throws (%o) is 500, and the log hears of it', async (thrown, word) => {
    const error = vi.fn()
    const handler = createTidingsServer({ url, apiKey: 'k', logger: { error } }).ticketHandler(() => { throw thrown })
    const response = await handler(post())
    expect([response.status, response.headers.get('content-type')]).toEqual([500, 'application/problem+json'])
    const body = await response.text()
    expect(JSON.parse(body)).toMatchObject({ status: 500, code: 'internal' })
    expect(body).not.toContain(word)
    expect(error).toHaveBeenCalledWith(expect.stringContaining(word), thrown)
  })

  test('a user id that is none is the app\'s fault, and said', async () => {
    const error = vi.fn()
    const handler = createTidingsServer({ url, apiKey: 'k', logger: { error } }).ticketHandler(() => ({ user: 42 as unknown as string }))
    expect((await handler(post())).status).toBe(500)
    expect(error).toHaveBeenCalledWith(expect.stringContaining('`user`'), expect.anything())
  })

  test('a 4xx made to be shown is answered as it is', async () => {
    const handler = api().ticketHandler(() => { throw Object.assign(new Error('no'), { expose: true, status: 401 }) })
    expect((await handler(post())).status).toBe(401)
  })

  test('redirects and the like are the framework\'s: a response is answered, the rest thrown on', async () => {
    const to = new Response(null, { status: 303, headers: { location: '/login' } })
    expect(await api().ticketHandler(() => { throw to })(post())).toBe(to)
    const others = [{ status: 303, location: '/login' }, Object.assign(new Error('NEXT_REDIRECT'), { digest: 'NEXT_REDIRECT' })]
    for (const thrown of others) await expect(api().ticketHandler(() => { throw thrown })(post())).rejects.toBe(thrown)
  })

  test('a throw on node:http is 500 to this request, and the process lives on', async () => {
    replies = [issued]
    const error = vi.fn()
    const server = createTidingsServer({ url, apiKey: 'k', logger: { error } })
    const app = await listen(server.nodeTicketHandler(async (request: IncomingMessage) => {
      if (request.headers['x-user'] === undefined) throw new Error('database')
      return { user: String(request.headers['x-user']) }
    }))
    const rejections: unknown[] = []
    const note = (reason: unknown) => rejections.push(reason)
    process.on('unhandledRejection', note)
    try {
      const response = await fetch(address(app), { method: 'POST' })
      expect([response.status, await response.json()]).toEqual([500, expect.objectContaining({ code: 'internal' })])
      expect((await fetch(address(app), { method: 'POST', headers: { 'x-user': 'u1' } })).status).toBe(200)
      expect(error).toHaveBeenCalledTimes(1)
      expect(rejections).toEqual([])
    } finally {
      process.off('unhandledRejection', note)
      app.closeAllConnections()
      app.close()
    }
  })

  test('an answer that the app gave itself stands', async () => {
    const error = vi.fn()
    const handler = createTidingsServer({ url, apiKey: 'k', logger: { error } }).nodeTicketHandler(() => null)
    const app = await listen((request, response) => {
      response.writeHead(302, { location: '/login' }).end()
      return handler(request, response)
    })
    expect((await fetch(address(app), { method: 'POST', redirect: 'manual' })).status).toBe(302)
    expect(error).not.toHaveBeenCalled()
    app.closeAllConnections()
    app.close()
  })

  test('what others said the answer varies by stays', async () => {
    replies = [issued]
    const handler = api().nodeTicketHandler(() => ({ user: 'u1' }), { origins: ['https://app.example.com'] })
    const app = await listen((request, response) => {
      response.setHeader('vary', 'Accept-Encoding')
      return handler(request, response)
    })
    const response = await fetch(address(app), { method: 'POST', headers: { origin: 'https://app.example.com' } })
    expect([response.status, response.headers.get('vary')]).toEqual([200, 'Accept-Encoding, Origin'])
    app.closeAllConnections()
    app.close()
  })

  test('works on node:http, as Express does', async () => {
    replies = [issued]
    const app = await listen(api().nodeTicketHandler((request: IncomingMessage) => (request.headers['x-user'] ? { user: String(request.headers['x-user']) } : null)))
    const ask = (headers: Record<string, string>) => fetch(address(app), { method: 'POST', headers })
    const response = await ask({ 'x-user': 'u1', origin: address(app) })
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(await response.json()).toMatchObject({ ticket: 'T' })
    expect((await ask({})).status).toBe(401)
    expect((await ask({ 'x-user': 'u1', origin: 'https://evil.example' })).status).toBe(403)
    app.closeAllConnections()
    app.close()
  })

  test('works on Fastify, which wraps the response', async () => {
    replies = [issued]
    const calls: unknown[] = []
    const raw = { writeHead: (status: number) => calls.push(status), end: (body: string) => calls.push(JSON.parse(body)) }
    await api().nodeTicketHandler(() => ({ user: 'u1' }))({ method: 'POST', headers: {} }, { raw, hijack: () => calls.push('hijacked') })
    expect(calls).toEqual(['hijacked', 200, expect.objectContaining({ ticket: 'T' })])
  })
})
