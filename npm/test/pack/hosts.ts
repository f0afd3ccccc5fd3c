/**
 * The same small program for each host: it makes a client at module level, connects it, and reports
 * its state.
 */

import { NOBODY } from './apps.js'

/** A module that exports `client` and `settles()`. */
export const program = (entry: string) => `import { createTidings } from '${entry}'
import { channel } from 'tidings/channels'
// Each host makes it where it runs modules, some of which allow nothing there.
export const client = createTidings({ url: 'http://${NOBODY}', ticket: async () => 'T', user: 'u1', storage: 'auto' })
export const room = channel(client, 'room:1')
client.inbox.view({ show: 'unread' })
export const settles = () =>
  new Promise((resolve) => {
    client.connection.subscribe(({ status, error, durable }) => {
      if (status === 'waiting' || status === 'failed') resolve([status, error && error.code, durable])
    })
    client.connect()
  })
`

/** The result when the core runs and no server answers. */
export const AWAY = ['waiting', 'network']

/**
 * Cloudflare's runtime with one worker at this port. Compatibility dates before May 2025 have no
 * weak references.
 */
export const workerd = (port: number, date: string) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker), (name = "internet", network = (allow = ["private", "public"]))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js"), (name = "core.wasm", wasm = embed "core.wasm")],
  compatibilityDate = "${date}",
);
`

/** An app's test in Jest's jsdom. */
export const jest = {
  'client.js': program('tidings'),
  'app.test.js': `import { expect, test } from '@jest/globals'
    import { client, room, settles } from './client.js'
    test('a page with a client renders, and says why it has no connection', async () => {
      const seen = []
      client.inbox.subscribe(({ unread }) => seen.push(unread))
      room.subscribe(({ messages }) => seen.push(messages.length))
      const marked = client.inbox.markAllRead()
      expect(seen).toEqual([0, 0])
      expect(await settles()).toEqual(['failed', 'wasm_unavailable', false])
      expect(client.connection.get().error.message).toMatch(/jsdom/)
      await expect(marked).rejects.toMatchObject({ code: 'wasm_unavailable' })
      client.close()
    })`,
}

/**
 * Service workers, classic and module ones, a classic worker, and a frame without an origin. Each
 * is one script.
 */
export const workers = {
  'client.js': program('tidings/inline'),
  'service.js': `import { settles } from './client.js'
    self.addEventListener('install', () => self.skipWaiting())
    self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))
    self.addEventListener('message', async ({ ports: [port] }) => port.postMessage(await settles()))`,
  'worker.js': `import { settles } from './client.js'
    self.onmessage = async ({ ports: [port] }) => port.postMessage(await settles())`,
  'frame.js': `import { settles } from './client.js'
    settles().then((state) => parent.postMessage(state, '*'))`,
  'page.js': `export const asks = (target) =>
      new Promise((resolve) => {
        const { port1, port2 } = new MessageChannel()
        port1.onmessage = ({ data }) => resolve(data)
        target.postMessage('?', [port2])
      })
    window.inService = async (type) => {
      await navigator.serviceWorker.register('/service.js', { type })
      return asks((await navigator.serviceWorker.ready).active)
    }
    window.inWorker = () => asks(new Worker('/worker.js'))
    window.inFrame = () =>
      new Promise((resolve) => {
        window.addEventListener('message', ({ data }) => resolve(data))
        const frame = document.createElement('iframe')
        frame.sandbox = 'allow-scripts'
        frame.src = '/frame.html'
        document.body.append(frame)
      })`,
  'index.html': '<!doctype html><title>workers</title><body><script src="/page.js"></script>',
  'frame.html': '<!doctype html><title>frame</title><body><script src="/frame.js"></script>',
  'manifest.json': JSON.stringify({
    manifest_version: 3,
    name: 'tidings in an extension',
    version: '1',
    background: { service_worker: 'service.js' },
    host_permissions: ['http://127.0.0.1/*'],
    content_security_policy: { extension_pages: "script-src 'self' 'wasm-unsafe-eval'; object-src 'self'" },
  }),
}

/** A classic worker that Vite builds. */
export const viteWorker = {
  'client.js': program('tidings/inline'),
  'worker.js': workers['worker.js'],
  'main.js': `const { port1, port2 } = new MessageChannel()
    port1.onmessage = ({ data }) => (window.state = data)
    new Worker(new URL('./worker.js', import.meta.url)).postMessage('?', [port2])`,
  'index.html': '<!doctype html><title>worker</title><script type="module" src="/main.js"></script>',
}

/** A backend in TypeScript without the library of browsers. */
export const backend = {
  'main.ts': `import { createTidings, isTidingsError, type InboxItem, type Tidings, type TidingsOptions } from 'tidings'
    import { channel } from 'tidings/channels'
    import { createTidingsServer } from 'tidings/server'
    const options: TidingsOptions = { url: 'http://127.0.0.1:1', ticket: async ({ signal, url }) => (signal.aborted ? null : url) }
    const tidings: Tidings = createTidings(options)
    const titles = (items: readonly InboxItem[]): string[] => items.map(({ title }) => title)
    titles(tidings.inbox.get().items)
    channel(tidings, 'room:1').publish('hello').catch((error: unknown) => isTidingsError(error) && error.code)
    export const api = createTidingsServer({ url: 'http://127.0.0.1:1', apiKey: 'k' })`,
}
