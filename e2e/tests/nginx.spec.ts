import { expect, test } from '../harness/behind-nginx.ts'
import { poll, RawSocket, RawStream, ticket } from '../harness/wire.ts'

// The server through the real nginx, with clients that show every detail.

const to = { user: 'mina' }

test.describe('the shipped configuration', () => {
  test('lets WebSockets through', async ({ nginx, server }) => {
    const socket = await RawSocket.open(nginx.url, { ticket: await ticket(server) })
    await socket.hear('snapshot')
    await server.publish({ to, title: 'live' })
    await socket.hear('notification')
    socket.say({ type: 'ping' })
    await socket.hear('pong')
    socket.close()
  })

  test('lets each event of a stream through as it comes', async ({ nginx, server }) => {
    const stream = await RawStream.open(`${nginx.url}/v1/sse?ticket=${await ticket(server)}`)
    await stream.hear('snapshot')
    for (const title of ['one', 'two']) {
      await server.publish({ to, title })
      await stream.until(({ titles }) => titles.at(-1) === title, title)
    }
    stream.close()
  })

  test('lets polls through', async ({ nginx, server }) => {
    const { head, messages } = await poll(nginx.url, { ticket: await ticket(server) })
    expect(messages.map(({ type }) => type)).toEqual(['connected', 'subscribed', 'subscribed', 'snapshot'])
    const waiting = poll(nginx.url, { session_token: head.session_token, cursors: head.cursors }, 20_000)
    await server.publish({ to, title: 'news' })
    expect((await waiting).messages.map(({ type }) => type)).toEqual(['notification'])
  })

  test('tells an EventSource when to come back while the server is away, and others the truth', async ({ nginx, server }) => {
    const address = `${nginx.url}/v1/sse?ticket=${await ticket(server)}`
    const stream = await RawStream.open(address)
    await stream.hear('snapshot')
    await server.kill()
    await stream.over()
    const away = await fetch(address, { headers: { 'Last-Event-ID': stream.id, Origin: 'https://app.example' } })
    expect(away.status).toBe(200)
    expect(away.headers.get('content-type')).toBe('text/event-stream')
    expect(away.headers.get('access-control-allow-origin')).toBe('https://app.example')
    expect(await away.text()).toMatch(/^retry: \d{4}\n\n$/)
    const post = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }
    expect((await fetch(`${nginx.url}/v1/sse`, post)).status).toBe(503)
    expect((await fetch(`${nginx.url}/v1/poll`, post)).status).toBe(502)
    await expect(RawSocket.open(nginx.url, {})).rejects.toThrow('status 502')
    await server.startAgain()
    await server.publish({ to, title: 'missed' })
    const again = await RawStream.open(address, { headers: { 'Last-Event-ID': stream.id } })
    await again.until(({ titles }) => titles.length === 1, 'what was missed')
    expect(again.messages.map(({ type }) => type)).toEqual(['connected', 'subscribed', 'subscribed', 'notification'])
    again.close()
  })

  test('keeps tickets out of its log and figures to itself', async ({ nginx, server }) => {
    const secret = await ticket(server)
    const stream = await RawStream.open(`${nginx.url}/v1/sse?ticket=${secret}`)
    await stream.hear('snapshot')
    stream.close()
    expect((await fetch(`${nginx.url}/metrics`)).status).toBe(404)
    await expect.poll(() => nginx.accessLog()).toContain('GET /v1/sse HTTP/1.1')
    expect(await nginx.log()).not.toContain(secret)
  })
})

test.describe('an office behind one address', () => {
  test('has room for all its people, who come at once', async ({ nginx, server }) => {
    const people = Array.from({ length: 100 }, (_, number) => `u${number}`)
    const sockets = await Promise.all(
      people.map(async user => {
        const socket = await RawSocket.open(nginx.url, { ticket: await ticket(server, user) })
        await socket.hear('snapshot')
        return socket
      }),
    )
    await server.publish({ to: { users: people }, title: 'to all of them' })
    await Promise.all(sockets.map(socket => socket.hear('notification')))
    for (const socket of sockets) socket.close()
  })
})

