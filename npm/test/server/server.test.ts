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

/** A real server; each request takes the next reply, the last one stays. */
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
      name: 'TidingsError', code: 'idempotency_mismatch', fault: 'app', retry: false, message: 'Title. Detail. (request r1)',
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
    replies = [json(201, { epoch: 'AAAAAAAA', offset: 1 }), json(201, { ticket: 'T', expires_at: '2026-11-21T00:00:00Z' }), (response) => response.writeHead(202).end()]
    const server = api()
    expect(await server.publish('room:a/b', { hello: 1 })).toEqual({ channel: 'room:a/b', epoch: 'AAAAAAAA', offset: 1, id: '' })
    expect(await server.ticket({ user: 'u1', sessionTtlMs: 5_000, origin: 'https://a' })).toEqual({ ticket: 'T', expires_at: '2026-11-21T00:00:00Z' })
    expect(await server.revoke({ jti: 'j' })).toBeUndefined()
    expect(got.map(({ path, body }) => [path, body])).toEqual([
      ['/v1/channels/room%3Aa%2Fb/messages', { data: { hello: 1 } }],
      ['/v1/tickets', { user: 'u1', session_ttl_ms: 5_000, origin: 'https://a' }],
      ['/v1/revocations', { jti: 'j' }],
    ])
  })

  test.each([
    [{ url: 'localhost', apiKey: 'k' }, /url/],
    [{ url: 'http://localhost', apiKey: '' }, /apiKey/],
  ])('wrong options throw at once: %j', (options, message) => {
    expect(() => createTidingsServer(options)).toThrow(message)
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
    [{ 'sec-fetch-site': 'same-origin' }, 200],
    [{ origin: 'https://app.example.com' }, 200],
    [{}, 200],
  ])('a request with %j answers %i', async (headers, status) => {
    replies = [issued]
    expect((await api().ticketHandler(identify('u1'))(post(headers))).status).toBe(status)
    expect(got).toHaveLength(status === 200 ? 1 : 0)
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
    expect(log).toHaveBeenCalledWith(expect.stringContaining('Detail'))
  })

  test('an error of the app\'s own goes to its framework', async () => {
    const handler = api().ticketHandler(() => { throw new Error('database') })
    await expect(handler(post())).rejects.toThrow('database')
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
