import { createTidings, isTidingsError, TidingsError, type TidingsOptions } from 'tidings'
import { channel } from 'tidings/channels'
import { describe, expect, test, vi } from 'vitest'
import { cell } from '../../src/readable.js'
import { tickets, type Answer } from '../../src/ticket.js'
import { routeLink, safeLink, socketUrl } from '../../src/url.js'

const fine: TidingsOptions = { url: 'https://rt.example.com', ticket: async () => 'T' }

describe('options', () => {
  test.each([
    ['ticket', { ticket: 'T' }],
    ['ticket', { ticket: undefined }],
    ['url', { url: 7 }],
    ['user', { user: '' }],
    ['user', { user: 7 }],
    ['user', { user: 'x'.repeat(129) }],
    ['user', { user: 'u1\nu2' }],
    ['user', { user: 'u1\troom:1' }],
    ['user', { user: 'u1\u0085' }],
    ['storage', { storage: 'disk' }],
    ['backoff', { backoff: 3 }],
    ['backoff.base', { backoff: { base: '1s' } }],
    ['backoff.cap', { backoff: { cap: Number.NaN } }],
    ['backoff.maxAttempts', { backoff: { maxAttempts: 0 } }],
    ['keepChannels', { keepChannels: 0 }],
    ['keepDays', { keepDays: 0 }],
    ['keepDays', { keepDays: Number.NaN }],
    ['heartbeat', { heartbeat: 10 }],
    ['transports', { transports: 'ws' }],
    ['transports', { transports: [] }],
    ['transports', { transports: ['ws', 'sse', 'poll', 'ws'] }],
    ['transports', { transports: ['websocket'] }],
    ['transports', { transports: null }],
    ['keep', { keep: 0 }],
    ['keep', { keep: 1_001 }],
    ['logger', { logger: {} }],
  ])('a wrong `%s` throws at once and is named', (name, wrong) => {
    const make = () => createTidings({ ...fine, ...wrong } as never)
    expect(make).toThrow(TidingsError)
    expect(make).toThrow(expect.objectContaining({ code: 'invalid_argument', fault: 'app', message: expect.stringContaining(`\`${name}\``) }))
  })

  test('an event that nobody tells is named', () => {
    expect(() => createTidings(fine).on('arrive' as never, () => {})).toThrow('`event` must be one of arrived,gap,failed,error')
    expect(() => channel(createTidings(fine), 'room:1').on('mesage' as never, () => {})).toThrow('`message` or `gap`')
  })

  test('no options at all are named too', () => {
    expect(() => createTidings(undefined as never)).toThrow(/url.*ticket/)
  })

  test('a url may be missing until something connects', () => {
    expect(() => createTidings({ ...fine, url: undefined as never })).not.toThrow()
  })
})

describe('on a server', () => {
  test('importing and subscribing does nothing', async () => {
    const ticket = vi.fn(async () => 'T')
    const socket = vi.fn()
    vi.stubGlobal('WebSocket', socket)
    const timers = vi.spyOn(globalThis, 'setTimeout')
    const client = createTidings({ ...fine, ticket, user: 'u1' })
    const seen: unknown[] = []
    client.inbox.subscribe((value) => seen.push(value))
    client.connection.subscribe((value) => seen.push(value))
    client.outbox.subscribe((value) => seen.push(value))
    client.on('arrived', () => {})
    await new Promise(setImmediate)
    expect(seen).toEqual([client.inbox.initial, client.connection.initial, client.outbox.initial])
    expect(ticket).not.toHaveBeenCalled()
    expect(socket).not.toHaveBeenCalled()
    expect(timers).not.toHaveBeenCalled()
    expect(await client.signOut()).toEqual({ discarded: 0 })
    expect(client.now()).toBeNull()
    expect(client.explain()).toContain('connect()')
  })
})

