import type { Json, Profile, Tab } from './engine.ts'
import type { BiDi } from './remote.ts'

/** Kills the process of the page in a tab. */
export type Crash = (context: string, tab: Tab) => Promise<void>

/** A profile in a browser that speaks BiDi: a "user context". */
export class BiDiProfile implements Profile {
  readonly #bidi: BiDi
  readonly #crash: Crash
  readonly #user: string

  private constructor(bidi: BiDi, crash: Crash, user: string) {
    this.#bidi = bidi
    this.#crash = crash
    this.#user = user
  }

  static async start(bidi: BiDi, crash: Crash): Promise<BiDiProfile> {
    const { userContext } = await bidi.call<{ userContext: string }>('browser.createUserContext')
    return new BiDiProfile(bidi, crash, userContext)
  }

  async tab(): Promise<Tab> {
    const { context } = await this.#bidi.call<{ context: string }>('browsingContext.create', { type: 'tab', userContext: this.#user })
    return new BiDiTab(this.#bidi, context, this.#crash)
  }

  async close(): Promise<void> {
    await this.#bidi.call('browser.removeUserContext', { userContext: this.#user })
  }
}

class BiDiTab implements Tab {
  readonly #bidi: BiDi
  readonly #context: string
  readonly #crash: Crash

  constructor(bidi: BiDi, context: string, crash: Crash) {
    this.#bidi = bidi
    this.#context = context
    this.#crash = crash
  }

  async goto(url: string): Promise<void> {
    await this.#bidi.call('browsingContext.navigate', { context: this.#context, url, wait: 'complete' })
  }

  async reload(): Promise<void> {
    await this.#bidi.call('browsingContext.reload', { context: this.#context, wait: 'complete' })
  }

  async back(): Promise<void> {
    await this.#bidi.call('browsingContext.traverseHistory', { context: this.#context, delta: -1 })
  }

  async evaluate<A extends readonly Json[], T extends Json>(fn: (...args: A) => T | Promise<T>, ...args: A): Promise<T> {
    const { value } = await this.#call(`async () => JSON.stringify(await (${String(fn)})(...${JSON.stringify(args)}))`)
    return (value === undefined ? undefined : JSON.parse(value)) as T
  }

  async click<A extends readonly Json[]>(find: (...args: A) => Element | null, ...args: A): Promise<boolean> {
    const { sharedId } = await this.#call(`() => (${String(find)})(...${JSON.stringify(args)})`)
    if (sharedId === undefined) return false
    const origin = { type: 'element', element: { sharedId } }
    const actions = [{ type: 'pointerMove', x: 0, y: 0, origin }, { type: 'pointerDown', button: 0 }, { type: 'pointerUp', button: 0 }]
    await this.#perform({ type: 'pointer', id: 'mouse', actions })
    return true
  }

  async type(text: string): Promise<void> {
    const actions = [...text].flatMap(value => [
      { type: 'keyDown', value },
      { type: 'keyUp', value },
    ])
    await this.#perform({ type: 'key', id: 'keyboard', actions })
  }

  crash(): Promise<void> {
    return this.#crash(this.#context, this)
  }

  async close(): Promise<void> {
    await this.#bidi.call('browsingContext.close', { context: this.#context })
  }

  async #call(functionDeclaration: string): Promise<{ value?: string; sharedId?: string }> {
    const target = { context: this.#context }
    const answer = await this.#bidi.call<Outcome>('script.callFunction', { functionDeclaration, target, awaitPromise: true })
    if (answer.type === 'exception') throw new Error(answer.exceptionDetails.text)
    return answer.result
  }

  async #perform(source: object): Promise<void> {
    await this.#bidi.call('input.performActions', { context: this.#context, actions: [source] })
  }
}

type Outcome =
  | { readonly type: 'success'; readonly result: { readonly value?: string; readonly sharedId?: string } }
  | { readonly type: 'exception'; readonly exceptionDetails: { readonly text: string } }
