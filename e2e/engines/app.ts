import { expect } from '@playwright/test'

import { ENTER, type Json, type Tab } from './driver/engine.ts'
import { ELSEWHERE } from './front.ts'

export type MessageState = 'sent' | 'pending' | 'failed'

/** The longest wait for a state of the page. */
const PATIENCE = 30_000

/** The example in one tab, in a user's words. Every expectation is waited for. */
export class App {
  readonly tab: Tab
  readonly url: string

  constructor(tab: Tab, url: string) {
    this.tab = tab
    this.url = url
  }

  async open(path = '/'): Promise<void> {
    await this.tab.goto(this.url + path)
  }

  /** Opens the page and waits until it is live, with all of the client's code. */
  async openLive(): Promise<void> {
    await this.open()
    await this.isLive()
    await this.until('the rest of the core is there', hasDeferred, true)
  }

  async openRoomLive(id = 'harbour'): Promise<void> {
    await this.open(`/rooms/${id}`)
    await this.isRoomLive()
    await this.until('the rest of the core is there', hasDeferred, true)
  }

  /** Leaves for a page outside the app. */
  async leave(): Promise<void> {
    await this.open(ELSEWHERE)
  }

  /** Signs a user in, outside the app. */
  async signIn(user: 'mina' | 'jun'): Promise<void> {
    await this.leave()
    const status = await this.tab.evaluate(async user => (await fetch('/api/session', { method: 'POST', body: JSON.stringify({ user }) })).status, user)
    expect(status).toBe(200)
  }

  /** Waits until `read`, called in the page, returns `wanted`. */
  async until<A extends readonly Json[], T extends Json>(what: string, read: (...args: A) => T, wanted: T, ...args: A): Promise<void> {
    await this.eventually(async () => expect(await this.tab.evaluate(read, ...args), what).toEqual(wanted))
  }

  /** Tries again until it holds: a page that is loading does not answer. */
  async eventually(holds: () => Promise<void>, timeout = PATIENCE): Promise<void> {
    await expect(holds).toPass({ timeout, intervals: [20, 50, 100, 200] })
  }

  async hasState(status: string): Promise<void> {
    await this.until('the state of the connection', stateOf, status)
  }

  async isBy(transport: 'ws' | 'sse' | 'poll'): Promise<void> {
    const by = async () => expect(await this.tab.evaluate(attributeOf, '[data-testid="connection"]', 'data-transport')).toBe(transport)
    // It takes a while until a network shows its faults.
    await this.eventually(by, 90_000)
  }

  /** Connected, and the inbox is neither loading nor a saved one. */
  async isLive(): Promise<void> {
    await this.hasState('connected')
    await this.until('the inbox is loaded', attributeOf, 'false', '[role="tabpanel"]', 'aria-busy')
    await this.lacksText('As last seen')
  }

  async isRoomLive(): Promise<void> {
    await this.hasRoomStatus('live')
    await this.until('the room is loaded', attributeOf, 'false', '.room [role="region"][aria-label^="Messages in"]', 'aria-busy')
  }

  async hasRoomStatus(status: string): Promise<void> {
    await this.until('the state of the room', attributeOf, status, 'section.room', 'data-status')
  }

  /** Presses "Retry now" as long as it is offered: the client may reconnect by itself meanwhile. */
  async retryUntilLive(): Promise<void> {
    await this.eventually(async () => {
      await this.tab.click(buttonOf, 'Retry now').catch(() => false)
      expect(await this.tab.evaluate(stateOf)).toBe('connected')
    })
  }

  /** Exactly these titles, newest first. */
  async shows(titles: readonly string[]): Promise<void> {
    await this.until('the titles', titlesOf, titles)
  }

  async isRead(title: string, read = true): Promise<void> {
    await this.until(`"${title}" is read`, itemOf, String(read), title, 'data-read')
  }

  async isPending(title: string, pending: boolean): Promise<void> {
    await this.until(`"${title}" is pending`, itemOf, String(pending), title, 'data-pending')
  }

  /** The number on the bell; 0 if there is none. */
  async hasBadge(count: number): Promise<void> {
    await this.until('the badge', textsOf, count === 0 ? [] : [String(count)], '[data-testid="badge"]')
  }

  async hasToasts(count: number): Promise<void> {
    await this.until('toasts', countOf, count, '.toast')
  }

  /** The messages of the room, oldest first. */
  async says(texts: readonly string[]): Promise<void> {
    await this.until('the messages', textsOf, texts, '.message-text')
  }

  async hasMessages(...states: MessageState[]): Promise<void> {
    await this.until('the states of the messages', attributesOf, states, '.message', 'data-state')
  }