describe('links', () => {
  test.each(['javascript:alert(1)', ' javascript:alert(1)', 'java\nscript:alert(1)', 'JAVASCRIPT:x', 'data:text/html,x', 'vbscript:x', 'file:///etc/passwd', 'blob:https://x/y', 'mailto:a@b.c', '', 7, null, undefined, {}, 'https://',
    // These leave the page's origin, or may, although they look relative.
    '//evil.example', '///evil.example', '/\\evil.example', '\\\\evil.example', '/\t/evil.example', '/\n/evil.example', '\t//evil.example', 'https:evil.example', 'https:/evil.example', 'https:\\evil.example', 'https:///evil.example', 'ht\ntps://evil.example', ' //evil.example', 'https://evil.example ',
    '/x/..//evil.example', '/x/%2e%2e//evil.example', './/evil.example', '/.//evil.example', 'x/..//evil.example',
    // These name another host than the one they lead to.
    'https://bank.example@evil.example', 'https://bank.example:pw@evil.example/x', 'https://bank.example\\@evil.example', 'java\tscript:alert(1)', '\u0001javascript:alert(1)', 'about:blank', 'view-source:https://x',
  ])(
    '%j is not followed',
    (link) => expect(safeLink(link)).toBeUndefined(),
  )

  test.each(['https://example.com/a?b#c', 'http://x', '/orders/1', 'orders/1', '?page=2', '#top', './x', 'orders/1:2', '/a//b', '/x?to=//y', 'HTTPS://Example.com', 'http://[::1]:80/', 'https://exämple.example/'])('%j is', (link) => {
    expect(safeLink(link)).toBe(link)
  })

  test.each([
    [{ type: 'navigate', path: '/a' }, '/a'],
    [{ type: 'navigate', path: '/a/:id', params: { id: 7, q: 'x y' } }, '/a/7?q=x+y'],
    [{ type: 'navigate', path: '/a?x=1', params: { y: true } }, '/a?x=1&y=true'],
    [{ type: 'navigate', path: '/a/:id', params: { id: null, deep: {} } }, '/a/:id'],
    [{ type: 'navigate', path: '/a/:id', params: { id: '//evil.example/../x' } }, '/a/%2F%2Fevil.example%2F..%2Fx'],
    [{ type: 'navigate', path: '/a/:id', params: { id: '%2e%2e', to: '//y' } }, '/a/%252e%252e?to=%2F%2Fy'],
    [{ type: 'navigate', path: '/a/:id/?to=../:id', params: { id: '\ud83d' } }, '/a/%EF%BF%BD/?to=../:id'],
    [{ type: 'navigate', path: '/:org/:name', params: { org: '', name: 'evil.example' } }, undefined],
    [{ type: 'navigate', path: '/a/:id', params: { id: '' } }, undefined],
    [{ type: 'navigate', path: '/a/:id/b', params: { id: '..' } }, undefined],
    [{ type: 'navigate', path: '/a/:id', params: { id: '.' } }, undefined],
    [{ type: 'navigate', path: '/a/:x:y/b', params: { x: '.', y: '.' } }, undefined],
    [{ type: 'navigate', path: '/a/%2E:x', params: { x: '.' } }, undefined],
    [{ type: 'navigate', path: '//evil.example' }, undefined],
    [{ type: 'navigate', path: '/\\evil.example' }, undefined],
    [{ type: 'navigate', path: '/\t/evil.example' }, undefined],
    [{ type: 'navigate', path: '/a/../b' }, undefined],
    [{ type: 'navigate', path: '/a/.\n./b' }, undefined],
    [{ type: 'open', path: '/a' }, undefined],
    [{ type: 'navigate', path: 'javascript:alert(1)' }, undefined],
    [{ type: 'navigate' }, undefined],
    ['navigate', undefined],
  ])('routing %j leads to %j', (routing, link) => {
    expect(routeLink({ routing })).toBe(link)
  })

  test('payloads of any kind have no link by accident', () => {
    for (const data of [null, undefined, 7, 'x', [], {}]) expect(routeLink(data)).toBeUndefined()
  })

  test.each([
    ['https://rt.example.com', 'wss://rt.example.com/v1/ws'],
    ['http://localhost:8787/', 'ws://localhost:8787/v1/ws'],
    ['https://example.com/rt/?x#y', 'wss://example.com/rt/v1/ws'],
    ['wss://example.com', 'wss://example.com/v1/ws'],
  ])('the socket of %s is %s', (base, url) => {
    expect(socketUrl(base)).toBe(url)
    expect(socketUrl(() => base)).toBe(url)
  })

  test('an address without a scheme is not taken for a path of the page', () => {
    vi.stubGlobal('location', { href: 'http://localhost:5173/app' })
    for (const base of ['127.0.0.1:8787', 'localhost:8787', 'rt.example.com', 'rt.example.com:8787/rt']) {
      expect(() => socketUrl(base)).toThrow(expect.objectContaining({ code: 'url_missing', message: expect.stringMatching(/must begin with http.*: \S+$/) }))
    }
    expect(socketUrl('/rt')).toBe('ws://localhost:5173/rt/v1/ws')
    expect(socketUrl('./rt')).toBe('ws://localhost:5173/rt/v1/ws')
    expect(socketUrl('//rt.example.com')).toBe('ws://rt.example.com/v1/ws')
    expect(socketUrl('HTTPS://rt.example.com')).toBe('wss://rt.example.com/v1/ws')
  })

  test.each([undefined, null, '', 7, 'rt.example.com', 'ftp://example.com'])('%j is no address of a server, in words', (base) => {
    const wrong = expect.objectContaining({ code: 'url_missing', fault: 'app', message: expect.stringContaining('`url`') })
    expect(() => socketUrl(base as never)).toThrow(wrong)
    expect(() => socketUrl(() => base as never)).toThrow(wrong)
  })

  test('a function that throws instead of giving an address is named, with what it threw', () => {
    const cause = new Error('not configured')
    const url = () => {
      throw cause
    }
    expect(() => socketUrl(url)).toThrow(expect.objectContaining({ code: 'url_missing', message: '`url` threw: not configured.', cause }))
  })
})