test.describe('the shipped limits, made narrow', () => {
  test.use({ kind: 'narrow' })

  test('refuse links beyond them by 429, and tell an EventSource when to come back', async ({ nginx, server }) => {
    const sockets = []
    for (const user of ['one', 'two', 'three']) {
      const socket = await RawSocket.open(nginx.url, { ticket: await ticket(server, user) })
      await socket.hear('snapshot')
      sockets.push(socket)
    }
    await expect(RawSocket.open(nginx.url, {})).rejects.toThrow('status 429')
    const refused = await fetch(`${nginx.url}/v1/inbox`, { headers: { Origin: 'https://app.example' } })
    expect(refused.status).toBe(429)
    expect(refused.headers.get('content-type')).toBe('application/problem+json')
    expect(refused.headers.get('retry-after')).toBe('2')
    expect(refused.headers.get('access-control-allow-origin')).toBe('https://app.example')
    expect(await refused.json()).toMatchObject({ status: 429, code: 'flood' })
    const stream = await fetch(`${nginx.url}/v1/sse?ticket=${await ticket(server)}`)
    expect(stream.status).toBe(200)
    expect(await stream.text()).toMatch(/^retry: \d{4}\n\n$/)
    // The earlier connections were not disturbed, and make room when they close.
    await server.publish({ to: { users: ['one', 'two', 'three'] }, title: 'still here' })
    await Promise.all(sockets.map(socket => socket.hear('notification')))
    for (const socket of sockets) socket.close()
    await expect.poll(() => nginx.log()).toContain('limiting connections by zone "tidings_links"')
  })

  test('refuse requests beyond them by 429', async ({ nginx }) => {
    const statuses = []
    for (let count = 0; count < 12; count += 1) statuses.push((await fetch(`${nginx.url}/healthz`)).status)
    expect(statuses).toEqual([...Array<number>(11).fill(200), 429])
  })
})

test.describe('a proxy without WebSocket settings', () => {
  test.use({ kind: 'plain' })

  test('refuses the upgrade, and lets streams and polls through', async ({ nginx, server }) => {
    await expect(RawSocket.open(nginx.url, {})).rejects.toThrow('status 4')
    // nginx buffers by default; the server's own header turns that off.
    const stream = await RawStream.open(`${nginx.url}/v1/sse`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ type: 'connect', version: 1, ticket: await ticket(server) }),
    })
    await stream.hear('snapshot')
    await server.publish({ to, title: 'live' })
    await stream.hear('notification')
    stream.close()
    const { messages } = await poll(nginx.url, { ticket: await ticket(server) })
    expect(messages.at(-1)?.type).toBe('snapshot')
  })
})

test.describe('a proxy that buffers', () => {
  test.use({ kind: 'buffering' })

  test('holds streams back, and lets polls through', async ({ nginx, server }) => {
    const opening = new AbortController()
    let held = ''
    const reading = fetch(`${nginx.url}/v1/sse?ticket=${await ticket(server)}`, { signal: opening.signal })
      .then(async ({ body }) => {
        for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) held += new TextDecoder().decode(chunk)
      })
      .catch(() => {})
    const { head } = await poll(nginx.url, { ticket: await ticket(server) })
    for (const title of ['one', 'two', 'three']) {
      await server.publish({ to, title })
    }
    const { messages } = await poll(nginx.url, { session_token: head.session_token, cursors: head.cursors }, 20_000)
    expect(messages.map(({ type }) => type)).toContain('notification')
    // In this time the same proxy delivered a whole answer, but not a single event.
    expect(held).toBe('')
    opening.abort()
    await reading
  })
})

test.describe('a proxy that cuts links after 5 s of silence', () => {
  test.use({ kind: 'impatient' })

  test('keeps streams whose client asks for a shorter heartbeat', async ({ nginx, server }) => {
    const stream = await RawStream.open(`${nginx.url}/v1/sse?heartbeat=2000&ticket=${await ticket(server)}`)
    await stream.until(({ heartbeats }) => heartbeats === 4, 'four heartbeats')
    await server.publish({ to, title: 'still here' })
    await stream.hear('notification')
    stream.close()
  })

  test('cuts the others, which go on where they were', async ({ nginx, server }) => {
    const address = `${nginx.url}/v1/sse?ticket=${await ticket(server)}`
    const stream = await RawStream.open(address)
    await stream.hear('snapshot')
    await stream.over()
    await server.publish({ to, title: 'meanwhile' })
    const again = await RawStream.open(address, { headers: { 'Last-Event-ID': stream.id } })
    await again.hear('notification')
    expect(again.messages.some(({ type }) => type === 'snapshot')).toBe(false)
    again.close()
  })

  test('keeps WebSockets whose client pings more often, and cuts the others', async ({ nginx, server }) => {
    const idle = await RawSocket.open(nginx.url, { ticket: await ticket(server, 'tom') })
    const socket = await RawSocket.open(nginx.url, { ticket: await ticket(server) })
    await idle.hear('snapshot')
    const pinging = setInterval(() => socket.say({ type: 'ping' }), 2_000)
    await idle.over()
    const pongs = socket.messages.filter(({ type }) => type === 'pong').length
    await socket.until(({ messages }) => messages.filter(({ type }) => type === 'pong').length > pongs, 'a pong')
    clearInterval(pinging)
    socket.close()
  })

  test('gives polls that wait no longer their answer', async ({ nginx, server }) => {
    const { head } = await poll(nginx.url, { ticket: await ticket(server) })
    const { messages } = await poll(nginx.url, { session_token: head.session_token, cursors: head.cursors }, 3_000)
    expect(messages).toEqual([])
  })
})
