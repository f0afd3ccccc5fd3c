import { Backend } from './backend.ts'
import { Nginx, type NginxKind } from './nginx.ts'
import { test as base } from './test.ts'

interface Fixtures {
  /** The kind of nginx in this test. */
  kind: NginxKind
  /** The real nginx before this test's server. */
  nginx: Nginx
}

/** The usual fixtures, but pages reach the server through nginx. */
export const test = base.extend<Fixtures>({
  kind: ['shipped', { option: true }],

  nginx: async ({ kind, server }, use, info) => {
    const nginx = await Nginx.start(kind, server.port)
    await use(nginx)
    if (info.status !== info.expectedStatus) await info.attach('nginx', { body: await nginx.log() })
    await nginx.stop()
  },

  backend: async ({ framework, server, nginx, sessionTtlMs }, use, info) => {
    const backend = await Backend.start({
      framework,
      serverUrl: server.url,
      publicUrl: nginx.url,
      ...(sessionTtlMs > 0 && { sessionTtlMs }),
    })
    await use(backend)
    if (info.status !== info.expectedStatus) await info.attach('backend', { body: backend.output })
    await backend.stop()
  },
})

export { expect } from '@playwright/test'