  async allSent(): Promise<void> {
    await this.until('messages that are not sent', countOf, 0, '.message:not([data-state="sent"])')
  }

  async say(...texts: readonly string[]): Promise<void> {
    for (const text of texts) {
      await this.click('textarea')
      await this.tab.type(text)
      await this.until('what is written', valueOf, text, 'textarea')
      await this.tab.type(ENTER)
      await this.until('what is written', valueOf, '', 'textarea')
    }
  }

  async press(button: string): Promise<void> {
    await this.eventually(async () => expect(await this.tab.click(buttonOf, button), `a button "${button}"`).toBe(true))
  }

  /** Chooses the user and waits until the page has switched. */
  async switchTo(user: 'mina' | 'jun' | ''): Promise<void> {
    await this.eventually(async () => expect(await this.tab.evaluate(choose, 'select.user', user)).toBe(true))
    await this.until('who is signed in', chosen, user, 'select.user')
  }

  async hasText(text: string): Promise<void> {
    await this.eventually(async () => expect(await this.tab.evaluate(textOf)).toContain(text))
  }

  async lacksText(text: string): Promise<void> {
    await this.eventually(async () => expect(await this.tab.evaluate(textOf)).not.toContain(text))
  }

  /** The browser's storage contains this text, or does not. Saving is debounced. */
  async hasSaved(text: string, is = true): Promise<void> {
    await this.eventually(async () => {
      const saved = await this.tab.evaluate(savedText)
      expect(saved.includes(text), `"${text}" is saved`).toBe(is)
    })
  }

  private async click(selector: string): Promise<void> {
    await this.eventually(async () => expect(await this.tab.click(elementOf, selector), selector).toBe(true))
  }
}

// ---- functions that run in the page; each on its own ----

const stateOf = () => document.querySelector('[data-testid="connection"]')?.getAttribute('data-status') ?? null
const textOf = () => document.body.innerText
const hasDeferred = () => performance.getEntriesByType('resource').some(({ name }) => /\/deferred-[^/]+\.js$/.test(name))
const titlesOf = () => [...document.querySelectorAll('.item-title')].map(({ textContent }) => (textContent ?? '').replace(/^\s*Unread: /, '').trim())
const textsOf = (selector: string) => [...document.querySelectorAll(selector)].map(({ textContent }) => (textContent ?? '').trim())
const countOf = (selector: string) => document.querySelectorAll(selector).length
const attributeOf = (selector: string, name: string) => document.querySelector(selector)?.getAttribute(name) ?? null
const attributesOf = (selector: string, name: string) => [...document.querySelectorAll(selector)].map(element => element.getAttribute(name))
const valueOf = (selector: string) => document.querySelector<HTMLTextAreaElement>(selector)?.value ?? null
const chosen = (selector: string) => {
  const select = document.querySelector<HTMLSelectElement>(selector)
  return select === null || select.disabled ? null : select.value
}
const itemOf = (title: string, attribute: string) =>
  [...document.querySelectorAll('li')].find(item => item.querySelector('.item-title')?.textContent?.includes(title))?.getAttribute(attribute) ?? null

const choose = (selector: string, value: string) => {
  const select = document.querySelector<HTMLSelectElement>(selector)
  if (select === null || select.disabled) return false
  select.value = value
  select.dispatchEvent(new Event('change', { bubbles: true }))
  return true
}

/** The button if it can be pressed at its middle, so if no other element covers it. */
const buttonOf = (name: string) => {
  const named = (button: Element) => (button.getAttribute('aria-label') ?? button.textContent ?? '').trim() === name
  const button = [...document.querySelectorAll('button, a')].find(named)
  if (button === undefined) return null
  button.scrollIntoView({ block: 'center' })
  const { x, y, width, height } = button.getBoundingClientRect()
  return button.contains(document.elementFromPoint(x + width / 2, y + height / 2)) ? button : null
}

const elementOf = (selector: string) => {
  const element = document.querySelector(selector)
  if (element === null) return null
  element.scrollIntoView({ block: 'center' })
  const { x, y, width, height } = element.getBoundingClientRect()
  return element.contains(document.elementFromPoint(x + width / 2, y + height / 2)) ? element : null
}

const savedText = async () => {
  const result = <T>(request: IDBRequest<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
  const values: unknown[] = []
  for (const { name } of await indexedDB.databases()) {
    const db = await result(indexedDB.open(name ?? ''))
    for (const name of db.objectStoreNames) values.push(...(await result(db.transaction(name).objectStore(name).getAll())))
    db.close()
  }
  return JSON.stringify(values)
}
