/** Runs the samples of the documents: each is loaded as a module, and its exports are used. */

import { readdirSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

import { build } from 'esbuild'
import { createElement, type ComponentType } from 'react'
import { renderToString } from 'react-dom/server'
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'

import { TidingsError, type Connection } from 'tidings'
import { TidingsProvider } from 'tidings/react'

import { DOCUMENTS, folderOf, samplesOf, write, type Document } from './samples.js'

type Module = Record<string, never>

/** The modules of a document, each bundled with the reader's own files. */
const loaded = new Map<string, Module>()
const sample = <T,>(document: Document, file: string): T => {
  const found = loaded.get(`${document} ${file}`)
  if (found === undefined) throw new Error(`${document} has no ${file}`)
  return found as T
}

beforeAll(async () => {
  for (const document of DOCUMENTS) {
    const folder = write(document, 'ran')
    const files = samplesOf(document).map(({ file = '' }) => file).filter((file) => /\.tsx?$/.test(file) && !file.endsWith('.d.ts'))
    const outdir = join(folder, 'ran')
    await build({
      entryPoints: files.map((file) => join(folder, file)),
      outdir,
      outbase: folder,
      bundle: true,
      format: 'esm',
      platform: 'node',
      jsx: 'automatic',
      logLevel: 'error',
      external: ['tidings', 'tidings/*', 'react', 'react/*'],
      alias: { $lib: join(folder, 'lib') },
      plugins: [
        {
          name: 'environment',
          setup({ onResolve, onLoad }) {
            onResolve({ filter: /^\$env\/dynamic\/private$/ }, ({ path }) => ({ path, namespace: 'environment' }))
            onLoad({ filter: /.*/, namespace: 'environment' }, () => ({ contents: 'export const env = process.env' }))
          },
        },
      ],
    })
    for (const file of files) {
      // Import without the environment that the samples name, as a build does.
      const module = (await import(/* @vite-ignore */ join(outdir, file.replace(/\.tsx?$/, '.js')))) as Module
      loaded.set(`${document} ${file}`, module)
    }
    expect(readdirSync(outdir).length).toBeGreaterThan(0)
  }
}, 120_000)

/** A Tidings server that accepts everything, and its requests. */
let http: Server
let asked: { path: string | undefined; key: unknown; body: unknown }[]
const FIRST = {
  items: [{ id: 'n1', kind: 'payment', at: 1, read: false, seen: false, archived: false, data: { title: 'Paid', data: { orderId: 'A-17' } } }],
  counts: { inbox: { unread: 1, unseen: 1 }, system: { unread: 0, unseen: 0 } },
}
const ANSWERS: Record<string, object> = {
  '/v1/tickets': { ticket: 'T', expires_at: '2026-11-21T00:00:00Z' },
  '/v1/notifications': { results: [{ channel: 'inbox:mina', epoch: 'AAAAAAAA', offset: 1, notification_id: 'n1' }] },
  '/v1/inbox': FIRST,
}
beforeEach(async () => {
  asked = []
  http = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    asked.push({ path: request.url, key: request.headers['idempotency-key'], body: text && JSON.parse(text) })
    response.end(JSON.stringify(ANSWERS[request.url?.split('?')[0] ?? '']))
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
})
afterEach(() => {
  http.closeAllConnections()
  http.close()
})

/** Imports a sample with its server again, now with an environment. */
async function withServer<T>(document: Document, file: string): Promise<T> {
  vi.stubEnv('TIDINGS_URL', `http://127.0.0.1:${(http.address() as AddressInfo).port}`)
  vi.stubEnv('TIDINGS_API_KEY', 'k')
  return (await import(/* @vite-ignore */ join(folderOf(document, 'ran'), 'ran', `${file.replace(/\.tsx?$/, '')}.js?again=${asked.length}${Math.random()}`))) as T
}

type Route = (request: Request) => Promise<Response>
const post = (cookie?: string) => new Request('https://app.example.com/api/tidings-ticket', { method: 'POST', headers: cookie === undefined ? {} : { cookie } })

describe.each([
  ['README.md', 'tidings.server.ts'],
  ['npm/README.md', 'tidings.server.ts'],
  ['docs/react.md', 'route.ts'],
  ['docs/rooms.md', 'ticket-route.ts'],
] as const)('the ticket route of %s', (document, file) => {
  test('gives a ticket to who is signed in, and 401 to nobody', async () => {
    const { POST } = await withServer<{ POST: Route }>(document, file)
    expect((await POST(post())).status).toBe(401)
    expect(asked).toEqual([])
    expect(await (await POST(post('user=mina'))).json()).toMatchObject({ ticket: 'T' })
    expect(asked).toMatchObject([{ path: '/v1/tickets', body: { user: 'mina' } }])
  })

  test('loaded without its environment, it says so when it is asked', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const response = await sample<{ POST: Route }>(document, file).POST(post('user=mina'))
    expect([response.status, await response.json()]).toEqual([503, expect.objectContaining({ code: 'url_missing' })])
    expect(log).toHaveBeenCalledWith(expect.stringContaining('`url`'), expect.anything())
  })
})

test.each(['README.md', 'npm/README.md'] as const)('the call of %s sends a notification once for each order', async (document) => {
  const { paid } = await withServer<{ paid(user: string, orderId: string): Promise<unknown> }>(document, 'tidings.server.ts')
  await paid('mina', 'A-17')
  expect(asked).toEqual([
    { path: '/v1/notifications', key: 'A-17', body: { to: { user: 'mina' }, type: 'payment', title: 'Paid', data: { orderId: 'A-17' } } },
  ])
})

