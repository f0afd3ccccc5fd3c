import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { requests } from '../../src/lazy/requests.js'
import { RESPONSE_CHUNK, RESPONSE_ENDED, RESPONSE_STARTED, type InboundOp } from '../../src/generated/ops.js'

/** Only a broken run reaches this limit. */
const PATIENCE = { timeout: 20_000 }

let server: Server
let socket: string
let answer: (request: IncomingMessage, response: ServerResponse, body: string) => void
let told: InboundOp[]
let waiting: (() => void)[]
let life: AbortController

beforeEach(async () => {
  server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    answer(request, response, body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  socket = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/rt/v1/ws`
  told = []
  waiting = []
  life = new AbortController()
})
afterEach(() => {
  life.abort()
  vi.unstubAllGlobals()
  server.closeAllConnections()
  server.close()
})

const make = () =>
  requests(
    () => socket,
    (...op) => {
      told.push(op)
      for (const check of [...waiting]) check()
    },
    life.signal,
  )

/** Waits for a report of this kind. */
const hear = (what: number, number = 1) =>
  new Promise<string>((resolve) => {
    const check = () => {
      const found = told.find(([kind, of]) => kind === what && of === number)
      if (found !== undefined) resolve(String(found.at(-1)))
    }
    waiting.push(check)
    check()
  })

const pieces = () => told.filter(([what]) => what === RESPONSE_CHUNK).map(([, , text]) => text)

test('a request is a POST of JSON below the server, with its bearer and its lines as they are', async () => {
  const seen = vi.fn()
  answer = ({ method, url, headers }, response, body) => {
    seen(method, url, headers['content-type'], headers.authorization, body)
    response.end('{}')
  }
  const ask = make()
  ask.make(1, { path: 'sessions/s-1/messages', bearer: 'st_secret', body: '{"a":1}\n{"b":2}\n' })
  await hear(RESPONSE_ENDED)
  ask.make(2, { path: 'poll?wait=0&channel=room%3A1', bearer: null, body: '{"type":"connect"}' })
  await hear(RESPONSE_ENDED, 2)
  expect(seen.mock.calls).toEqual([
    ['POST', '/rt/v1/sessions/s-1/messages', 'application/json', 'Bearer st_secret', '{"a":1}\n{"b":2}\n'],
    ['POST', '/rt/v1/poll?wait=0&channel=room%3A1', 'application/json', undefined, '{"type":"connect"}'],
  ])
  expect(told.slice(0, 3)).toEqual([
    [RESPONSE_STARTED, 1, 200, ''],
    [RESPONSE_CHUNK, 1, '{}'],
    [RESPONSE_ENDED, 1, ''],
  ])
})

test('a body is told in pieces, as they come, wherever it is cut, and characters stay whole', async () => {
  const text = 'data: {"title":"Grüße 👋 äöü"}\n\ndata: {"b":2}\n\n'
  const bytes = new TextEncoder().encode(text)
  let write: (bytes: Uint8Array) => void = () => {}
  let end = () => {}
  answer = (_, response) => {
    response.flushHeaders()
    write = (bytes) => void response.write(bytes)
    write(bytes.subarray(0, 1))
    end = () => response.end()
  }
  make().make(1, { path: 'sse', bearer: null, body: '{}' })
  await hear(RESPONSE_CHUNK)
  // Send each byte only after the bytes before it were reported, as far as they make whole
  // characters.
  for (let at = 1; at < bytes.length; at += 1) {
    write(bytes.subarray(at, at + 1))
    const whole = new TextDecoder().decode(bytes.subarray(0, at + 1), { stream: true })
    await vi.waitFor(() => expect(pieces().join('')).toBe(whole), PATIENCE)
  }
  end()
  expect(await hear(RESPONSE_ENDED)).toBe('')
  expect(pieces().join('')).toBe(text)
  expect(pieces().join('')).not.toContain('\ufffd')
})

test('a body that ends within a character is told so', async () => {
  answer = (_, response) => void response.end(Buffer.from([0x61, 0xf0, 0x9f]))
  make().make(1, { path: 'poll', bearer: null, body: '{}' })
  await hear(RESPONSE_ENDED)
  expect(pieces().join('')).toBe('a\ufffd')
})

test('an aborted request ends at the server, and nothing more is told of it', async () => {
  const closed: string[] = []
  answer = (request, response) => {
    response.on('close', () => closed.push(request.url ?? ''))
    response.write('x')
  }
  const ask = make()
  ask.make(1, { path: 'one', bearer: null, body: '' })
  ask.make(2, { path: 'two', bearer: null, body: '' })
  await Promise.all([hear(RESPONSE_CHUNK), hear(RESPONSE_CHUNK, 2)])
  ask.abort(1)
  await vi.waitFor(() => expect(closed).toEqual(['/rt/v1/one']), PATIENCE)
  expect(told.some(([what]) => what === RESPONSE_ENDED)).toBe(false)
  // Abort, as if the core were gone.
  life.abort()
  await vi.waitFor(() => expect(closed).toEqual(['/rt/v1/one', '/rt/v1/two']), PATIENCE)
  expect(told.some(([what]) => what === RESPONSE_ENDED)).toBe(false)
})

test('an abort before the answer keeps it from being told at all', async () => {
  answer = (_, response) => void response.end('x')
  const ask = make()
  ask.make(1, { path: 'sse', bearer: null, body: '' })
  ask.abort(1)
  ask.make(2, { path: 'sse', bearer: null, body: '' })
  await hear(RESPONSE_ENDED, 2)
  expect(told.map(([what, number]) => [what, number])).toEqual([[RESPONSE_STARTED, 2], [RESPONSE_CHUNK, 2], [RESPONSE_ENDED, 2]])
})

test.each([
  ['2', '2000'],
  ['0', ''],
  ['soon', ''],
  [undefined, ''],
])('Retry-After %j is told as %j', async (header, milliseconds) => {
  answer = (_, response) => void response.writeHead(429, header === undefined ? {} : { 'retry-after': header }).end('busy')
  make().make(1, { path: 'poll', bearer: null, body: '{}' })
  await hear(RESPONSE_ENDED)
  expect(told[0]).toEqual([RESPONSE_STARTED, 1, 429, milliseconds])
})

test('Retry-After may be a date', async () => {
  answer = (_, response) => void response.writeHead(503, { 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() }).end()
  make().make(1, { path: 'poll', bearer: null, body: '{}' })
  const wait = Number(await hear(RESPONSE_STARTED))
  expect(wait).toBeGreaterThan(3_000_000)
  expect(wait).toBeLessThanOrEqual(3_600_000)
})

test('a redirect is a failure, and nobody is sent there', async () => {
  const asked: string[] = []
  answer = ({ url = '' }, response) => {
    asked.push(url)
    response.writeHead(307, { location: '/elsewhere' }).end()
  }
  make().make(1, { path: 'poll', bearer: 'st_secret', body: '{}' })
  expect(await hear(RESPONSE_ENDED)).not.toBe('')
  expect(asked).toEqual(['/rt/v1/poll'])
})

test('a body that breaks off is told as far as it came, and why there is no more', async () => {
  answer = (_, response) => {
    response.write('half')
    void hear(RESPONSE_CHUNK).then(() => response.destroy())
  }
  make().make(1, { path: 'sse', bearer: null, body: '{}' })
  expect(await hear(RESPONSE_ENDED)).toBe('the answer broke off')
  expect(pieces()).toEqual(['half'])
})

test('a browser that streams no bodies has the text at the end', async () => {
  vi.stubGlobal('fetch', async () => ({ status: 200, headers: new Headers(), body: null, text: async () => '{"a":1}\n' }))
  make().make(1, { path: 'poll', bearer: null, body: '{}' })
  expect(await hear(RESPONSE_ENDED)).toBe('')
  expect(pieces()).toEqual(['{"a":1}\n'])
})

test('what keeps a request from its answer is named, without its secrets', async () => {
  const ended = async (number: number) => {
    make().make(number, { path: 'poll', bearer: 'st_söcret', body: '{"ticket":"tk_secret"}' })
    const why = await hear(RESPONSE_ENDED, number)
    expect(why).not.toMatch(/secret|söcret/)
    return why
  }
  server.close()
  expect(await ended(1)).toMatch(/server is away.*`origins`/)

  vi.stubGlobal('navigator', { onLine: false })
  expect(await ended(2)).toBe('there is no network')
  vi.unstubAllGlobals()

  vi.stubGlobal('location', { protocol: 'https:' })
  expect(await ended(3)).toMatch(/https/)
  vi.unstubAllGlobals()

  const { origin } = new URL(socket.replace('ws', 'http'))
  let violate = (_: object) => {}
  vi.stubGlobal('addEventListener', (_: string, listener: typeof violate) => (violate = listener))
  const removed = vi.fn()
  vi.stubGlobal('removeEventListener', removed)
  vi.stubGlobal('fetch', async () => {
    // Browsers report the violation after the failure.
    setTimeout(() => violate({ blockedURI: `${origin}/rt/v1/poll`, disposition: 'enforce', effectiveDirective: 'connect-src' }))
    throw new TypeError('Failed to fetch')
  })
  expect(await ended(4)).toMatch(/Content-Security-Policy.*connect-src/)
  expect(removed).toHaveBeenCalledExactlyOnceWith('securitypolicyviolation', violate)
  vi.unstubAllGlobals()

  socket = ''
  expect(await ended(5)).toMatch(/`url`/)
})
