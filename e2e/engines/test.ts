import { Backend } from '../harness/backend.ts'
import { Nginx, type NginxKind } from '../harness/nginx.ts'
import { test as base } from '../harness/test.ts'
import { App } from './app.ts'
import { chromium } from './driver/chromium.ts'
import type { Browser, EngineName, Profile } from './driver/engine.ts'
import { firefox } from './driver/firefox.ts'
import { webkit } from './driver/webkit.ts'
import { Front } from './front.ts'

export interface EngineOptions {
  /** A project of the configuration. */
  engine: EngineName
}

interface WorkerFixtures extends EngineOptions {
  /** The engine's browser. All tests of a worker share it. */
  running: Browser
}

interface Fixtures {
  /** The network between pages and server: a userspace proxy, or a kind of nginx. */
  through: 'network' | NginxKind
  /** The proxy between pages and the app's backend. */
  front: Front
  /** This test's profile, with empty storage. */
  profile: Profile
  /** The app in a tab that is still empty. */
  app: App
  /** Opens one more tab of the same browser. */
  anotherTab: () => Promise<App>
  /** Opens a tab in another user's browser. */
  elsewhere: () => Promise<App>
}

const START = { chromium, firefox, webkit }

/**
 * The fixtures of the Chromium tests, with the same server, backend and network; only browser and
 * page come from `driver/` and `App`.
 */
export const test = base.extend<Fixtures, WorkerFixtures>({
  engine: ['chromium', { option: true, scope: 'worker' }],
  through: ['network', { option: true }],

  running: [
    async ({ engine }, use) => {
      const browser = await START[engine]()
      await use(browser)
      await browser.stop()
    },
    { scope: 'worker', timeout: 60_000 },
  ],

  backend: async ({ framework, server, network, through, pageFolder }, use, info) => {
    const nginx = through === 'network' ? undefined : await Nginx.start(through, server.port)
    const page = pageFolder === '' ? {} : { page: pageFolder }
    const backend = await Backend.start({ framework, serverUrl: server.url, publicUrl: (nginx ?? network).url, ...page })
    await use(backend)
    if (info.status !== info.expectedStatus) await info.attach('backend', { body: backend.output })
    await backend.stop()
    await nginx?.stop()
  },

  front: async ({ backend }, use) => {
    const front = await Front.start(backend.url)
    await use(front)
    await front.stop()
  },

  profile: async ({ running }, use, info) => {
    const profile = await running.profile()
    await use(profile)
    if (info.status !== info.expectedStatus) await info.attach('browser', { body: running.output })
    await profile.close()
  },

  app: async ({ profile, front }, use, info) => {
    const app = new App(await profile.tab(), front.url)
    await use(app)
    if (info.status !== info.expectedStatus) {
      const shown = await app.tab.evaluate(() => document.body.innerText).catch(String)
      await info.attach('page', { body: shown })
    }
  },

  anotherTab: async ({ profile, front }, use) => {
    await use(async () => new App(await profile.tab(), front.url))
  },

  elsewhere: async ({ running, front }, use) => {
    const profiles: Profile[] = []
    await use(async () => {
      const profile = await running.profile()
      profiles.push(profile)
      return new App(await profile.tab(), front.url)
    })
    for (const profile of profiles) await profile.close()
  },
})

export { expect } from '@playwright/test'
