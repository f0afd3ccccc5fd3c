import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Child, until } from '../../harness/process.ts'
import { BiDiProfile, type Crash } from './bidi.ts'
import type { Browser } from './engine.ts'
import { BiDi } from './remote.ts'

/** Debian's Firefox ESR, which speaks BiDi itself. */
export async function firefox(prefs: Readonly<Record<string, boolean | number | string>> = {}): Promise<Browser> {
  const folder = await mkdtemp(join(tmpdir(), 'tidings-firefox-'))
  const lines = Object.entries({ ...PREFS, ...prefs }).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`)
  await writeFile(join(folder, 'user.js'), lines.join('\n'))
  const args = ['--headless', '--no-remote', '--profile', folder, '--remote-debugging-port', '0', '--remote-allow-system-access', 'about:blank']
  const child = new Child(process.env.FIREFOX_PATH ?? 'firefox-esr', args, { HOME: folder, MOZ_CRASHREPORTER_DISABLE: '1' })

  let address: string | undefined
  await until(async () => {
    if (!child.running) throw new Error(`Firefox did not start:\n${child.output}`)
    address = /WebDriver BiDi listening on (ws:\S+)/.exec(child.output)?.[1]
    return address !== undefined
  }, 'Firefox to listen')
  const bidi = await BiDi.open(`${address}/session`)
  await bidi.call('session.new', { capabilities: {} })

  return {
    profile: () => BiDiProfile.start(bidi, crashIn(bidi)),
    get output() {
      return child.output
    },
    async stop() {
      await bidi.call('browser.close').catch(() => {})
      bidi.close()
      await child.end('SIGKILL')
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Settings that keep it from the network beyond this machine, and from pages of its own. */
const PREFS = {
  'app.normandy.enabled': false,
  'app.update.disabledForTesting': true,
  'browser.aboutwelcome.enabled': false,
  'browser.safebrowsing.update.enabled': false,
  'browser.sessionstore.resume_from_crash': false,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.page': 0,
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.update.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'network.dns.disablePrefetch': true,
  'services.settings.server': 'data:,#remote-settings-dummy/v1',
  'toolkit.telemetry.enabled': false,
}

/** The browser itself knows the process of each tab, under the title of its page. */
function crashIn(bidi: BiDi): Crash {
  return async (_, tab) => {
    const title = crypto.randomUUID()
    await tab.evaluate(title => {
      document.title = title
    }, title)
    const { contexts } = await bidi.call<{ contexts: { context: string }[] }>('browsingContext.getTree', { 'moz:scope': 'chrome', maxDepth: 0 })
    const processes = `() => gBrowser.browsers.map(each => each.contentTitle + ' ' + each.browsingContext.currentWindowGlobal.osPid)`
    let own: string[] = []
    await until(async () => {
      const lists = contexts.map(async ({ context }) => {
        const asked = { functionDeclaration: processes, target: { context }, awaitPromise: false }
        const { result } = await bidi.call<{ result: { value: { value: string }[] } }>('script.callFunction', asked)
        return result.value.map(({ value }) => value)
      })
      const all = (await Promise.all(lists)).flat()
      own = all.filter(line => line.startsWith(title))
      const pid = own[0]?.split(' ').at(-1)
      if (own.length > 0 && all.filter(line => line.endsWith(` ${pid}`)).length > 1) throw new Error('another tab lives in the same process')
      return own.length > 0
    }, 'the title to be known to the browser')
    process.kill(Number(own[0]?.split(' ').at(-1)), 'SIGKILL')
  }
}
