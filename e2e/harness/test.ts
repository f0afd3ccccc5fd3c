import { test as base, type BrowserContext } from '@playwright/test'

import { Backend } from './backend.ts'
import { InboxPage } from './inbox-page.ts'
import type { Framework } from './paths.ts'
import { Proxy } from './proxy.ts'
import { RoomPage } from './room-page.ts'
import { Server } from './server.ts'

export interface Options {
  /** The framework of the example: a project of the configuration. */
  framework: Framework
  /** Text of the server's configuration file. */
  serverConfig: string
  /** Length of a session in milliseconds; 0: the server's default. */
  sessionTtlMs: number
  /** Folder of another build of the page; empty: the production build. */
  pageFolder: string
}

interface Fixtures {
  /** This test's own server, and the network before it. */
  server: Server
  network: Proxy
  backend: Backend
  /** A page that is not open yet. */
  inbox: InboxPage
  /** One more page in the same browser, or in another one. */
  another: (context?: BrowserContext) => Promise<InboxPage>
  /**
   * The same for rooms: a page that is not open yet, and one more, in the same browser or in a
   * user's own one.
   */
  room: RoomPage
  anotherRoom: (user?: 'mina' | 'jun') => Promise<RoomPage>
}

export const test = base.extend<Options & Fixtures>({
  framework: ['react', { option: true }],
  serverConfig: ['', { option: true }],
  sessionTtlMs: [0, { option: true }],
  pageFolder: ['', { option: true }],

  server: async ({ serverConfig }, use, info) => {
    const server = await Server.start(serverConfig)
    await use(server)
    if (info.status !== info.expectedStatus) await info.attach('server', { body: server.output })
    await server.stop()
  },

  network: async ({ server }, use) => {
    const proxy = await Proxy.start(server.port)
    await use(proxy)
    await proxy.stop()
  },

  backend: async ({ framework, server, network, sessionTtlMs, pageFolder }, use, info) => {
    const backend = await Backend.start({
      framework,
      serverUrl: server.url,
      publicUrl: network.url,
      ...(sessionTtlMs > 0 && { sessionTtlMs }),
      ...(pageFolder !== '' && { page: pageFolder }),
    })
    await use(backend)
    if (info.status !== info.expectedStatus) await info.attach('backend', { body: backend.output })
    await backend.stop()
  },

  inbox: async ({ page, backend }, use) => {
    await use(new InboxPage(page, backend.url))
  },

  another: async ({ context, backend }, use) => {
    await use(async (other = context) => new InboxPage(await other.newPage(), backend.url))
  },

  room: async ({ page, backend }, use) => {
    await use(new RoomPage(page, backend.url))
  },

  anotherRoom: async ({ context, backend, browser }, use) => {
    const contexts: BrowserContext[] = []
    await use(async user => {
      let other = context
      if (user !== undefined) {
        contexts.push((other = await browser.newContext()))
        await other.addCookies([{ name: 'tidings_demo_user', value: user, url: backend.url }])
      }
      return new RoomPage(await other.newPage(), backend.url)
    })
    for (const other of contexts) await other.close()
  },
})

/**
 * Marks tests of parts that an adapter or its example can break: they run over every framework's
 * example.
 */
export const EVERY_FRAMEWORK = { tag: '@every-framework' }

export { expect } from '@playwright/test'
