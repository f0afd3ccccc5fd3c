import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Child, freePort } from '../../harness/process.ts'
import { Display } from './display.ts'
import type { Browser, Json, Profile, Tab } from './engine.ts'
import { WebDriver } from './remote.ts'

/**
 * Debian's WebKitGTK through its WebKitWebDriver. A driver runs one browser at a time, which starts
 * with an empty profile, so each profile has its own driver and browser.
 */
export async function webkit(): Promise<Browser> {
  const display = await Display.start()
  const drivers: Driven[] = []
  return {
    async profile() {
      const driven = await Driven.start(display.name)
      drivers.push(driven)
      return driven
    },
    get output() {
      return drivers.map(({ output }) => output).join('\n')
    },
    async stop() {
      await Promise.all(drivers.map(driven => driven.close()))
      await display.stop()
    },
  }
}

class Driven implements Profile {
  readonly #driver: Child
  readonly #folder: string
  readonly #session: WebDriver
  /** The window that commands go to. */
  #current = ''
  #fresh: string | undefined
  #last: Promise<unknown> = Promise.resolve()
  #closed = false

  private constructor(driver: Child, folder: string, session: WebDriver) {
    this.#driver = driver
    this.#folder = folder
    this.#session = session
  }

  static async start(display: string): Promise<Driven> {
    const folder = await mkdtemp(join(tmpdir(), 'tidings-webkit-'))
    const port = await freePort()
    const env = { DISPLAY: display, HOME: folder, XDG_RUNTIME_DIR: folder, GDK_BACKEND: 'x11', NO_AT_BRIDGE: '1', LIBGL_ALWAYS_SOFTWARE: '1' }
    const driver = new Child(process.env.WEBKIT_WEBDRIVER_PATH ?? 'WebKitWebDriver', [`--port=${port}`], env)
    const url = `http://127.0.0.1:${port}`
    await driver.answers(`${url}/status`)
    const { sessionId } = await new WebDriver(url).call<{ sessionId: string }>('POST', '/session', { capabilities: {} })
    const driven = new Driven(driver, folder, new WebDriver(`${url}/session/${sessionId}`))
    driven.#fresh = driven.#current = await driven.#session.call<string>('GET', '/window')
    return driven
  }

  get output(): string {
    return this.#driver.output
  }

  async tab(): Promise<Tab> {
    // The browser starts with one tab.
    const fresh = this.#fresh
    this.#fresh = undefined
    const handle = fresh ?? (await this.inTurn(() => this.#session.call<{ handle: string }>('POST', '/window/new', { type: 'tab' }))).handle
    return new DrivenTab(this, handle)
  }

  /** Sends a command to one window. The current window is part of the session's state. */
  call<T = unknown>(window: string, method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<T> {
    return this.inTurn(async () => {
      if (this.#current !== window) {
        await this.#session.call('POST', '/window', { handle: window })
        this.#current = window
      }
      return this.#session.call<T>(method, path, body)
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#session.call('DELETE', '').catch(() => {})
    await this.#driver.end()
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }

  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => {})
    return result
  }

  /** The current window is closed. */
  forget(): void {
    this.#current = ''
  }
}

class DrivenTab implements Tab {
  readonly #driven: Driven
  readonly #window: string

  constructor(driven: Driven, window: string) {
    this.#driven = driven
    this.#window = window
  }

  async goto(url: string): Promise<void> {
    await this.#call('POST', '/url', { url })
  }

  async reload(): Promise<void> {
    await this.#call('POST', '/refresh', {})
  }

  async back(): Promise<void> {
    await this.#call('POST', '/back', {})
  }

  async evaluate<A extends readonly Json[], T extends Json>(fn: (...args: A) => T | Promise<T>, ...args: A): Promise<T> {
    // The driver does not wait for promises, so a promise's result comes through a callback.
    const script = `
      const [args, done] = arguments
      new Promise(resolve => resolve((${String(fn)})(...JSON.parse(args))))
        .then(value => done({ value: JSON.stringify(value) }), error => done({ error: String(error) }))
    `
    const answer = await this.#call<{ value?: string; error?: string }>('POST', '/execute/async', { script, args: [JSON.stringify(args)] })
    if (answer.error !== undefined) throw new Error(answer.error)
    return (answer.value === undefined ? undefined : JSON.parse(answer.value)) as T
  }

  async click<A extends readonly Json[]>(find: (...args: A) => Element | null, ...args: A): Promise<boolean> {
    const script = `return (${String(find)})(...JSON.parse(arguments[0]))`
    const element = await this.#call<Record<string, string> | null>('POST', '/execute/sync', { script, args: [JSON.stringify(args)] })
    if (element === null) return false
    await this.#call('POST', `/element/${Object.values(element)[0]}/click`, {})
    return true
  }

  async type(text: string): Promise<void> {
    const element = await this.#call<Record<string, string>>('GET', '/element/active')
    await this.#call('POST', `/element/${Object.values(element)[0]}/value`, { text })
  }

  /** The driver ends the whole session when the process of one page crashes. */
  crash(): Promise<void> {
    return Promise.reject(new Error('WebKitWebDriver can go on with no tab after one crashed'))
  }

  async close(): Promise<void> {
    await this.#call('DELETE', '/window')
    this.#driven.forget()
  }

  #call<T = unknown>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<T> {
    return this.#driven.call<T>(this.#window, method, path, body)
  }
}
