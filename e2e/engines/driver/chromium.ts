import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { CHROMIUM_ARGS, CHROMIUM_PATH } from '../../harness/chromium.ts'
import { Child, freePort } from '../../harness/process.ts'
import { BiDiProfile } from './bidi.ts'
import type { Browser } from './engine.ts'
import { BiDi, WebDriver } from './remote.ts'

/** Debian's Chromium through its chromedriver, which translates BiDi. */
export async function chromium(): Promise<Browser> {
  const folder = await mkdtemp(join(tmpdir(), 'tidings-chromium-'))
  const port = await freePort()
  const driver = new Child(process.env.CHROMEDRIVER_PATH ?? 'chromedriver', [`--port=${port}`])
  const url = `http://127.0.0.1:${port}`
  await driver.answers(`${url}/status`)

  const args = [...CHROMIUM_ARGS, '--headless=new', '--window-size=1280,800', `--user-data-dir=${folder}`]
  const alwaysMatch = { webSocketUrl: true, 'goog:chromeOptions': { binary: CHROMIUM_PATH, args } }
  const started = await new WebDriver(url).call<Session>('POST', '/session', { capabilities: { alwaysMatch } })
  const bidi = await BiDi.open(started.capabilities.webSocketUrl)

  const crash = async (context: string) => {
    const { session } = await bidi.call<{ session: string }>('goog:cdp.getSession', { context })
    // The command has no answer.
    bidi.call('goog:cdp.sendCommand', { session, method: 'Page.crash' }).catch(() => {})
  }
  return {
    profile: () => BiDiProfile.start(bidi, crash),
    get output() {
      return driver.output
    },
    async stop() {
      bidi.close()
      await new WebDriver(`${url}/session/${started.sessionId}`).call('DELETE', '').catch(() => {})
      await driver.end()
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

interface Session {
  readonly sessionId: string
  readonly capabilities: { readonly webSocketUrl: string }
}