describe('the ticket function', () => {
  const nowhere = () => 'https://rt.example.com'
  const answerOf = (ask: TidingsOptions['ticket']) =>
    new Promise<Answer>((resolve) => tickets(ask, nowhere).request(1, 'u1', resolve))

  test.each([
    ['T', [0, 'T']],
    [{ token: 'J' }, [1, 'J']],
    [null, [2, '']],
  ])('may answer %j', async (given, answer) => {
    expect(await answerOf(async () => given as never)).toEqual(answer)
  })

  test.each([undefined, '', 7, {}, { ticket: 'T' }, { token: '' }])('answering %j is a failure in words', async (given) => {
    expect(await answerOf(async () => given as never)).toEqual([3, expect.stringContaining('must return')])
  })

  test('may answer without a promise, and may throw at once', async () => {
    expect(await answerOf(() => 'T')).toEqual([0, 'T'])
    expect(await answerOf(() => { throw new Error('broken') })).toEqual([3, 'broken'])
    expect(await answerOf(() => Promise.reject('words'))).toEqual([3, 'words'])
  })

  test('is told whom it is for, where the server is, and how often it was asked', async () => {
    const ask = vi.fn(() => 'T')
    const asked = tickets(ask, nowhere)
    for (const attempt of [1, 2]) await new Promise((resolve) => asked.request(attempt, 'u1', resolve))
    expect(ask).toHaveBeenLastCalledWith({ user: 'u1', url: 'https://rt.example.com', attempt: 2, signal: expect.any(AbortSignal) })
  })

  test('has a minute at most, then its signal is aborted, and what that makes it throw is no answer', async () => {
    vi.useFakeTimers()
    try {
      let signal: AbortSignal | undefined
      const answer = vi.fn()
      tickets((context) => {
        signal = context.signal
        return new Promise((_, reject) => context.signal.addEventListener('abort', () => reject(context.signal.reason as Error)))
      }, nowhere).request(1, 'u1', answer)
      await vi.advanceTimersByTimeAsync(59_999)
      expect(signal?.aborted).toBe(false)
      await vi.advanceTimersByTimeAsync(1)
      expect(signal?.aborted).toBe(true)
      await vi.advanceTimersByTimeAsync(60_000)
      expect(answer, 'the core says that it took too long').not.toHaveBeenCalled()
    } finally {
      vi.useRealTimers()
    }
  })

  test('asked ahead serves the first request of the same user, and is aborted for another', async () => {
    const signals: AbortSignal[] = []
    const ask = vi.fn(async ({ user, signal }: { user: string | undefined; signal: AbortSignal }) => {
      signals.push(signal)
      return `for ${user}`
    })
    const asked = tickets(ask, nowhere)
    asked.ahead('u1')
    const first = new Promise((resolve) => asked.request(1, 'u1', resolve))
    expect(await first).toEqual([0, 'for u1'])
    expect(ask).toHaveBeenCalledTimes(1)
    asked.ahead('u1')
    const second = new Promise((resolve) => asked.request(2, 'u2', resolve))
    expect(await second).toEqual([0, 'for u2'])
    expect(signals[1]?.aborted).toBe(true)
  })

  test('an answer nobody wants any more is not given', async () => {
    let resolve = (_: string) => {}
    const answer = vi.fn()
    const asked = tickets(() => new Promise((done) => { resolve = done }), nowhere)
    asked.request(1, 'u1', answer)
    asked.abort(1)
    resolve('T')
    await new Promise(setImmediate)
    expect(answer).not.toHaveBeenCalled()
  })
})