test('the ticket function of README.md tells signed out from broken', async () => {
  const { ticket } = sample<{ ticket(context: { signal: AbortSignal }): Promise<string | null> }>('README.md', 'ticket.ts')
  const { signal } = new AbortController()
  const answer = (status: number) => vi.stubGlobal('fetch', async () => new Response(JSON.stringify({ ticket: 'T' }), { status }))
  answer(200)
  expect(await ticket({ signal })).toBe('T')
  answer(401)
  expect(await ticket({ signal })).toBeNull()
  answer(500)
  await expect(ticket({ signal })).rejects.toThrow('500')
})

test('the route for pages elsewhere answers them, preflights too', async () => {
  const { POST, OPTIONS } = await withServer<{ POST: Route; OPTIONS: Route }>('npm/README.md', 'elsewhere.server.ts')
  const headers = { origin: 'https://app.example.com', cookie: 'user=mina' }
  const ask = (method: string) => new Request('https://api.example.com/t', { method, headers })
  const response = await POST(ask('POST'))
  expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([200, headers.origin])
  expect((await OPTIONS(ask('OPTIONS'))).status).toBe(204)
})

test('the handler for node:http answers', async () => {
  const { server } = await withServer<{ server: Server }>('npm/README.md', 'express.ts')
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  expect((await fetch(url, { method: 'POST' })).status).toBe(401)
  expect((await fetch(url, { method: 'POST', headers: { cookie: 'user=mina' } })).status).toBe(200)
  server.closeAllConnections()
  server.close()
})

test('items of other versions are read', () => {
  const { line } = sample<{ line(item: object): string }>('npm/README.md', 'line.ts')
  expect(line({ type: 'payment', title: 'Paid', data: { orderId: 'A-17' } })).toBe('Order A-17: Paid')
  expect(line({ type: 'comment', title: 'New', data: { postId: 'p', by: 'jun' } })).toBe('New')
  expect(line({ type: 'reminder', title: 'Soon', data: null })).toBe('Soon')
  expect(line({ type: 'later', title: 'What is this?', data: null })).toBe('What is this?')
})

describe('React pages render on a server', () => {
  const html = (component: ComponentType<never>, props: object) => renderToString(createElement(component as ComponentType<object>, props))

  test('those of the READMEs', () => {
    expect(html(sample<{ App: ComponentType<never> }>('README.md', 'App.tsx').App, {})).toContain('aria-label="0 unread"')
    expect(html(sample<{ App: ComponentType<never> }>('npm/README.md', 'App.tsx').App, { userId: 'mina' })).toContain('aria-label="0 unread"')
  })

  test('the layout of docs/react.md, with a first inbox for the pages below it', async () => {
    const { default: Layout } = await withServer<{ default(props: object): Promise<never> }>('docs/react.md', 'layout.tsx')
    const { Inbox } = sample<{ Inbox: ComponentType }>('docs/react.md', 'Inbox.tsx')
    const { Toasts } = sample<{ Toasts: ComponentType }>('docs/react.md', 'Toasts.tsx')
    const page = renderToString(await Layout({ children: [createElement(Inbox, { key: 1 }), createElement(Toasts, { key: 2 })] }))
    expect(asked).toMatchObject([{ path: '/v1/inbox?user=mina' }])
    expect(page).toContain('Paid')
  })

  test('the room of docs/rooms.md', () => {
    const { Room } = sample<{ Room: ComponentType<{ id: string }> }>('docs/rooms.md', 'Room.tsx')
    const { tidings } = sample<{ tidings: never }>('docs/react.md', 'client.ts')
    expect(renderToString(<TidingsProvider client={tidings} user="mina"><Room id="42" /></TidingsProvider>)).toContain('<ol>')
  })
})

test('words for people, and a banner that is seldom there', () => {
  const { wordsFor, banner } = sample<{ wordsFor(error: TidingsError): string; banner(connection: Connection): string | null }>('docs/errors.md', 'words.ts')
  const log = vi.spyOn(console, 'error').mockImplementation(() => {})
  const error = (code: string, retry = false) => new TidingsError({ code, fault: 'app', retry, message: 'm' })
  expect(wordsFor(error('too_large'))).toMatch(/too long/)
  expect(log).not.toHaveBeenCalled()
  expect(wordsFor(error('of_tomorrow', true))).toMatch(/Try again/)
  expect(log).toHaveBeenCalledTimes(1)
  const connection = { status: 'waiting', lost: false, user: 'mina', error: null, attempt: 1, retryAt: 1, transport: null, durable: true } as const
  expect(banner(connection)).toBeNull()
  expect(banner({ ...connection, lost: true })).toBe('Reconnecting…')
  expect(banner({ ...connection, status: 'offline', lost: true })).toBe('No network.')
  expect(banner({ ...connection, status: 'signed-out' })).toMatch(/signed out/)
})

test('docs/errors.md has every code of the protocol', async () => {
  const { readFileSync } = await import('node:fs')
  const read = (path: string) => readFileSync(new URL(`../../../docs/${path}`, import.meta.url), 'utf8')
  const codes = [...read('protocol.md').matchAll(/<a id="(\w+)"><\/a>`\1` \| (?:app|server|network|browser) \|/g)].map(([, code]) => code)
  expect(codes.length).toBeGreaterThan(35)
  const rows = read('errors.md').split('\n').filter((line) => line.startsWith('| `')).map((line) => line.split('|')[1] ?? '')
  expect(codes.filter((code) => !rows.some((row) => row.includes(`\`${code}\``)))).toEqual([])
})