describe('a cell', () => {
  interface Value {
    readonly number: number
    readonly list?: readonly unknown[]
    readonly error?: TidingsError | null
  }
  const of = (initial: Value) => cell(initial, { call: (fn, value) => fn(value), version: () => 0, read: () => null })

  test('tells each subscriber the newest value once, in registration order, even when one changes it', () => {
    const seen: string[] = []
    const numbers = of({ number: 0 })
    numbers.readable.subscribe(({ number }) => {
      seen.push(`a${number}`)
      if (number === 1) {
        numbers.put({ number: 2 })
        numbers.notify()
      }
    })
    numbers.readable.subscribe(({ number }) => seen.push(`b${number}`))
    numbers.put({ number: 1 })
    numbers.notify()
    numbers.notify()
    expect(seen).toEqual(['a0', 'b0', 'a1', 'a2', 'b2'])
  })

  test('does not call who left while others were told', () => {
    const seen: string[] = []
    const numbers = of({ number: 0 })
    let off = () => {}
    numbers.readable.subscribe(({ number }) => number === 1 && off())
    off = numbers.readable.subscribe(({ number }) => seen.push(String(number)))
    numbers.put({ number: 1 })
    numbers.notify()
    expect(seen).toEqual(['0'])
  })

  test('keeps its value, lists and errors until they say something else', () => {
    const failed = (message: string) => new TidingsError({ code: 'forbidden', fault: 'app', retry: false, message })
    const { readable, put } = of({ number: 0 })
    put({ number: 1, list: ['a'], error: failed('m') })
    const first = readable.get()
    expect(Object.isFrozen(first)).toBe(true)
    put({ number: 1, list: ['a'], error: failed('m') })
    expect(readable.get()).toBe(first)
    put({ number: 2, list: ['a'], error: failed('m') })
    const second = readable.get()
    expect(second.number).toBe(2)
    expect(second.list).toBe(first.list)
    expect(second.error).toBe(first.error)
    put({ number: 2, list: ['b'], error: failed('n') })
    expect(readable.get().list).toEqual(['b'])
    expect(readable.get().error?.message).toBe('n')
    put({ number: 2, list: [], error: null })
    expect(readable.get()).toEqual({ number: 2, list: [], error: null })
  })

  test('is its initial value again when it says the same', () => {
    const { readable, put } = of(Object.freeze({ number: 0, list: Object.freeze([]) }))
    put({ number: 1, list: ['a'] })
    put({ number: 0, list: [] })
    expect(readable.get()).toBe(readable.initial)
  })

  test('reads anew only when there may be something else to read', () => {
    let version = 0
    const read = vi.fn(() => ({ number: version }))
    const { readable } = cell({ number: 0 }, { call: (fn, value) => fn(value), version: () => version, read })
    expect(readable.get()).toBe(readable.initial)
    expect(read).not.toHaveBeenCalled()
    version = 1
    expect(readable.get()).toEqual({ number: 1 })
    readable.get()
    expect(read).toHaveBeenCalledTimes(1)
  })
})

test('errors say what, whose fault, what to do, and where to read on', () => {
  const error = new TidingsError({ code: 'forbidden', fault: 'app', retry: false, message: 'm', cause: 1 })
  expect(error).toMatchObject({ name: 'TidingsError', code: 'forbidden', fault: 'app', retry: false, message: 'm', cause: 1 })
  expect(error.docs).toMatch(/^https:\/\/.*#forbidden$/)
  expect(isTidingsError(error)).toBe(true)
  expect(String(error)).toBe('TidingsError: m')
})
